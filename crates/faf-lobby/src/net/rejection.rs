//! Rejections of connections that have not logged in: the reasons, and the notices to the clients.

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

/// Most rejected clients that are sent the reason at the same time. Further ones are closed without
/// a notice, so that an attack cannot keep the server busy with notices.
pub(crate) const MAX_REJECTIONS: usize = 64;

/// How long a rejected client may take to read the reason and to close its side.
const REJECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes read from a rejected client until it closes its side: 64 KiB. With unread bytes, the
/// operating system would reset the connection, and the client could lose the notice.
const DRAIN_LIMIT_BYTES: u64 = 64 * 1024;

/// The reason a connection is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectReason {
    /// `connection_limit` is reached.
    ConnectionLimit,
    /// `unauthenticated_limit` is reached.
    UnauthenticatedLimit,
    /// `unauthenticated_limit_per_address` is reached.
    UnauthenticatedLimitPerAddress,
    /// The client had not tried to log in, and a new connection needed its place.
    MadeRoom,
    /// The server is a gateway, and out of touch with its cluster.
    OutOfTouch,
}

impl RejectReason {
    /// Returns the metric label, which is also logged.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::ConnectionLimit => "connection limit",
            Self::UnauthenticatedLimit => "unauthenticated limit",
            Self::UnauthenticatedLimitPerAddress => "unauthenticated limit per address",
            Self::MadeRoom => "made room",
            Self::OutOfTouch => "out of touch with the cluster",
        }
    }

    /// Returns the text for the player.
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
            Self::OutOfTouch => "The server is not ready. Please try again in a minute.",
        }
    }

    /// Returns the last bytes sent to a client that reads messages: a notice, and the close frame
    /// if the format has one.
    pub(crate) fn closing_notice(self, encoding: Encoding) -> Bytes {
        let notice = ServerMessage::Notice(Notice::new(NoticeStyle::Error, self.text()));
        let notice = encoding.encode(&notice).unwrap_or_default();
        [notice, encoding.format().close_frame(CloseCode::Policy, self.reason())].concat().into()
    }

    /// Returns the HTTP response for a WebSocket client, whose upgrade request is not read.
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

/// Sends rejected clients the reason.
#[derive(Debug, Clone)]
pub(crate) struct Rejections(Arc<Semaphore>);

impl Rejections {
    /// Serves at most this number of clients at the same time; see [`MAX_REJECTIONS`].
    pub(crate) fn new(clients: usize) -> Self {
        Self(Arc::new(Semaphore::new(clients)))
    }

    /// Rejects a client whose handshake has not begun.
    pub(crate) fn reject(&self, stream: TcpStream, format: WireFormat, why: RejectReason) {
        let bytes =
            if format.has_upgrade() { why.http_response() } else { why.closing_notice(format.into()) };
        self.send_last(stream, bytes);
    }

    /// Rejects a client after its handshake.
    pub(crate) fn close_with_notice(&self, stream: TcpStream, format: WireFormat, why: RejectReason) {
        self.send_last(stream, why.closing_notice(format.into()));
    }

    fn send_last(&self, mut stream: TcpStream, bytes: Bytes) {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _permit = permit;
            let sending = async {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                tokio::io::copy(&mut stream.take(DRAIN_LIMIT_BYTES), &mut tokio::io::sink()).await
            };
            // After the time limit, the connection is closed even if the client has not read
            // the notice.
            let _ = timeout(REJECTION_TIMEOUT, sending).await;
        });
    }
}
