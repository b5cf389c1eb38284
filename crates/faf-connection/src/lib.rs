//! One connection of the lobby protocol, over any byte stream and over WebSocket.
//!
//! ```text
//!   peer ==== bytes ====> Reader ---> Message                     read
//!                            | answers pings and close frames
//!   peer <=== bytes ===== outbox <--- Writer, Writer, ...         send, write, drain, close, abort
//!                         bounded in bytes, one vectored write for everything that waits
//! ```
//!
//! There is no type `Connection`: one task reads, and many write, so that a connection is a
//! [`Reader`] and a [`Writer`], which [`open`] makes of a stream. The reader belongs to one task;
//! it holds no memory while its peer is idle, and the connection ends when it is dropped. Writers
//! are cheap copies of one handle and may be used from anywhere. The bytes leave in the order of
//! the calls.
//!
//! | operation | waits for the peer | here |
//! | --- | --- | --- |
//! | read | until one whole message is there | [`Reader::read`] |
//! | send one, many, raw | until handed to the operating system | [`Writer::send`], [`Writer::send_many`], [`Writer::send_raw`] |
//! | write one, many, raw | never | [`Writer::write`], [`Writer::write_many`], [`Writer::write_raw`] |
//! | hand over | never; bytes that are taken at once do not wait | [`Writer::try_write`] |
//! | drain | until nothing waits; callers take turns | [`Writer::drain`] |
//! | wait for room | until little waits | [`Writer::wait_for_room`] |
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
//! Modules of their own are for the time before the first message: [`proxy`] headers, the
//! [`upgrade`] to WebSocket with the address that is [`forwarded`], and the options of [`tcp`]
//! sockets. Time limits are counted by [`running_time`].

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
pub use large_messages::{FREE, LargeMessages, Late, PATIENCE, SMALL, WINDOW};
pub use outbox::OUTBOX_LIMIT;
pub use reader::Reader;
pub use settings::{SentMessages, Settings, Share};
#[cfg(feature = "stream")]
pub use stream::MessageSink;
pub use writer::Writer;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use halves::{ReadHalf, WriteHalf};

/// Makes a connection of a stream.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn open(stream: impl AsyncRead + AsyncWrite + Send + 'static, settings: Settings) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(stream);
    open_halves(ReadHalf::Other(Box::new(read)), WriteHalf::Other(Box::new(write)), settings)
}

/// Makes a connection of a TCP stream, which is cheaper than [`open`].
///
/// # Panics
/// Outside of a tokio runtime.
pub fn open_tcp(stream: TcpStream, settings: Settings) -> (Reader, Writer) {
    let (read, write) = stream.into_split();
    open_halves(ReadHalf::Tcp(read), WriteHalf::Tcp(write), settings)
}

fn open_halves(read: ReadHalf, write: WriteHalf, settings: Settings) -> (Reader, Writer) {
    let writer = Writer::new(write, &settings);
    (Reader::new(read, writer.clone(), settings), writer)
}
