//! WebSocket: one message of the protocol per WebSocket message (wire.md section 5, RFC 6455
//! section 5).
//!
//! ```text
//! 81 13  {"command":"pong"} 0A
//! |  |   ^ the same line as in SimpleJson, line feed included
//! |  ^ length of the payload; the highest bit says that a mask follows (clients only)
//! ^ final fragment, text
//! ```
//!
//! A server frame has no mask, so the bytes of a broadcast are the same for every receiver. The
//! line feed inside the frame is necessary: the Java client ignores frame borders and splits at
//! line feeds. A message above [`FRAGMENT_LIMIT`] is sent in several fragments.
//!
//! A reader accepts text and binary messages alike, as one stream of lines, which need not match
//! the WebSocket messages:
//!
//! ```text
//! {"a":1}        complete at the end of a WebSocket message: a message, even without a line feed
//! {\n"a":1\n}    the same: line ends inside of a value only count at the end of a WebSocket
//!                message
//! {"b":1}\n{"c"  a message, and the beginning of the next one,
//! :1}\n          which ends here, or at the end of any later WebSocket message if it is complete
//! \n             blank: ignored
//! {"d":x         can never become an object: malformed, at once
//! ```
//!
//! A peer that has sent a binary message receives binary messages. All of this follows the HTTP
//! upgrade. Extensions (compression among them) are never negotiated.

mod reader;

use bytes::Bytes;

use crate::error::{DecodeError, EncodeError, Malformed};
use crate::wire::{Encode, Encoding, Heartbeat, Properties, Scheme};

pub(crate) use reader::FrameReader;

pub(crate) const PROPERTIES: Properties = Properties {
    name: "websocket",
    metric_label: "WebSocketProtocol",
    scheme: Scheme { name: "ws", default_port: 80 },
    tls_scheme: Some(Scheme { name: "wss", default_port: 443 }),
    encoding: Encoding::WebSocketText,
    binary_encoding: Encoding::WebSocketBinary,
    has_upgrade: true,
};

/// Largest payload of one frame from a server: 128 KiB. Longer messages continue in further frames.
///
/// The Java client fails on frames above 1 MiB, which a list of some 2,000 players exceeds; wire.md
/// section 5 recommends 64 to 256 KiB.
pub const FRAGMENT_LIMIT: usize = 128 * 1024;

/// Largest payload of a control frame (RFC 6455 section 5.5).
pub const CONTROL_LIMIT: usize = 125;

/// Close frame of a server that is finished: [`CloseCode::Normal`], no reason.
pub const CLOSE_FRAME: &[u8; 4] = b"\x88\x02\x03\xE8";

/// The reason for the end of a connection, as the number in a close frame (RFC 6455 section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The connection has served its purpose.
    Normal = 1000,
    /// This side goes away, for example because a server shuts down.
    GoingAway = 1001,
    /// The peer has broken the rules of WebSocket.
    ProtocolError = 1002,
    /// The peer has sent data of an unsupported kind.
    Unsupported = 1003,
    /// The peer has sent invalid data, such as a text that is not UTF-8 or not JSON.
    InvalidData = 1007,
    /// The peer has done something else that is not allowed.
    Policy = 1008,
    /// The peer has sent a message that is too large.
    TooLarge = 1009,
}

impl CloseCode {
    /// Returns the code for a peer whose bytes cannot be decoded.
    #[must_use]
    pub fn of(error: &DecodeError) -> Self {
        match error {
            DecodeError::TooLarge { .. } | DecodeError::TooDeep { .. } => Self::TooLarge,
            DecodeError::NotAnObject { .. } => Self::Unsupported,
            DecodeError::Incomplete { .. } => Self::ProtocolError,
            DecodeError::Malformed { reason, .. } => match reason {
                Malformed::ReservedFrame
                | Malformed::Masking
                | Malformed::ControlFrame
                | Malformed::Fragment
                | Malformed::FrameLength => Self::ProtocolError,
                _ => Self::InvalidData,
            },
        }
    }
}

/// Returns whether a peer may send this code in a close frame (RFC 6455 section 7.4).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

const FINAL: u8 = 0x80;
const RESERVED_BITS: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Longest frame header without mask, in bytes.
const HEADER_LIMIT: usize = 10;

