//! What operators see and do: HTTP, metrics, the log, recordings, orders to a running server.

pub(crate) mod activity;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod orders;
pub mod recorder;
