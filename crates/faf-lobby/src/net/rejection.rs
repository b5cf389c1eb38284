//! Who is turned away before anybody has logged in: what is counted, and what the client is told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use faf_connection::running_time::timeout;
use faf_protocol::server_message::{Notice, NoticeStyle};
use faf_protocol::websocket::CloseCode;
use faf_protocol::{Encoding, ServerMessage, WireFormat};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Clients that are told at the same time that they are turned away. Further ones are dropped without a word: explaining
/// must not become the work that an attack makes.
pub(crate) const MAX_REJECTIONS: usize = 64;

/// How long a client may take to read why, and to end its side.
const REJECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that are taken from a client until it ends its side, so that its end is noticed and the bytes reach it: 64 KiB.
const DRAIN_LIMIT_BYTES: u64 = 64 * 1024;

/// Why a connection is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectReason {
    /// There are as many connections as there may be.
    ConnectionLimit,
    /// There are as many without a login as there may be.
    UnauthenticatedLimit,
    /// The same for one address.
    UnauthenticatedLimitPerAddress,
    /// It was ended, as it had not tried to log in, when another one came.
    MadeRoom,
}

impl RejectReason {
    /// As it is counted and logged.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::ConnectionLimit => "connection limit",
            Self::UnauthenticatedLimit => "unauthenticated limit",
            Self::UnauthenticatedLimitPerAddress => "unauthenticated limit per address",
            Self::MadeRoom => "made room",
        }
    }

    /// What a player reads.
    fn text(self) -> &'static str {
        match self {
            Self::ConnectionLimit => "The server is full. Please try again in a few minutes.",
            Self::UnauthenticatedLimit => {
                "Too many people are logging in right now. Please try again in a minute."
            }
            Self::UnauthenticatedLimitPerAddress => {
                "Too many connections from your address are waiting to log in. Please close other clients that try \
                 to connect, and try again in a minute."
            }
            Self::MadeRoom => {
                "Your client has connected without logging in, and others want to. Please try again in a minute."
            }
        }
    }

    /// The last thing that is sent, as a notice in this encoding and with the end that the format has.
    pub(crate) fn closing_notice(self, encoding: Encoding) -> Bytes {
        let notice = ServerMessage::Notice(Notice::new(NoticeStyle::Error, self.text()));
        let notice = encoding.encode(&notice).unwrap_or_default();
        [notice, encoding.format().close_frame(CloseCode::Policy, self.reason())].concat().into()
    }

    /// The answer to an upgrade to WebSocket that is not looked at.
    fn http_response(self) -> Bytes {
        let text = self.text();
        format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nRetry-After: 60\r\n\
             Connection: close\r\n\r\n{text}\n",
            text.len() + 1
        )
        .into()
    }
}

/// Tells clients that they are turned away.
#[derive(Debug, Clone)]
pub(crate) struct Rejections(Arc<Semaphore>);

impl Rejections {
    /// For so many clients at the same time; see [`MAX_REJECTIONS`].
    pub(crate) fn new(clients: usize) -> Self {
        Self(Arc::new(Semaphore::new(clients)))
    }

    /// Turns away a client that has just connected.
    pub(crate) fn reject(&self, stream: TcpStream, format: WireFormat, why: RejectReason) {
        let bytes =
            if format.has_upgrade() { why.http_response() } else { why.closing_notice(format.into()) };
        self.send_last(stream, bytes);
    }

    /// Says closing_notice to a client that can read messages already.
    pub(crate) fn close_with_notice(&self, stream: TcpStream, format: WireFormat, why: RejectReason) {
        self.send_last(stream, why.closing_notice(format.into()));
    }

    fn send_last(&self, mut stream: TcpStream, bytes: Bytes) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _place = place;
            let sending = async {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                // What is left unread would take the bytes back that the client has not read yet.
                tokio::io::copy(&mut stream.take(DRAIN_LIMIT_BYTES), &mut tokio::io::sink()).await
            };
            // Whoever does not listen has been told as well as it can be.
            let _ = timeout(REJECTION_TIMEOUT, sending).await;
        });
    }
}
