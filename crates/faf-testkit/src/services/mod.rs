//! Private servers of other programs, for tests that need a real one. They listen on loopback, keep
//! their files in a temporary folder, and end with the process of the tests, however that ends.
//!
//! Tests that use them are ignored by default, with the reason `needs <program>; .ci/run runs it`.

pub mod mariadb;
#[cfg(feature = "nats")]
pub mod nats;
pub mod proxy;
pub mod rabbitmq;
