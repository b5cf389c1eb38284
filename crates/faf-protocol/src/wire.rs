//! [`WireFormat`]: the closed list of wire formats, with encoding and incremental decoding.
//!
//! A format is a file with its [`Properties`], its functions to encode and its `StreamDecoder`.
//! Here it is a variant of [`WireFormat`], of [`Encoding`] and of `State`, and a row in their
//! methods.

use std::fmt;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};

use crate::error::{DecodeError, EncodeError};
use crate::limits::Limits;
use crate::message::Message;
use crate::websocket::{self, CloseCode, Control, Kind, Role};
use crate::{qdatastream, simple_json};

/// The encoding of messages on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireFormat {
    /// Length-prefixed UTF-16 over TCP, deprecated. See [`qdatastream`].
    QDataStream,
    /// One line of JSON per message over TCP. See [`simple_json`].
    SimpleJson,
    /// One line of JSON in a WebSocket message; production uses it. See [`websocket`].
    WebSocket,
}

/// All properties of a wire format except its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// The name in configuration, on command lines and in logs.
    pub name: &'static str,
    /// The value of the label `protocol` of the metric `server_messages_total`, as dashboards know
    /// it (ops.md section 5).
    pub metric_label: &'static str,
    /// Scheme of its URLs.
    pub scheme: Scheme,
    /// Scheme of its URLs over TLS; `None` for a format that clients do not use over TLS.
    pub tls_scheme: Option<Scheme>,
    /// Encoding of a server for a peer about which it knows nothing else.
    pub encoding: Encoding,
    /// Encoding of a server for a peer that has sent a binary message.
    pub binary_encoding: Encoding,
    /// Whether an HTTP upgrade comes before the first message, URLs have a path, and control frames
    /// may come between messages. A close frame is then the last frame of either side.
    pub has_upgrade: bool,
}

/// The scheme of a URL, and its default port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// Name of the scheme, without `://`.
    pub name: &'static str,
    /// Port of a URL without one.
    pub default_port: u16,
}

impl WireFormat {
    /// All wire formats.
    pub const ALL: [Self; 3] = [Self::QDataStream, Self::SimpleJson, Self::WebSocket];

    /// Returns the properties of this format except its bytes.
    #[must_use]
    pub const fn properties(self) -> &'static Properties {
        match self {
            Self::QDataStream => &qdatastream::PROPERTIES,
            Self::SimpleJson => &simple_json::PROPERTIES,
            Self::WebSocket => &websocket::PROPERTIES,
        }
    }

    /// Returns the name in configuration, on command lines and in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.properties().name
    }

    /// Returns the scheme of its URLs without TLS, without `://`.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        self.properties().scheme.name
    }

    /// Returns whether an HTTP upgrade comes before the first message; see
    /// [`Properties::has_upgrade`].
    #[must_use]
    pub const fn has_upgrade(self) -> bool {
        self.properties().has_upgrade
    }

    /// Encodes a message as the server sends it: one complete frame.
    ///
    /// The bytes are the same for every receiver, so a broadcast is encoded once and shared. A
    /// client must mask its frames over WebSocket: [`encode_as`](Self::encode_as).
    ///
    /// # Errors
    /// [`EncodeError`] for a message that JSON or the frame's length field cannot express.
    pub fn encode(self, message: &(impl Encode + ?Sized)) -> Result<Bytes, EncodeError> {
        self.properties().encoding.encode(message)
    }

    /// Encodes a message as this side of a connection sends it. `mask` makes a new random mask;
    /// only a client's frames need one, and only over WebSocket.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_as(
        self,
        role: Role,
        message: &(impl Encode + ?Sized),
        mask: impl FnOnce() -> [u8; 4],
    ) -> Result<Bytes, EncodeError> {
        match (self, role) {
            (Self::WebSocket, Role::Client) => websocket::encode_masked(message, mask()),
            _ => self.encode(message),
        }
    }

    /// Returns the last frame of a server that ends a connection; empty in a format without
    /// close frames.
    #[must_use]
    pub fn close_frame(self, code: CloseCode, reason: &str) -> Bytes {
        match self.has_upgrade() {
            true => Control::close(code, reason).encode(None),
            false => Bytes::new(),
        }
    }
}

/// The bytes that a server sends depend on the wire format, and over WebSocket on whether the
/// client sends text or binary messages.
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

    /// Encodes a message; see [`WireFormat::encode`].
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

    /// Returns the wire format of these bytes.
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
    /// Returns text over WebSocket.
    fn from(format: WireFormat) -> Self {
        format.properties().encoding
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
            let [others @ .., last] = Self::ALL.map(Self::name);
            format!("unknown wire format `{name}`; known are {} and {last}", others.join(", "))
        })
    }
}

/// A message that can be sent: a [`Message`], or a typed one.
pub trait Encode {
    /// Returns the heartbeat of a `ping` or `pong`, for which QDataStream has words of its own.
    fn heartbeat(&self) -> Option<Heartbeat>;

    /// Returns whether this is a heartbeat without any further member, which has constant bytes in
    /// every format.
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

/// A message or a control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A message of the protocol.
    Message(Message),
    /// A control frame; only WebSocket has them.
    Control(Control),
}

/// Decodes the bytes of one direction of a connection into messages, however they are split
/// into pieces.
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
    state: State,
    limits: Limits,
    /// Number of bytes of all messages decoded so far.
    consumed: u64,
    /// Number of bytes taken after those, of a message that comes in pieces or contains
    /// several lines.
    begun: u64,
}

/// A message whose end has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// Number of bytes kept of it in the buffer and in the decoder, framing included.
    pub received: usize,
    /// Maximum number of bytes that will be kept of it: the announced size, or the limit.
    pub at_most: usize,
}

