//! The JSON dialect all wire formats share (wire.md section 7).
//!
//! * `scan` checks text from a peer and brings it into the compact form that a
//!   [`Message`](crate::Message) keeps, with the help of `block` (strings) and `repeated` (objects
//! that have a key twice),
//! * `progress` follows a text that arrives in pieces, and detects when an object is complete,
//! * `escape` encodes outgoing text in pure ASCII,
//! * `compact` walks text that is known to be valid,
//! * [`Json`] and [`JsonRef`] are single values inside a message, and `typed` and `loose` convert
//!   them into types.

mod block;
pub(crate) mod compact;
pub(crate) mod escape;
pub(crate) mod loose;
pub(crate) mod progress;
mod repeated;
pub(crate) mod scan;
pub(crate) mod typed;
pub(crate) mod value;

pub use value::{Json, JsonRef};
