//! WebSocket: one message of the protocol in one WebSocket message (wire.md section 5, RFC 6455 section 5).
//!
//! ```text
//! 81 13  {"command":"pong"} 0A
//! |  |   ^ the same line as in SimpleJson, line feed included
//! |  ^ length of the payload; the highest bit says that a mask follows (clients only)
//! ^ final fragment, text
//! ```
//!
//! A server frame carries no mask, so the bytes of a broadcast are the same for every receiver. The line feed inside
//! the frame is needed: the Java client ignores frame borders and cuts at line feeds. A message above
//! [`FRAGMENT_LIMIT`] is sent in several fragments.
//!
//! A reader takes text and binary alike, and one or more lines in one message; the last may lack its end. What is said
//! here begins behind the HTTP upgrade. Extensions (compression among them) are never negotiated.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{DecodeError, EncodeError, Malformed};
use crate::limits::Limits;
use crate::message::Message;
use crate::simple_json::{self, LineSearch};
use crate::wire::{Decoded, Encode, Heartbeat};

/// Largest payload of one frame a server sends: 128 KiB. Longer messages are continued in further frames.
///
/// The Java client gives up on frames above 1 MiB, which a list of some 2,000 players exceeds; wire.md section 5
/// recommends 64 to 256 KiB.
pub const FRAGMENT_LIMIT: usize = 128 * 1024;

/// Largest payload of a control frame (RFC 6455 section 5.5).
pub const CONTROL_LIMIT: usize = 125;

/// The close frame that ends every connection from the server's side: code 1000, no reason.
pub const CLOSE_FRAME: &[u8; 4] = b"\x88\x02\x03\xE8";

const FINAL: u8 = 0x80;
const RESERVED_BITS: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Longest frame header without mask.
const HEADER_LIMIT: usize = 10;

/// Bytes of a mask.
const MASK: usize = 4;

/// Which side of a connection one is; the peer is the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends frames without mask, takes only frames with mask.
    Server,
    /// Sends frames with mask, takes only frames without mask.
    Client,
}

/// A frame that concerns the connection and carries no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// To be answered by a pong with the same payload.
    Ping(Bytes),
    /// An answer to a ping.
    Pong(Bytes),
    /// The peer sends nothing behind this, and waits for a close frame in answer.
    Close {
        /// Why, as a number; missing in an empty close frame.
        code: Option<u16>,
        /// Why, in words; often empty.
        reason: String,
    },
}

