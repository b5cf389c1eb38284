//! A lobby of several processes (docs/src/guide/cluster.md): gateways with the connections of
//! clients, and cores with the world, of which one leads. [`faf_lobby_cluster`] has the rules.
//!
//! ```text
//!   gateway                                            core
//!   net/ -> inbox -> Gateway: Link, Dispatcher         CoreLoop: Core, requests -> store/
//!                        |   ^                              |   ^
//!                        v   |                              v   |
//!                        bus.rs  <----- NATS (or memory) -----> bus.rs
//! ```

use crate::config::Settings;
use crate::exit_code::Failure;

use self::bus::Bus;

pub(crate) mod bus;
pub(crate) mod gateway;
#[cfg(test)]
mod memory;
pub(crate) mod server;
#[cfg(test)]
mod tests;

/// Connects a gateway to the NATS of the settings.
///
/// # Errors
/// [`Failure`] if NATS refuses the connection, or is not one that a cluster can use.
#[allow(clippy::unused_async, reason = "the connection to NATS is still missing")]
pub(crate) async fn connect(settings: &Settings) -> Result<Bus, Failure> {
    let nats = settings.nats.join(", ");
    Err(Failure::from(anyhow::anyhow!("this version cannot connect to NATS yet ({nats})")))
}
