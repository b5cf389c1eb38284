//! The contract of the lobby protocol.