impl Control {
    /// The bytes of this control frame, masked if a mask is given (as a client must).
    ///
    /// A payload beyond [`CONTROL_LIMIT`] is cut.
    #[must_use]
    pub fn encode(&self, mask: Option<[u8; 4]>) -> Bytes {
        let (opcode, mut payload) = match self {
            Self::Ping(payload) => (PING, payload.to_vec()),
            Self::Pong(payload) => (PONG, payload.to_vec()),
            Self::Close { code: None, .. } => (CLOSE, Vec::new()),
            Self::Close { code: Some(code), reason } => {
                (CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
            }
        };
        payload.truncate(CONTROL_LIMIT);
        let mut frame = Vec::with_capacity(HEADER_LIMIT + payload.len());
        push_frame(FINAL | opcode, &payload, mask, &mut frame);
        frame.into()
    }
}

/// The bytes of a message, as a server sends it.
///
/// # Errors
/// [`EncodeError::NotRepresentable`].
pub fn encode(message: &(impl Encode + ?Sized)) -> Result<Bytes, EncodeError> {
    if message.is_only_heartbeat() {
        return Ok(Bytes::from_static(match message.heartbeat() {
            Some(Heartbeat::Pong) => b"\x81\x13{\"command\":\"pong\"}\n",
            _ => b"\x81\x13{\"command\":\"ping\"}\n",
        }));
    }
    // Room for the longest header stays in front, so that the payload is written in its place at once.
    let mut frame = Vec::with_capacity(256);
    frame.resize(HEADER_LIMIT, 0);
    message.write_json(&mut frame)?;
    frame.push(b'\n');
    let length = frame.len() - HEADER_LIMIT;
    if length > FRAGMENT_LIMIT {
        return Ok(fragments(&frame[HEADER_LIMIT..], None));
    }
    let mut header = Vec::with_capacity(HEADER_LIMIT);
    push_header(FINAL | TEXT, length, 0, &mut header);
    let start = HEADER_LIMIT - header.len();
    frame[start..HEADER_LIMIT].copy_from_slice(&header);
    Ok(Bytes::from(frame).slice(start..))
}

/// The bytes of a message, as a client sends it. Every frame should have a new random mask (RFC 6455 section 5.3).
///
/// # Errors
/// [`EncodeError::NotRepresentable`].
pub fn encode_masked(message: &(impl Encode + ?Sized), mask: [u8; 4]) -> Result<Bytes, EncodeError> {
    let mut line = Vec::with_capacity(256);
    message.write_json(&mut line)?;
    line.push(b'\n');
    Ok(fragments(&line, Some(mask)))
}

fn fragments(payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    let count = payload.len().div_ceil(FRAGMENT_LIMIT);
    let mut frames = Vec::with_capacity(payload.len() + count * (HEADER_LIMIT + 4));
    for (index, fragment) in payload.chunks(FRAGMENT_LIMIT).enumerate() {
        let opcode = if index == 0 { TEXT } else { CONTINUATION };
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

/// The head of a frame, already checked.
struct Header {
    is_final: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    /// Bytes of the head.
    size: usize,
    /// Bytes of the payload.
    length: usize,
}

impl Header {
    fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }
}

/// Reads frames of one direction and takes them apart into messages and control frames.
#[derive(Debug)]
pub(crate) struct FrameReader {
    role: Role,
    pub(crate) byte_stream: bool,
    /// Payload of an unfinished message; of a finished one that holds several lines; in byte-stream mode, whatever has
    /// not become a message yet.
    payload: BytesMut,
    /// Inside a fragmented message.
    unfinished: bool,
    lines: LineSearch,
}

impl FrameReader {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            byte_stream: false,
            payload: BytesMut::new(),
            unfinished: false,
            lines: LineSearch::default(),
        }
    }

    pub(crate) fn is_between_messages(&self) -> bool {
        self.payload.is_empty() && !self.unfinished
    }

    /// Bytes that are kept here, and not in the buffer.
    pub(crate) fn kept(&self) -> usize {
        self.payload.len()
    }

    pub(crate) fn shrink(&mut self) {
        self.payload = BytesMut::from(&self.payload[..]);
    }

    /// The most bytes that are kept, here and in the buffer, until the next message is complete.
    pub(crate) fn at_most(&self, buffer: &BytesMut, limits: &Limits) -> usize {
        let limit = limits.message_in_force();
        let any = HEADER_LIMIT + MASK + limit;
        match self.read_header(buffer, limits) {
            // Lines may begin anywhere in a frame and end in a later one.
            _ if self.byte_stream => self.payload.len() + any,
            Ok(Some(header)) if header.is_final && !self.unfinished => header.size + header.length,
            _ => any,
        }
    }

