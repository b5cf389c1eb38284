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

pub(crate) mod backend;
pub(crate) mod bus;
pub(crate) mod core;
pub(crate) mod gateway;
#[cfg(test)]
mod memory;
pub(crate) mod questions;
pub(crate) mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::backend::Backend;
use self::bus::Bus;
use crate::config::Settings;
use crate::exit_code::Failure;

/// Connects a gateway to the NATS of the settings.
///
/// # Errors
/// [`Failure`] if NATS refuses the connection, or is not one that a cluster can use.
#[allow(clippy::unused_async, reason = "the connection to NATS is still missing")]
pub(crate) async fn connect(settings: &Settings) -> Result<Bus, Failure> {
    let nats = settings.nats.join(", ");
    Err(Failure::from(anyhow::anyhow!("this version cannot connect to NATS yet ({nats})")))
}

/// Returns the stream and the snapshots of the settings, for a core.
///
/// # Errors
/// [`Failure`] if NATS refuses the connection, or is not one that a cluster can use.
#[allow(clippy::unused_async, reason = "the connection to NATS is still missing")]
pub(crate) async fn backend(settings: &Settings) -> Result<Arc<dyn Backend>, Failure> {
    let nats = settings.nats.join(", ");
    Err(Failure::from(anyhow::anyhow!("this version cannot connect to NATS yet ({nats})")))
}
