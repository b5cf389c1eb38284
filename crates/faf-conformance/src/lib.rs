//! The conformance kit: replays recorded sessions against any server that speaks the protocol, and
//! compares what every client receives, by the rules of [`faf_sessions::compare`].
//!
//! * [`ServerUnderTest`] is what a server offers: addresses, and optional hooks into its database,
//!   its publications, its pages and its processes.
//! * [`sessions`] reads the files, and [`needs`] says which of them a server can be asked to play.
//! * [`replay`] plays one session, and [`report`] says what came of all.
//!
//! ```text
//!   session file --> Transcript --> replay --> findings --> differences --> report
//!                                     ^ |
//!                       ServerUnderTest  clients, one for each recorded connection
//! ```
//!
//! Nothing that a server sends, and nothing in a session file, makes this crate panic.

mod client;
mod games;
pub mod http;
pub mod needs;
mod replay;
pub mod report;
mod server;
pub mod sessions;

pub use replay::{Options, Replayed, Stopped, publication, replay};
pub use server::{HookError, Offers, RowsBeforeAndNow, ServerUnderTest, Settings};
