//! The JSON dialect all wire formats share (wire.md section 7).
//!
//! * `scan` checks text from a peer and brings it into the compact form that a [`Message`](crate::Message) keeps,
//! * `escape` turns text into pure ASCII on its way out,
//! * [`Json`] and [`JsonRef`] are single values inside a message.

pub(crate) mod escape;
pub(crate) mod scan;
pub(crate) mod value;

pub use value::{Json, JsonRef};
