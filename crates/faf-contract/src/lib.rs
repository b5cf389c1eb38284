//! The contract of the FAF lobby: documents for people and programs, and a checker, all made from
//! the tables of messages in `faf-protocol`. Nothing here does any I/O.
//!
//! ```text
//! rows of the tables ==> Contract ==> JSON Schema, AsyncAPI, reference page
//!  (faf-protocol)                ==> Checker, Conversation (faf-wire lint)
//! ```

mod checker;
mod conversation;

pub use checker::{Checker, Direction, Kind, Violation};
pub use conversation::Conversation;
