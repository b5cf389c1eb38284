//! The operators' side: HTTP, metrics, the log, recordings, and orders to a running server.

pub(crate) mod activity;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod orders;
pub mod recorder;
