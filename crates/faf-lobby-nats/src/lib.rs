//! NATS with JetStream as the log and the post of several lobby servers. It moves bytes, and knows
//! nothing about lobbies.
//!
//! ```text
//!   Writer     append  -->  stream FAF_LOBBY_<cluster>   one order of entries, kept on disk
//!              Reader  <--  (faf.<cluster>.in.<lane>)    without a gap from any sequence number
//!   publish    -->  faf.<cluster>.out.<gateway>, .all, .cores  -->  Subscription
//!   Snapshots  <->  bucket FAF_LOBBY_<cluster>_SNAPSHOTS
//! ```
//!
//! * `connection.rs` keeps a connection open; `link.rs` is one connection, from its beginning to
//!   its end, and `opening.rs` opens it and names what keeps it from being opened.
//! * `log.rs` creates the stream, `append.rs` writes to it, `reader.rs` reads it.
//! * `publishing.rs` and `subscription.rs` are messages that are not kept, `stamps.rs` numbers them
//!   so that a missing one is noticed.
//! * `snapshots.rs` stores snapshots.
//! * `settings.rs`, `names.rs`, `state.rs` and `counters.rs` are for operators.
//!
//! An account with limited permissions needs these. To publish: `faf.<cluster>.>`, `$JS.API.>`,
//! `$JS.FC.>`, `$O.FAF_LOBBY_<cluster>_SNAPSHOTS.>` and `_INBOX.>`; to subscribe:
//! `faf.<cluster>.>` and `_INBOX.>`.
//!
//! The library, async-nats, would reconnect by itself and then send what was queued before, and
//! appends would arrive in another order than they were made: the first ones are lost with the
//! connection, later ones are not. So each connection of the library is used once: what was queued
//! for it ends with it, and a new one is opened here.

mod append;
mod connection;
mod counters;
mod link;
mod log;
mod names;
mod opening;
mod pauses;
mod publishing;
mod reader;
mod settings;
mod snapshots;
mod stamps;
mod state;
mod subscription;

pub use append::{AppendError, Pending, Stored, Writer};
pub use connection::Connection;
pub use counters::{Counters, Traffic};
pub use log::{Log, LogError, LogOptions, LogState};
pub use names::{Name, NameError, Subject};
pub use opening::OpenError;
pub use publishing::PublishError;
pub use reader::{Entry, ReadError, Reader};
pub use settings::{Limits, Settings};
pub use snapshots::{Snapshot, SnapshotError, Snapshots};
pub use state::State;
pub use subscription::{Received, Subscription};
