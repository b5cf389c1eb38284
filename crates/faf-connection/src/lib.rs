//! One connection of the lobby protocol, over any byte stream and over WebSocket.
//!
//! ```text
//!   peer ==== bytes ====> Reader ---> Message                     read
//!                            | answers pings and close frames
//!   peer <=== bytes ===== outbox <--- Writer, Writer, ...         send, write, drain, close, abort
//!                         bounded in bytes, one vectored write for everything that waits
//! ```
//!
//! There is no type `Connection`: one task reads and many write, so a connection is a [`Reader`]
//! and a [`Writer`], which [`open`] creates from a stream. The reader belongs to one task. It holds
//! no memory while its peer is idle, and dropping it ends the connection. Writers are cheap copies
//! of one handle and may be used from anywhere. Bytes are sent in the order of the calls.
//!
//! | operation | waits for the peer | here |
//! | --- | --- | --- |
//! | read | until one whole message is there | [`Reader::read`] |
//! | send | until the operating system has taken it | [`Writer::send`] |
//! | send many, raw | as send | [`Writer::send_many`], [`Writer::send_raw`] |
//! | write | never | [`Writer::write`] |
//! | write many, raw | never | [`Writer::write_many`], [`Writer::write_raw`] |
//! | try to write | never; queues only what the socket does not take | [`Writer::try_write`] |
//! | drain | until nothing waits; callers take turns | [`Writer::drain`] |
//! | wait for room | until few bytes wait | [`Writer::wait_for_room`] |
//! | is connected | never | [`Writer::is_connected`] |
//! | close | until all is flushed and the end is sent; never fails | [`Writer::close`] |
//! | abort | never; waiting messages are lost | [`Writer::abort`] |
//!
//! ```
//! use faf_connection::{Settings, open};
//! use faf_protocol::{Message, WireFormat};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let (here, there) = tokio::io::duplex(1024);
//! let (_reader, writer) = open(here, Settings::new(WireFormat::SimpleJson));
//! let (mut reader, _writer) = open(there, Settings::new(WireFormat::SimpleJson));
//! writer.send(&Message::PING).await?;
//! assert_eq!(reader.read().await?, Message::PING);
//! # Ok::<(), faf_connection::Error>(())
//! # }).unwrap();
//! ```
//!
//! With the feature `stream`, the reader is a `Stream` and the writer can become a `Sink`.
//!
//! Separate modules are for the time before the first message: [`proxy`] headers, the [`upgrade`]
//! to WebSocket, the [`forwarded`] address in it, and the options of [`tcp`] sockets.
//! [`running_time`] measures time limits.

mod error;
pub mod forwarded;
mod halves;
mod large_messages;
mod outbox;
pub mod proxy;
mod reader;
pub mod running_time;
mod settings;
#[cfg(feature = "stream")]
mod stream;
pub mod tcp;
pub mod upgrade;
mod writer;

pub use error::{Disconnected, Error, Incomplete, OutboxFull};
pub use large_messages::{
    LATE_WINDOWS, LargeMessages, Late, RATE_WINDOW, SMALL_MESSAGE_BYTES, UNSHARED_MESSAGE_BYTES,
};
pub use outbox::OUTBOX_LIMIT;
pub use reader::Reader;
pub use settings::{SentMessages, Settings, Share};
#[cfg(feature = "stream")]
pub use stream::MessageSink;
pub use writer::Writer;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use halves::{ReadHalf, WriteHalf};

/// Creates a connection from a stream.
///
/// # Panics
/// Outside a tokio runtime.
pub fn open(stream: impl AsyncRead + AsyncWrite + Send + 'static, settings: Settings) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(stream);
    open_halves(ReadHalf::Other(Box::new(read)), WriteHalf::Other(Box::new(write)), settings)
}

/// Creates a connection from a TCP stream, which is cheaper than [`open`].
///
/// # Panics
/// Outside a tokio runtime.
pub fn open_tcp(stream: TcpStream, settings: Settings) -> (Reader, Writer) {
    let (read, write) = stream.into_split();
    open_halves(ReadHalf::Tcp(read), WriteHalf::Tcp(write), settings)
}

fn open_halves(read: ReadHalf, write: WriteHalf, settings: Settings) -> (Reader, Writer) {
    let writer = Writer::new(write, &settings);
    (Reader::new(read, writer.clone(), settings), writer)
}
