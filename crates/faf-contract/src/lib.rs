//! The contract of the FAF lobby: documents for people and programs, and a checker, all made from
//! the tables of messages in `faf-protocol`. Nothing here does any I/O.
//!
//! ```text
//! rows of the tables ==> Contract ==> Document: JSON Schema, AsyncAPI, reference page
//!  (faf-protocol)                ==> Checker, Conversation (faf-wire lint)
//! ```

mod checker;
mod conversation;
mod documents;
mod flows;
mod reference;

pub use checker::{Checker, Direction, Kind, Violation};
pub use conversation::Conversation;
pub use documents::{Document, examples};
pub use faf_protocol::contract::{Contract, Entry};
pub use flows::{FLOWS, Flow, Step};
