//! Tests with a real broker.

mod consuming;
mod failures;
mod publishing;
mod support;
