//! [`WireFormat`]: the closed list of wire formats, with encoding and incremental decoding.

use std::fmt;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};

use crate::error::{DecodeError, EncodeError};
use crate::limits::Limits;
use crate::message::Message;
use crate::websocket::{self, Kind, Role};
use crate::{qdatastream, simple_json};

/// How messages become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireFormat {
    /// Length-prefixed UTF-16 over TCP, deprecated. See [`qdatastream`].
    QDataStream,
    /// One line of JSON a message over TCP. See [`simple_json`].
    SimpleJson,
    /// One line of JSON in a WebSocket message; what production uses. See [`websocket`].
    WebSocket,
}

impl WireFormat {
    /// All wire formats.
    pub const ALL: [Self; 3] = [Self::QDataStream, Self::SimpleJson, Self::WebSocket];

    /// Turns a message into bytes, as the server sends it: one complete frame.
    ///
    /// The bytes are the same for every receiver, so a broadcast is encoded once and shared. A client must mask what
    /// it sends over WebSocket: [`websocket::encode_masked`].
    ///
    /// # Errors
    /// [`EncodeError`] for a message that JSON or the frame's length field cannot express.
    pub fn encode(self, message: &(impl Encode + ?Sized)) -> Result<Bytes, EncodeError> {
        Encoding::from(self).encode(message)
    }

    /// The name in configuration, on command lines and in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QDataStream => "qdatastream",
            Self::SimpleJson => "simple-json",
            Self::WebSocket => "websocket",
        }
    }

    /// The value of the label `protocol` of the metric `server_messages_total`, as dashboards know it (ops.md
    /// section 5).
    #[must_use]
    pub fn metric_label(self) -> &'static str {
        match self {
            Self::QDataStream => "QDataStreamProtocol",
            Self::SimpleJson => "SimpleJsonProtocol",
            Self::WebSocket => "WebSocketProtocol",
        }
    }
}

/// The bytes that a server sends: they depend on the wire format, and in WebSocket on the kind of messages the client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Encoding {
    QDataStream,
    SimpleJson,
    WebSocketText,
    WebSocketBinary,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 4] =
        [Self::QDataStream, Self::SimpleJson, Self::WebSocketText, Self::WebSocketBinary];

    /// Turns a message into bytes; see [`WireFormat::encode`].
    ///
    /// # Errors
    /// As [`WireFormat::encode`].
    pub fn encode(self, message: &(impl Encode + ?Sized)) -> Result<Bytes, EncodeError> {
        match self {
            Self::QDataStream => qdatastream::encode(message),
            Self::SimpleJson => simple_json::encode(message),
            Self::WebSocketText => websocket::encode(message, Kind::Text),
            Self::WebSocketBinary => websocket::encode(message, Kind::Binary),
        }
    }

    /// The wire format whose bytes these are.
    #[must_use]
    pub fn format(self) -> WireFormat {
        match self {
            Self::QDataStream => WireFormat::QDataStream,
            Self::SimpleJson => WireFormat::SimpleJson,
            Self::WebSocketText | Self::WebSocketBinary => WireFormat::WebSocket,
        }
    }
}

impl From<WireFormat> for Encoding {
    /// In WebSocket, text.
    fn from(format: WireFormat) -> Self {
        match format {
            WireFormat::QDataStream => Self::QDataStream,
            WireFormat::SimpleJson => Self::SimpleJson,
            WireFormat::WebSocket => Self::WebSocketText,
        }
    }
}

impl fmt::Display for WireFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for WireFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            format!("unknown wire format `{name}`; known are qdatastream, simple-json and websocket")
        })
    }
}

/// What can be sent: a [`Message`], or one of the typed vocabulary.
pub trait Encode {
    /// Whether this is a `ping` or `pong`, for which QDataStream has words of its own.
    fn heartbeat(&self) -> Option<Heartbeat>;

    /// Whether this is a heartbeat without any further member, which has constant bytes in every format.
    fn is_only_heartbeat(&self) -> bool;

    /// Appends the message as compact ASCII JSON.
    ///
    /// # Errors
    /// [`EncodeError::NotRepresentable`] for a message that JSON cannot express.
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

/// The two messages that keep a connection alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Heartbeat {
    Ping,
    Pong,
}

impl Heartbeat {
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        match text {
            r#"{"command":"ping"}"# => Some(Self::Ping),
            r#"{"command":"pong"}"# => Some(Self::Pong),
            _ => None,
        }
    }
}

/// What a decoder found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A message.
    Message(Message),
    /// A control frame; only WebSocket has them.
    Control(websocket::Control),
}

/// Turns the bytes of one direction of a connection into messages, however they are cut into pieces.
///
/// ```
/// use bytes::BytesMut;
/// use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat};
///
/// let mut decoder = Decoder::new(WireFormat::SimpleJson, Limits::default());
/// let mut buffer = BytesMut::from("{\"command\": \"pi");
/// assert_eq!(decoder.decode(&mut buffer), Ok(None));
/// buffer.extend_from_slice(b"ng\"}\n");
/// assert_eq!(decoder.decode(&mut buffer), Ok(Some(Decoded::Message(Message::PING))));
/// assert_eq!(decoder.finish(&mut buffer), Ok(None));
/// ```
#[derive(Debug)]
pub struct Decoder {
    format: State,
    limits: Limits,
    /// Bytes of all messages already decoded.
    consumed: u64,
    /// Bytes taken behind those, of a message that comes in pieces or holds several lines.
    begun: u64,
}

