//! The contract of the FAF lobby: documents for people and programs, and a checker, all made from
//! the tables of messages in `faf-protocol`. Nothing here does any I/O.
//!
//! ```text
//! rows of the tables ==> Contract ==> Document: JSON Schema, AsyncAPI, reference page
//!  (faf-protocol)        `-- feature `generate`: tests     |
//!                                                          `==> Checker
//! rules of commands  =========================================> Conversation
//! ```
//!
//! The documents are in the repository, and are part of this crate as they are there. Making them
//! takes a library that no program needs, so only tests do it: they compare the documents with
//! what the tables say, and write them if they are told to.

mod checker;
mod conversation;
mod documents;
#[cfg(feature = "generate")]
mod flows;
#[cfg(feature = "generate")]
mod reference;

pub use checker::{Checker, Direction, Kind, Violation};
pub use conversation::Conversation;
pub use documents::Document;
#[cfg(feature = "generate")]
pub use documents::examples;
#[cfg(feature = "generate")]
pub use faf_protocol::contract::{Contract, Entry};
#[cfg(feature = "generate")]
pub use flows::{FLOWS, Flow, Step};
