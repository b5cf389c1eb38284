//! The whole server over real sockets, on ports it picks itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod before_login;
mod crowds;
mod few_files;
mod games;
mod http;
mod kills;
mod lobby;
mod proxies;
mod recording;
mod shutdown;
mod support;
