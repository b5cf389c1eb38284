//! The event loop, which owns the [`World`](faf_lobby_core::World), and the requests of the world.

pub(crate) mod event_loop;
pub(crate) mod host;
pub(crate) mod input;
pub(crate) mod requests;