    pub(crate) fn decode(
        &mut self,
        buffer: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<Decoded>, DecodeError> {
        loop {
            if let Some(message) = self.next_line(limits)? {
                return Ok(Some(Decoded::Message(message)));
            }
            let Some(header) = self.read_header(buffer, limits)? else {
                return Ok(None);
            };
            let end = header.size + header.length;
            if buffer.len() < end {
                return Ok(None);
            }
            let payload = &mut buffer[header.size..end];
            if let Some(mask) = header.mask {
                apply_mask(payload, mask);
            }
            let decoded = if header.is_control() {
                Some(Decoded::Control(read_control(header.opcode, payload)?))
            } else {
                self.take_payload(&header, payload, limits)?.map(Decoded::Message)
            };
            buffer.advance(end);
            if decoded.is_some() {
                return Ok(decoded);
            }
        }
    }

    pub(crate) fn finish(
        &mut self,
        buffer: &BytesMut,
        limits: &Limits,
    ) -> Result<Option<Decoded>, DecodeError> {
        if !buffer.is_empty() || self.unfinished {
            return Err(DecodeError::Incomplete { got: self.payload.len() + buffer.len(), expected: None });
        }
        let last = self.lines.finish(&self.payload, limits)?;
        self.payload.clear();
        Ok(last.map(Decoded::Message))
    }

    /// The next line of a payload that holds several.
    fn next_line(&mut self, limits: &Limits) -> Result<Option<Message>, DecodeError> {
        if self.payload.is_empty() || (self.unfinished && !self.byte_stream) {
            return Ok(None);
        }
        let mut message = self.lines.decode(&mut self.payload, limits)?;
        if message.is_none() && !self.byte_stream {
            // The last line of a message needs no end, but it must be whole.
            message = Some(simple_json::decode_line(&self.payload, limits)?);
            self.lines = LineSearch::default();
            self.payload.clear();
        }
        if self.payload.is_empty() {
            self.payload = BytesMut::new();
        }
        Ok(message)
    }

    fn read_header(&self, buffer: &[u8], limits: &Limits) -> Result<Option<Header>, DecodeError> {
        let malformed = |reason| Err(DecodeError::Malformed { reason, offset: 0 });
        let &[first, second, ref rest @ ..] = buffer else {
            return Ok(None);
        };
        let opcode = first & 0x0F;
        if first & RESERVED_BITS != 0 || !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG)
        {
            return malformed(Malformed::ReservedFrame);
        }
        let is_masked = second & MASKED != 0;
        if is_masked != (self.role == Role::Server) {
            return malformed(Malformed::Masking);
        }
        let (length, length_size) = match second & !MASKED {
            126 => match rest.first_chunk() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        if (length_size == 2 && length < 126) || (length_size == 8 && length <= 0xFFFF) {
            return malformed(Malformed::FrameLength);
        }
        let is_final = first & FINAL != 0;
        let is_control = opcode >= CLOSE;
        if is_control && (!is_final || length > CONTROL_LIMIT as u64) {
            return malformed(Malformed::ControlFrame);
        }
        if !is_control && self.unfinished != (opcode == CONTINUATION) {
            return malformed(Malformed::Fragment);
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !is_control {
            let limit = limits.message_in_force();
            let size = if self.unfinished { length.saturating_add(self.payload.len()) } else { length };
            if size > limit {
                return Err(DecodeError::TooLarge { limit, size });
            }
        }
        let mask = match rest.get(length_size..).and_then(|behind| behind.first_chunk()) {
            _ if !is_masked => None,
            Some(mask) => Some(*mask),
            None => return Ok(None),
        };
        let size = 2 + length_size + if is_masked { 4 } else { 0 };
        Ok(Some(Header { is_final, opcode, mask, size, length }))
    }

    /// Takes the payload of a data frame; answers the message where the frame holds exactly one.
    fn take_payload(
        &mut self,
        header: &Header,
        payload: &[u8],
        limits: &Limits,
    ) -> Result<Option<Message>, DecodeError> {
        let is_whole = header.is_final && !self.unfinished;
        self.unfinished = !header.is_final;
        if self.byte_stream {
            self.payload.extend_from_slice(payload);
            return Ok(None);
        }
        let is_one_line = memchr::memchr(b'\n', payload).is_none_or(|end| end + 1 == payload.len());
        if is_whole && is_one_line {
            if payload.is_empty() {
                return Err(DecodeError::Malformed { reason: Malformed::EmptyMessage, offset: 0 });
            }
            return simple_json::decode_line(payload, limits)
                .map(Some)
                .map_err(|error| error.shifted(header.size));
        }
        self.payload.extend_from_slice(payload);
        if header.is_final && self.payload.is_empty() {
            return Err(DecodeError::Malformed { reason: Malformed::EmptyMessage, offset: 0 });
        }
        Ok(None)
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
                Control::Close { code: Some(u16::from_be_bytes(*code)), reason: reason.to_owned() }
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
    use super::*;
    use crate::wire::{Decoder, WireFormat};

    /// Everything a server reads from `bytes`, and the error that ended it.
    fn read(bytes: &[u8]) -> (Vec<Decoded>, Option<DecodeError>) {
        read_with(&mut FrameReader::new(Role::Server), bytes)
    }

    fn read_with(reader: &mut FrameReader, bytes: &[u8]) -> (Vec<Decoded>, Option<DecodeError>) {
        let mut buffer = BytesMut::from(bytes);
        let mut found = Vec::new();
        loop {
            match reader.decode(&mut buffer, &Limits::default()) {
                Ok(Some(decoded)) => found.push(decoded),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
            }
        }
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_frame(first, payload, Some([1, 2, 3, 4]), &mut out);
        out
    }

    fn messages(found: &[Decoded]) -> Vec<&str> {
        found
            .iter()
            .map(|decoded| match decoded {
                Decoded::Message(message) => message.as_str(),
                Decoded::Control(control) => panic!("{control:?}"),
            })
            .collect()
    }

    fn malformed(bytes: &[u8]) -> Malformed {
        match read(bytes).1 {
            Some(DecodeError::Malformed { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn server_frames_end_with_a_line_feed() {
        assert_eq!(encode(&Message::PONG).unwrap(), b"\x81\x13{\"command\":\"pong\"}\n".as_slice());
        let typed: Message = r#"{"command":"pong","x":1}"#.parse().unwrap();
        assert_eq!(encode(&typed).unwrap(), b"\x81\x19{\"command\":\"pong\",\"x\":1}\n".as_slice());
        let longer = Message::new(&"x".repeat(200));
        assert_eq!(encode(&longer).unwrap()[..4], [0x81, 126, 0, 215]);
    }

    #[test]
    fn long_messages_are_continued() {
        let message = Message::new(&"x".repeat(2 * FRAGMENT_LIMIT));
        let bytes = encode(&message).unwrap();
        assert_eq!(bytes[0], TEXT);
        let mut reader = FrameReader::new(Role::Client);
        let (found, error) = read_with(&mut reader, &bytes);
        assert_eq!((found, error), (vec![Decoded::Message(message)], None));
    }

    #[test]
    fn one_or_more_lines_in_one_message() {
        let (found, error) = read(&frame(0x81, b"{\"a\":1}"));
        assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#], None));
        let (found, error) = read(&frame(0x82, b" {\"a\":1}\r\n{\"b\":2}\n"));
        assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#, r#"{"b":2}"#], None));
        let (found, error) = read(&frame(0x81, b"{\"a\":1}\n{\"b\":2}"));
        assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#, r#"{"b":2}"#], None));
        let (found, error) = read(&frame(0x81, b"{\"a\":1}\n{\"b\""));
        assert_eq!(messages(&found), [r#"{"a":1}"#]);
        assert!(matches!(error, Some(DecodeError::Malformed { reason: Malformed::UnexpectedEnd, .. })));
    }

    #[test]
    fn fragments_with_a_ping_between() {
        let bytes =
            [frame(TEXT, b"{\"a\""), frame(0x89, b"?"), frame(0x00, b":1"), frame(0x80, b"}\n{\"b\":2}\n")]
                .concat();
        let (found, error) = read(&bytes);
        assert_eq!(error, None);
        assert_eq!(found[0], Decoded::Control(Control::Ping(Bytes::from_static(b"?"))));
        assert_eq!(messages(&found[1..]), [r#"{"a":1}"#, r#"{"b":2}"#]);
    }

    #[test]
    fn a_byte_stream_may_be_cut_anywhere() {
        let mut reader = FrameReader::new(Role::Server);
        reader.byte_stream = true;
        let bytes = [frame(0x82, b"{\"a\":1}\n{\"b"), frame(0x82, b"\":2"), frame(0x82, b"}\n")].concat();
        let (found, error) = read_with(&mut reader, &bytes);
        assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#, r#"{"b":2}"#], None));
        assert!(reader.is_between_messages());
    }

    #[test]
    fn control_frames_go_both_ways() {
        for control in [
            Control::Ping(Bytes::from_static(b"payload")),
            Control::Pong(Bytes::new()),
            Control::Close { code: None, reason: String::new() },
            Control::Close { code: Some(1001), reason: "away".to_owned() },
        ] {
            let (found, error) = read(&control.encode(Some([9; 4])));
            assert_eq!((found, error), (vec![Decoded::Control(control)], None));
        }
        let close = Control::Close { code: Some(1000), reason: String::new() };
        assert_eq!(close.encode(None), CLOSE_FRAME.as_slice());
    }

    #[test]
    fn broken_frames_are_refused() {
        assert_eq!(malformed(&frame(0xC1, b"{}")), Malformed::ReservedFrame);
        assert_eq!(malformed(&frame(0x83, b"{}")), Malformed::ReservedFrame);
        assert_eq!(malformed(b"\x81\x02{}"), Malformed::Masking);
        assert_eq!(malformed(&frame(0x80, b"{}")), Malformed::Fragment);
        assert_eq!(malformed(&[frame(0x01, b"{"), frame(0x81, b"}")].concat()), Malformed::Fragment);
        assert_eq!(malformed(&frame(0x09, b"")), Malformed::ControlFrame);
        assert_eq!(malformed(&frame(0x89, &[0; 126])), Malformed::ControlFrame);
        assert_eq!(malformed(&frame(0x88, b"x")), Malformed::ControlFrame);
        assert_eq!(malformed(&frame(0x88, b"\x03\xE8\xFF")), Malformed::Utf8);
        assert_eq!(malformed(b"\x81\xFE\x00\x05"), Malformed::FrameLength);
        assert_eq!(malformed(b"\x81\xFF\0\0\0\0\0\0\xFF\xFF"), Malformed::FrameLength);
        assert_eq!(malformed(&frame(0x81, b"")), Malformed::EmptyMessage);
        assert_eq!(malformed(&[frame(0x01, b""), frame(0x80, b"")].concat()), Malformed::EmptyMessage);
        assert_eq!(malformed(&frame(0x81, b"\n{}")), Malformed::UnexpectedEnd);
    }

    #[test]
    fn errors_count_the_head_of_the_frame_in() {
        let reason = Malformed::UnexpectedCharacter;
        assert_eq!(
            read(&frame(0x81, b"{\"a\":x}")).1,
            Some(DecodeError::Malformed { reason, offset: 6 + 5 })
        );
    }

    #[test]
    fn fragments_are_consumed_together() {
        let mut decoder = Decoder::new(WireFormat::WebSocket, Limits::default());
        let mut buffer = BytesMut::from(&[frame(0x81, b"{}"), frame(TEXT, b"{\"a\"")].concat()[..]);
        assert!(matches!(decoder.decode(&mut buffer), Ok(Some(_))));
        assert_eq!((decoder.decode(&mut buffer), decoder.consumed()), (Ok(None), 8));
        buffer.extend_from_slice(&frame(0x80, b":1}"));
        assert!(matches!(decoder.decode(&mut buffer), Ok(Some(_))));
        assert_eq!(decoder.consumed(), 8 + 10 + 9);
    }

    #[test]
    fn the_length_is_checked_before_the_payload_is_there() {
        let too_large = |size| DecodeError::TooLarge { limit: 10 * 1024 * 1024, size };
        assert_eq!(read(b"\x81\xFF\0\0\0\0\0\xA0\0\x01").1, Some(too_large(10 * 1024 * 1024 + 1)));
        assert_eq!(read(b"\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF").1, Some(too_large(usize::MAX)));
        let continued = [frame(0x01, &[b' '; 1000]), b"\x80\xFF\0\0\0\0\0\xA0\0\0".to_vec()].concat();
        assert_eq!(read(&continued).1, Some(too_large(10 * 1024 * 1024 + 1000)));
    }
}
