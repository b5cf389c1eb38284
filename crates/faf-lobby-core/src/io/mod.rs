//! Everything that goes into the lobby and comes out of it, as plain data.

pub(crate) mod records;
pub mod request;
