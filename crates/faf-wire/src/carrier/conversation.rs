//! One connection, as it looks from its bytes.
//!
//! ```text
//!  bytes of a client:  [PROXY header]  [HTTP request]   messages ...
//!  bytes of a server:                  [HTTP response]  messages ...
//!                       if there is one  WebSocket only
//! ```

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use faf_connection::proxy::{self, ProxyError};
use faf_protocol::websocket::{Control, Role};
use faf_protocol::{Decoded, Decoder, Limits, WireFormat};
use faf_sessions::recording::{RecordedConn, Side};

use super::queue::Interest;
use super::watcher::Observer;

/// Longest head of an HTTP request or response: 64 KiB, more than any server accepts.
const HEAD_LIMIT: usize = 64 * 1024;

/// Bytes of a malformed message that are shown: 4 KiB.
const MALFORMED_BYTES: usize = 4 * 1024;

/// A connection whose messages are decoded.
pub(super) struct Conversation {
    conn: RecordedConn,
    format: WireFormat,
    client: Stream,
    server: Stream,
    interest: Arc<Interest>,
}

/// The bytes of one side.
struct Stream {
    phase: Phase,
    /// Bytes that are not decoded yet.
    buffer: BytesMut,
    /// Bytes kept of an unfinished message.
    unfinished: usize,
}

enum Phase {
    /// There may be a PROXY header.
    Beginning,
    /// The head of an HTTP request or response.
    Head,
    Messages(Decoder),
    /// Nothing more is decoded.
    Over,
}

impl Conversation {
    pub(super) fn new(conn: RecordedConn, format: WireFormat, interest: Arc<Interest>) -> Self {
        let client = Stream::new(Phase::Beginning);
        let server = Stream::new(Phase::after_beginning(format, Side::Server));
        Self { conn, format, client, server, interest }
    }

    /// Returns the number of bytes that are kept.
    pub(super) fn unfinished(&self) -> usize {
        self.client.unfinished + self.server.unfinished
    }

    /// Takes bytes that a side has sent.
    pub(super) fn take(&mut self, at: Duration, side: Side, bytes: &[u8], observer: &mut dyn Observer) {
        let stream = self.stream(side);
        if let Phase::Over = stream.phase {
            return;
        }
        stream.buffer.extend_from_slice(bytes);
        self.decode(at, side, observer);
        // The first frames of a client may have come before the server's response.
        if side == Side::Server && !self.client.buffer.is_empty() {
            self.decode(at, Side::Client, observer);
        }
    }

    /// A side has sent its last byte.
    pub(super) fn end(&mut self, at: Duration, side: Side, observer: &mut dyn Observer) {
        let conn = self.conn;
        let is_upgraded = !self.awaits_upgrade();
        let Stream { phase, buffer, .. } = self.stream(side);
        if let Phase::Messages(decoder) = phase
            && is_upgraded
        {
            let bytes = buffer.clone();
            match decoder.finish(buffer) {
                Ok(Some(Decoded::Message(message))) => observer.message(at, conn, side, message),
                Ok(_) => {}
                Err(error) => observer.malformed(at, conn, side, shown(&bytes), &error),
            }
        }
        self.stop(side);
    }

    /// Messages are missing from here on.
    pub(super) fn lose(&mut self, at: Duration, observer: &mut dyn Observer) {
        self.stop(Side::Client);
        self.stop(Side::Server);
        observer.incomplete(at, self.conn);
    }

