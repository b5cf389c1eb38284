//! What runs the lobby: one loop that owns the [`World`](faf_lobby_core::World), and the requests it makes.

pub(crate) mod event_loop;
pub(crate) mod input;
pub(crate) mod requests;