/// Takes the messages of one direction of a connection from its bytes. Each format has
/// an implementation.
pub(crate) trait StreamDecoder {
    /// Takes the next message from the front of `buffer`, if all of it has arrived.
    fn decode(&mut self, buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Decoded>, DecodeError>;

    /// Interprets the end of the stream.
    fn finish(&mut self, buffer: &BytesMut, limits: &Limits) -> Result<Option<Decoded>, DecodeError>;

    /// Returns the maximum number of bytes that will be kept of the unfinished message, here and in
    /// the buffer.
    fn at_most(&self, buffer: &BytesMut, limits: &Limits) -> usize;

    /// Returns the number of bytes that are kept here, and not in the buffer.
    fn kept(&self) -> usize {
        0
    }

    /// Returns whether nothing is kept here.
    fn is_between_messages(&self) -> bool {
        true
    }

    /// Returns whether the peer has sent a binary message.
    fn is_binary(&self) -> bool {
        false
    }

    /// Releases memory that is not needed for the kept bytes.
    fn shrink(&mut self) {}
}

#[derive(Debug)]
enum State {
    QDataStream(qdatastream::BlockReader),
    SimpleJson(simple_json::LineSearch),
    WebSocket(Box<websocket::FrameReader>),
}

impl State {
    fn new(format: WireFormat, role: Role) -> Self {
        match format {
            WireFormat::QDataStream => Self::QDataStream(qdatastream::BlockReader),
            WireFormat::SimpleJson => Self::SimpleJson(simple_json::LineSearch::default()),
            WireFormat::WebSocket => Self::WebSocket(Box::new(websocket::FrameReader::new(role))),
        }
    }
}

/// Applies the same expression to each format's decoder.
macro_rules! each {
    ($state:expr, $decoder:ident => $result:expr) => {
        match $state {
            State::QDataStream($decoder) => $result,
            State::SimpleJson($decoder) => $result,
            State::WebSocket($decoder) => $result,
        }
    };
}

impl Decoder {
    /// Creates a decoder for the bytes that a client sends to a server.
    #[must_use]
    pub fn new(format: WireFormat, limits: Limits) -> Self {
        Self::for_role(format, Role::Server, limits)
    }

    /// Creates a decoder for the bytes that the peer of `role` sends; only WebSocket makes a
    /// difference (masking).
    #[must_use]
    pub fn for_role(format: WireFormat, role: Role, limits: Limits) -> Self {
        Self { state: State::new(format, role), limits, consumed: 0, begun: 0 }
    }

    /// Sets the largest size of messages, for the next call of [`decode`](Self::decode) and later
    /// ones; see [`Limits::message`].
    ///
    /// A higher limit also applies to a message that is incomplete, and even to one that was
    /// refused as [`DecodeError::TooLarge`]: none of its bytes were taken, so it can be
    /// decoded again.
    pub fn set_message_limit(&mut self, bytes: usize) {
        self.limits.message = bytes;
    }

    /// Takes the next message from the front of `buffer`, if all of it has arrived.
    ///
    /// Call it again until it returns `Ok(None)`, then add more bytes. Nothing is allocated for a
    /// message before its length is checked against the limits. After an error the stream must not
    /// be read any further, unless the message was too large and [the limit is
    /// raised](Self::set_message_limit).
    ///
    /// # Errors
    /// Every [`DecodeError`] except [`DecodeError::Incomplete`].
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, DecodeError> {
        let before = buffer.len();
        let decoded = each!(&mut self.state, decoder => decoder.decode(buffer, &self.limits))?;
        self.begun += (before - buffer.len()) as u64;
        if self.is_between_messages() {
            self.consumed += std::mem::take(&mut self.begun);
        }
        Ok(decoded)
    }

    /// Returns how much is kept after [`decode`](Self::decode) has returned `Ok(None)`, and how
    /// large that may become.
    ///
    /// Between messages, the kept bytes are lines of a WebSocket message that were not taken yet. A
    /// WebSocket message that does not end its line may become larger than it has announced, which
    /// is only known once it has arrived.
    #[must_use]
    pub fn unfinished(&self, buffer: &BytesMut) -> Unfinished {
        let (kept, at_most) =
            each!(&self.state, decoder => (decoder.kept(), decoder.at_most(buffer, &self.limits)));
        let received = kept + buffer.len();
        Unfinished { received, at_most: at_most.max(received) }
    }

    /// Returns the number of bytes taken from buffers so far, including those of an
    /// incomplete message.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.consumed + self.begun
    }

    /// Returns whether the peer has sent a binary WebSocket message, and so expects
    /// binary messages.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        each!(&self.state, decoder => decoder.is_binary())
    }

    /// Releases memory that is not needed for the kept bytes.
    pub fn shrink(&mut self) {
        each!(&mut self.state, decoder => decoder.shrink());
    }

    /// Interprets the end of the stream: a last message, a clean end (`None`), or an end inside
    /// a message.
    ///
    /// # Errors
    /// [`DecodeError::Incomplete`], and [`DecodeError::Malformed`] if the rest could not have
    /// become a message.
    pub fn finish(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, DecodeError> {
        let left = buffer.len();
        let decoded = each!(&mut self.state, decoder => decoder.finish(buffer, &self.limits))?;
        self.consumed += std::mem::take(&mut self.begun) + left as u64;
        buffer.clear();
        Ok(decoded)
    }

    /// Returns the number of bytes of the stream taken by complete messages. The offset of an error
    /// counts from here.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Returns whether the decoder keeps any bytes itself between calls, apart from those in
    /// the buffer.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        each!(&self.state, decoder => decoder.is_between_messages())
    }
}
