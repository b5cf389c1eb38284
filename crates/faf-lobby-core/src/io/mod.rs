//! Inputs and outputs of the lobby, as plain data.

pub(crate) mod conn;
pub(crate) mod effect;
pub(crate) mod event;
pub(crate) mod log;
pub(crate) mod metric;
pub(crate) mod publication;
pub(crate) mod records;
pub mod request;
