//! The rules of connections: how they open, how fast they are read, and how they end.

pub(crate) mod closing;
pub(crate) mod opening;
pub(crate) mod operator;
pub(crate) mod pacing;
pub(crate) mod shutdown;