/// Size of a mask, in bytes.
const MASK: usize = 4;

/// One side of a connection; the peer is the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends frames without mask, and accepts only frames with mask.
    Server,
    /// Sends frames with mask, and accepts only frames without mask.
    Client,
}

/// A frame that concerns the connection and carries no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// A ping, which requires a pong with the same payload.
    Ping(Bytes),
    /// The answer to a ping.
    Pong(Bytes),
    /// The last frame of the peer, which waits for a close frame in answer.
    Close {
        /// The reason as a number; `None` in an empty close frame.
        code: Option<u16>,
        /// The reason in words; often empty.
        reason: String,
    },
}

impl Control {
    /// Creates a close frame.
    #[must_use]
    pub fn close(code: CloseCode, reason: &str) -> Self {
        Self::Close { code: Some(code as u16), reason: reason.to_owned() }
    }

    /// Returns the bytes of this control frame, masked if a mask is given (as a client must).
    ///
    /// A payload beyond [`CONTROL_LIMIT`] is cut, and a reason is cut between two characters.
    #[must_use]
    pub fn encode(&self, mask: Option<[u8; 4]>) -> Bytes {
        let (opcode, mut payload) = match self {
            Self::Ping(payload) => (PING, payload.to_vec()),
            Self::Pong(payload) => (PONG, payload.to_vec()),
            Self::Close { code: None, .. } => (CLOSE, Vec::new()),
            Self::Close { code: Some(code), reason } => {
                let end = reason.floor_char_boundary(CONTROL_LIMIT - 2);
                (CLOSE, [&code.to_be_bytes(), &reason.as_bytes()[..end]].concat())
            }
        };
        payload.truncate(CONTROL_LIMIT);
        let mut frame = Vec::with_capacity(HEADER_LIMIT + payload.len());
        push_frame(FINAL | opcode, &payload, mask, &mut frame);
        frame.into()
    }
}

/// The kind of a WebSocket message. The payload is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The payload is UTF-8.
    Text,
    /// The payload may be any bytes.
    Binary,
}

/// Encodes a message as a server sends it.
///
/// # Errors
/// [`EncodeError::NotRepresentable`].
pub fn encode(message: &(impl Encode + ?Sized), kind: Kind) -> Result<Bytes, EncodeError> {
    if message.is_only_heartbeat() {
        return Ok(Bytes::from_static(match (message.heartbeat(), kind) {
            (Some(Heartbeat::Pong), Kind::Text) => b"\x81\x13{\"command\":\"pong\"}\n",
            (Some(Heartbeat::Pong), Kind::Binary) => b"\x82\x13{\"command\":\"pong\"}\n",
            (_, Kind::Text) => b"\x81\x13{\"command\":\"ping\"}\n",
            (_, Kind::Binary) => b"\x82\x13{\"command\":\"ping\"}\n",
        }));
    }
    let opcode = match kind {
        Kind::Text => TEXT,
        Kind::Binary => BINARY,
    };
    // Room for the longest header is left at the front, so that the payload is written in its final
    // place.
    let mut frame = Vec::with_capacity(256);
    frame.resize(HEADER_LIMIT, 0);
    message.write_json(&mut frame)?;
    frame.push(b'\n');
    let length = frame.len() - HEADER_LIMIT;
    if length > FRAGMENT_LIMIT {
        return Ok(fragments(&frame[HEADER_LIMIT..], opcode, None));
    }
    let mut header = Vec::with_capacity(HEADER_LIMIT);
    push_header(FINAL | opcode, length, 0, &mut header);
    let start = HEADER_LIMIT - header.len();
    frame[start..HEADER_LIMIT].copy_from_slice(&header);
    Ok(Bytes::from(frame).slice(start..))
}

/// Encodes a message as a client sends it. Every frame should have a new random mask (RFC 6455
/// section 5.3).
///
/// # Errors
/// [`EncodeError::NotRepresentable`].
pub fn encode_masked(message: &(impl Encode + ?Sized), mask: [u8; 4]) -> Result<Bytes, EncodeError> {
    let mut line = Vec::with_capacity(256);
    message.write_json(&mut line)?;
    line.push(b'\n');
    Ok(fragments(&line, TEXT, Some(mask)))
}

