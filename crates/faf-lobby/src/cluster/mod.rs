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
pub(crate) mod nats;
pub(crate) mod questions;
pub(crate) mod server;
#[cfg(test)]
mod tests;