/// A message that has not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// What is kept of it, framing included, in bytes: in the buffer and in the decoder.
    pub received: usize,
    /// The most that will be kept of it, in bytes: what it has announced, or what the limits allow.
    pub at_most: usize,
}

#[derive(Debug)]
enum State {
    QDataStream,
    SimpleJson(simple_json::LineSearch),
    WebSocket(Box<websocket::FrameReader>),
}

impl Decoder {
    /// A decoder for what a client sends to a server.
    #[must_use]
    pub fn new(format: WireFormat, limits: Limits) -> Self {
        Self::for_role(format, Role::Server, limits)
    }

    /// A decoder for what the peer of `role` sends; only WebSocket makes a difference (masking).
    #[must_use]
    pub fn for_role(format: WireFormat, role: Role, limits: Limits) -> Self {
        let format = match format {
            WireFormat::QDataStream => State::QDataStream,
            WireFormat::SimpleJson => State::SimpleJson(simple_json::LineSearch::default()),
            WireFormat::WebSocket => State::WebSocket(Box::new(websocket::FrameReader::new(role))),
        };
        Self { format, limits, consumed: 0, begun: 0 }
    }

    /// Sets how large messages may be from the next call of [`decode`](Self::decode) on; see [`Limits::message`].
    ///
    /// A higher limit also holds for a message that is under way, and even for one that has been refused as
    /// [`DecodeError::TooLarge`]: nothing of it is used up, so that it can be decoded again.
    pub fn set_message_limit(&mut self, bytes: usize) {
        self.limits.message = bytes;
    }

    /// Takes the next message from the front of `buffer`, if all of it is there.
    ///
    /// Call it again until it answers `Ok(None)`, then add more bytes. Nothing is allocated for a message before its
    /// length is checked against the limits. After an error the stream is not to be read any further, unless the message
    /// was too large and [the limit is raised](Self::set_message_limit).
    ///
    /// # Errors
    /// Every [`DecodeError`] but [`DecodeError::Incomplete`].
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, DecodeError> {
        let before = buffer.len();
        let decoded = match &mut self.format {
            State::QDataStream => qdatastream::decode(buffer, &self.limits)?.map(Decoded::Message),
            State::SimpleJson(search) => search.decode(buffer, &self.limits)?.map(Decoded::Message),
            State::WebSocket(reader) => reader.decode(buffer, &self.limits)?,
        };
        self.begun += (before - buffer.len()) as u64;
        if self.is_between_messages() {
            self.consumed += std::mem::take(&mut self.begun);
        }
        Ok(decoded)
    }

    /// What is kept after [`decode`](Self::decode) has answered `Ok(None)`, and how much it may become.
    ///
    /// Between messages, what is kept are lines of a WebSocket message that were not asked for yet. A WebSocket message that does
    /// not end its line may become larger than it has announced; that is known when it is there.
    #[must_use]
    pub fn unfinished(&self, buffer: &BytesMut) -> Unfinished {
        let (kept, at_most) = match &self.format {
            State::QDataStream => (0, qdatastream::at_most(buffer, &self.limits)),
            State::SimpleJson(_) => (0, self.limits.message_in_force() + 1),
            State::WebSocket(reader) => (reader.kept(), reader.at_most(buffer, &self.limits)),
        };
        let received = kept + buffer.len();
        Unfinished { received, at_most: at_most.max(received) }
    }

    /// How many bytes were taken from buffers so far, those included of a message that is not complete.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.consumed + self.begun
    }

    /// Whether the peer has sent a WebSocket message that was binary, and so wants to be answered.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        match &self.format {
            State::QDataStream | State::SimpleJson(_) => false,
            State::WebSocket(reader) => reader.is_binary(),
        }
    }

    /// Gives memory back that is not needed for what is kept.
    pub fn shrink(&mut self) {
        if let State::WebSocket(reader) = &mut self.format {
            reader.shrink();
        }
    }

    /// Says what the end of the stream means: a last message, a clean end (`None`), or an end inside a message.
    ///
    /// # Errors
    /// [`DecodeError::Incomplete`], and [`DecodeError::Malformed`] where what is left could not have become a message.
    pub fn finish(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, DecodeError> {
        let left = buffer.len();
        let decoded = match &mut self.format {
            State::QDataStream => qdatastream::finish(buffer).map(|()| None),
            State::SimpleJson(search) => {
                search.finish(buffer, &self.limits).map(|last| last.map(Decoded::Message))
            }
            State::WebSocket(reader) => reader.finish(buffer, &self.limits),
        }?;
        self.consumed += std::mem::take(&mut self.begun) + left as u64;
        buffer.clear();
        Ok(decoded)
    }

    /// How many bytes of the stream have been used up by complete messages. The offset of an error counts from here.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether the decoder keeps anything between calls besides what is in the buffer.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        match &self.format {
            State::QDataStream | State::SimpleJson(_) => true,
            State::WebSocket(reader) => reader.is_between_messages(),
        }
    }
}