fn fragments(payload: &[u8], first: u8, mask: Option<[u8; 4]>) -> Bytes {
    let count = payload.len().div_ceil(FRAGMENT_LIMIT);
    let mut frames = Vec::with_capacity(payload.len() + count * (HEADER_LIMIT + 4));
    for (index, fragment) in payload.chunks(FRAGMENT_LIMIT).enumerate() {
        let opcode = if index == 0 { first } else { CONTINUATION };
        let end = if index + 1 == count { FINAL } else { 0 };
        push_frame(opcode | end, fragment, mask, &mut frames);
    }
    frames.into()
}

fn push_frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    match mask {
        None => {
            push_header(first, payload.len(), 0, out);
            out.extend_from_slice(payload);
        }
        Some(mask) => {
            push_header(first, payload.len(), MASKED, out);
            out.extend_from_slice(&mask);
            let start = out.len();
            out.extend_from_slice(payload);
            apply_mask(&mut out[start..], mask);
        }
    }
}

fn push_header(first: u8, length: usize, masked: u8, out: &mut Vec<u8>) {
    out.push(first);
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=0xFFFF => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Masks or unmasks: both are the same operation.
fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

fn read_control(opcode: u8, payload: &[u8]) -> Result<Control, DecodeError> {
    Ok(match opcode {
        PING => Control::Ping(Bytes::copy_from_slice(payload)),
        PONG => Control::Pong(Bytes::copy_from_slice(payload)),
        _ => match payload.split_first_chunk() {
            Some((code, reason)) => {
                let reason = std::str::from_utf8(reason)
                    .map_err(|_| DecodeError::Malformed { reason: Malformed::Utf8, offset: 0 })?;
                let code = u16::from_be_bytes(*code);
                if !may_be_sent(code) {
                    return Err(DecodeError::Malformed { reason: Malformed::ControlFrame, offset: 0 });
                }
                Control::Close { code: Some(code), reason: reason.to_owned() }
            }
            None if payload.is_empty() => Control::Close { code: None, reason: String::new() },
            None => {
                return Err(DecodeError::Malformed { reason: Malformed::ControlFrame, offset: 0 });
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::{Decoded, Decoder, Limits, Message, WireFormat};

    #[test]
    fn server_frames_end_with_a_line_feed() {
        assert_eq!(
            encode(&Message::PONG, Kind::Text).unwrap(),
            b"\x81\x13{\"command\":\"pong\"}\n".as_slice()
        );
        assert_eq!(
            encode(&Message::PING, Kind::Binary).unwrap(),
            b"\x82\x13{\"command\":\"ping\"}\n".as_slice()
        );
        let typed: Message = r#"{"command":"pong","x":1}"#.parse().unwrap();
        assert_eq!(
            encode(&typed, Kind::Text).unwrap(),
            b"\x81\x19{\"command\":\"pong\",\"x\":1}\n".as_slice()
        );
        let longer = Message::new(&"x".repeat(200));
        assert_eq!(encode(&longer, Kind::Binary).unwrap()[..4], [0x82, 126, 0, 215]);
    }

    #[test]
    fn control_frames_go_both_ways() {
        for control in [
            Control::Ping(Bytes::from_static(b"payload")),
            Control::Pong(Bytes::new()),
            Control::Close { code: None, reason: String::new() },
            Control::Close { code: Some(1001), reason: "away".to_owned() },
        ] {
            let mut buffer = BytesMut::from(&control.encode(Some([9; 4]))[..]);
            let mut decoder = Decoder::new(WireFormat::WebSocket, Limits::default());
            assert_eq!(decoder.decode(&mut buffer), Ok(Some(Decoded::Control(control))));
        }
        assert_eq!(Control::close(CloseCode::Normal, "").encode(None), CLOSE_FRAME.as_slice());
        assert_eq!(Control::close(CloseCode::Policy, "no").encode(None), b"\x88\x04\x03\xF0no".as_slice());
        let long = Control::close(CloseCode::Normal, &"é".repeat(100)).encode(None);
        assert_eq!((long.len(), long.last()), (2 + 2 + 122, Some(&0xA9)));
    }
}
