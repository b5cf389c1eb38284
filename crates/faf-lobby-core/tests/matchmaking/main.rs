//! The rules of matching: against records of the original server (`golden`), against the same
//! rules written in the simplest way (`straightforward`), and the laws that hold in every
//! round (`laws`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
mod laws;
mod straightforward;