    fn stream(&mut self, side: Side) -> &mut Stream {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Decodes nothing more of a side, and wants no more copies.
    fn stop(&mut self, side: Side) {
        *self.stream(side) = Stream::new(Phase::Over);
        self.interest.lose(side);
    }

    fn awaits_upgrade(&self) -> bool {
        matches!(self.server.phase, Phase::Head)
    }

    /// Decodes as much as has come of a side.
    fn decode(&mut self, at: Duration, side: Side, observer: &mut dyn Observer) {
        let (conn, format, awaits_upgrade) = (self.conn, self.format, self.awaits_upgrade());
        let stream = self.stream(side);
        let Stream { phase, buffer, unfinished } = stream;
        loop {
            match phase {
                Phase::Beginning => match proxy_header(buffer) {
                    Poll::Ready(length) => {
                        buffer.advance(length);
                        *phase = Phase::after_beginning(format, side);
                    }
                    Poll::Pending => break,
                },
                Phase::Head => match end_of_head(buffer) {
                    Some(end) if side == Side::Client || buffer.starts_with(b"HTTP/1.1 101 ") => {
                        buffer.advance(end);
                        *phase = Phase::Messages(decoder(format, side));
                    }
                    None if buffer.len() <= HEAD_LIMIT => break,
                    // The server has refused the upgrade, or this is not HTTP.
                    _ => {
                        self.stop(Side::Client);
                        self.stop(Side::Server);
                        return;
                    }
                },
                // Before the upgrade, the server does not take them as messages.
                Phase::Messages(_) if side == Side::Client && awaits_upgrade => break,
                Phase::Messages(decoder) => match decoder.decode(buffer) {
                    Ok(Some(Decoded::Message(message))) => observer.message(at, conn, side, message),
                    Ok(Some(Decoded::Control(Control::Close { .. }))) => return self.stop(side),
                    Ok(Some(Decoded::Control(_))) => {}
                    Ok(None) => {
                        *unfinished = decoder.unfinished(buffer).received;
                        // An idle connection keeps no memory for bytes.
                        if buffer.is_empty() {
                            *buffer = BytesMut::new();
                        }
                        return;
                    }
                    Err(error) => {
                        observer.malformed(at, conn, side, shown(buffer), &error);
                        return self.stop(side);
                    }
                },
                Phase::Over => return,
            }
        }
        *unfinished = buffer.len();
    }
}

impl Stream {
    fn new(phase: Phase) -> Self {
        Self { phase, buffer: BytesMut::new(), unfinished: 0 }
    }
}

impl Phase {
    fn after_beginning(format: WireFormat, side: Side) -> Self {
        match format.has_upgrade() {
            true => Self::Head,
            false => Self::Messages(decoder(format, side)),
        }
    }
}

/// Creates a decoder for the bytes of a side, as its peer would read them.
fn decoder(format: WireFormat, side: Side) -> Decoder {
    let reader = match side {
        Side::Client => Role::Server,
        Side::Server => Role::Client,
    };
    Decoder::for_role(format, reader, Limits::default())
}

fn shown(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(MALFORMED_BYTES)]
}

/// Returns the length of the PROXY header at the beginning of a connection, 0 if there is none.
fn proxy_header(bytes: &[u8]) -> Poll<usize> {
    const SIGNATURES: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

    let may_be = |signature: &&[u8]| {
        let length = signature.len().min(bytes.len());
        signature[..length] == bytes[..length]
    };
    if bytes.is_empty() || !SIGNATURES.iter().any(may_be) {
        return if bytes.is_empty() { Poll::Pending } else { Poll::Ready(0) };
    }
    let mut rest = bytes;
    // Bytes in memory are there at once, so that nothing has to wait for them.
    let read = pin!(proxy::read_header(&mut rest)).poll(&mut Context::from_waker(Waker::noop()));
    match read {
        Poll::Ready(Ok(_)) => Poll::Ready(bytes.len() - rest.len()),
        Poll::Ready(Err(ProxyError::Io(error))) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Poll::Pending
        }
        // The server will refuse it.
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(0),
    }
}

/// Returns the position after the head of an HTTP request or response.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|found| found + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_header_is_no_message() {
        let ping = b"{\"command\":\"ping\"}\n";
        assert_eq!(proxy_header(b""), Poll::Pending);
        assert_eq!(proxy_header(ping), Poll::Ready(0));
        let header = b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 8002\r\n";
        let all = [&header[..], ping].concat();
        for length in 1..all.len() {
            let expected = if length < header.len() { Poll::Pending } else { Poll::Ready(header.len()) };
            assert_eq!(proxy_header(&all[..length]), expected, "{length}");
        }
        assert_eq!(proxy_header(b"PROXY nonsense\r\n"), Poll::Ready(0));
        assert_eq!(proxy_header(b"POST / HTTP/1.1"), Poll::Ready(0));
    }
}
