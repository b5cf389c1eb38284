//! Recordings of an evening: what every connection sent and received, with the time, as
//! `faf-wire tap` writes it down.
//!
//! A recording is a folder of files, or one file. Unlike a [transcript](crate::transcript), it can
//! be of any length, and nothing says when everything has been received.
//!
//! * [`mod@format`] is the definition of the format.
//! * [`Reader`] reads a recording that is complete, or follows one that is being written.
//! * [`FileWriter`] writes a file, with a [`Compress`] of the caller.

pub mod folder;
pub mod format;
mod frames;
mod open_conns;
mod reader;
mod writer;

use std::net::IpAddr;
use std::time::Duration;

use faf_protocol::{Message, WireFormat};

pub use reader::{Ending, ReadError, Reader};
pub use writer::{Compress, FRAME_BYTES, FRAME_TIME, FileWriter};

/// Number of a connection in a recording, from 1 in the order of their beginnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordedConn(pub u64);

/// One entry of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Time since the recording began, by a clock that never jumps. Entries are in this order.
    pub at: Duration,
    /// The event itself.
    pub entry: Entry,
}

/// Something that happened on a connection, or to the recording.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Entry {
    /// A client has connected.
    Opened {
        /// The connection.
        conn: RecordedConn,
        /// Wire format of the connection.
        format: WireFormat,
        /// Address of the client, if the recording keeps addresses.
        address: Option<IpAddr>,
    },
    /// The client has sent a message.
    FromClient {
        /// The connection.
        conn: RecordedConn,
        /// The message, in which digests take the place of secrets.
        message: Message,
    },
    /// The client has sent bytes that are no message.
    BytesFromClient {
        /// The connection.
        conn: RecordedConn,
        /// The bytes; of many, the first ones.
        bytes: Vec<u8>,
    },
    /// The server has sent a message.
    FromServer {
        /// The connection.
        conn: RecordedConn,
        /// The message.
        message: Message,
    },
    /// The connection has ended.
    Closed {
        /// The connection.
        conn: RecordedConn,
        /// The side that has ended it.
        by: Side,
    },
    /// Entries of a connection are missing from here on, because the disk was too slow or full.
    /// Nothing more of this connection follows but its end.
    Incomplete {
        /// The connection.
        conn: RecordedConn,
    },
    /// The time of day, in microseconds since 1970: at the beginning, and from time to time.
    Clock {
        /// The time.
        utc: i64,
    },
}

/// One side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}
