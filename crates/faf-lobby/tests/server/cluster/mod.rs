//! A lobby of several processes with NATS between them, as real processes.

mod drill;
mod parts;
