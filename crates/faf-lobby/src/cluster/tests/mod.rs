//! Gateways over real sockets, with a stream in memory.

mod ending;
mod formats;
mod games;
mod rig;
mod stream;
mod takeover;
