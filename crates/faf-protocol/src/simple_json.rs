//! SimpleJson: one message per line, over TCP (wire.md section 4).
//!
//! ```text
//! {"command":"ping"} 0A
//! ^ compact JSON      ^ line feed
//!   pure ASCII
//! ```
//!
//! A reader accepts white space around the object (including CR LF) and one byte-order mark before
//! it. A blank line is malformed. A line may be as long as [`Limits::message`], without its end.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{DecodeError, EncodeError, Malformed};
use crate::limits::Limits;
use crate::message::Message;
use crate::wire::{Decoded, Encode, Encoding, Heartbeat, Properties, Scheme, StreamDecoder};

pub(crate) const PROPERTIES: Properties = Properties {
    name: "simple-json",
    metric_label: "SimpleJsonProtocol",
    scheme: Scheme { name: "tcp", default_port: 8002 },
    tls_scheme: None,
    encoding: Encoding::SimpleJson,
    binary_encoding: Encoding::SimpleJson,
    has_upgrade: false,
};

/// Encodes a message: compact ASCII JSON and a line feed.
///
/// # Errors
/// [`EncodeError::NotRepresentable`].
pub fn encode(message: &(impl Encode + ?Sized)) -> Result<Bytes, EncodeError> {
    if message.is_only_heartbeat() {
        return Ok(Bytes::from_static(match message.heartbeat() {
            Some(Heartbeat::Pong) => b"{\"command\":\"pong\"}\n",
            _ => b"{\"command\":\"ping\"}\n",
        }));
    }
    let mut line = Vec::with_capacity(256);
    message.write_json(&mut line)?;
    line.push(b'\n');
    Ok(line.into())
}

/// Reads one line, with or without its end.
///
/// # Errors
/// Every [`DecodeError`] except [`DecodeError::Incomplete`].
pub fn decode_line(line: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
    const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

    let start = line.iter().position(|byte| !is_white_space(*byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_white_space(*byte)).map_or(start, |last| last + 1);
    let (json, in_front) = match line[start..end].strip_prefix(BYTE_ORDER_MARK) {
        Some(json) => (json, start + BYTE_ORDER_MARK.len()),
        None => (&line[start..end], start),
    };
    let text = std::str::from_utf8(json).map_err(|error| DecodeError::Malformed {
        reason: Malformed::Utf8,
        offset: in_front + error.valid_up_to(),
    })?;
    Message::parse_text(text, limits).map_err(|error| error.shifted(in_front))
}

/// Finds line ends without checking any byte twice, so that a long line in small pieces
/// stays cheap.
#[derive(Debug, Default)]
pub(crate) struct LineSearch {
    /// Number of bytes at the front of the buffer that contain no line end.
    searched: usize,
}

impl StreamDecoder for LineSearch {
    fn decode(&mut self, buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Decoded>, DecodeError> {
        let limit = limits.message_in_force();
        let line_end = memchr::memchr(b'\n', &buffer[self.searched..]).map(|found| self.searched + found);
        let size = line_end.unwrap_or(buffer.len());
        if size > limit {
            return Err(DecodeError::TooLarge { limit, size });
        }
        let Some(line_end) = line_end else {
            self.searched = buffer.len();
            return Ok(None);
        };
        let message = decode_line(&buffer[..line_end], limits)?;
        buffer.advance(line_end + 1);
        self.searched = 0;
        Ok(Some(Decoded::Message(message)))
    }

    /// Handles the end of the stream: a last line without its end still counts if it is complete
    /// (wire.md section 2).
    fn finish(&mut self, buffer: &BytesMut, limits: &Limits) -> Result<Option<Decoded>, DecodeError> {
        self.searched = 0;
        if buffer.is_empty() {
            return Ok(None);
        }
        match decode_line(buffer, limits) {
            Ok(message) => Ok(Some(Decoded::Message(message))),
            Err(error) if is_cut(&error, buffer) => {
                Err(DecodeError::Incomplete { got: buffer.len(), expected: None })
            }
            Err(error) => Err(error),
        }
    }

    /// Size of the largest line with its end.
    fn at_most(&self, _: &BytesMut, limits: &Limits) -> usize {
        limits.message_in_force() + 1
    }
}

/// Returns whether more of the same line could make it valid.
pub(crate) fn is_cut(error: &DecodeError, line: &[u8]) -> bool {
    match error {
        DecodeError::Malformed { reason: Malformed::UnexpectedEnd, .. } => true,
        DecodeError::Malformed { reason: Malformed::Utf8, .. } => ends_inside_a_character(line),
        // An exponent that follows may make it small.
        DecodeError::Malformed { reason: Malformed::NonFinite | Malformed::IntegerDigits, offset } => {
            let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
            line.get(*offset..).is_some_and(|number| number.iter().all(is_part))
        }
        _ => false,
    }
}

/// Returns whether there is only white space.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| is_white_space(*byte))
}

fn ends_inside_a_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Returns whether a byte is white space around a line, which includes two characters that JSON
/// does not count as such.
fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let message: Message = "{ \"t\" : \"é\\n\" }".parse().unwrap();
        assert_eq!(encode(&message).unwrap(), "{\"t\":\"\\u00e9\\n\"}\n");
        assert_eq!(encode(&Message::PONG).unwrap(), "{\"command\":\"pong\"}\n");
    }

    #[test]
    fn offsets_count_from_the_beginning_of_the_line() {
        let error = |line: &[u8]| decode_line(line, &Limits::default()).unwrap_err();
        let malformed = |reason, offset| DecodeError::Malformed { reason, offset };
        assert_eq!(error(b" \x0b{\"a\":x}"), malformed(Malformed::UnexpectedCharacter, 7));
        assert_eq!(error("\u{FEFF}{\"a\":x}".as_bytes()), malformed(Malformed::UnexpectedCharacter, 8));
        assert_eq!(error(b" {\"a\":\"\xFF\"}"), malformed(Malformed::Utf8, 7));
        assert_eq!(error(b" \r"), malformed(Malformed::UnexpectedEnd, 2));
    }

    #[test]
    fn the_end_of_the_stream() {
        let finish = |left: &[u8]| LineSearch::default().finish(&BytesMut::from(left), &Limits::default());
        let cut_after = |got| Err(DecodeError::Incomplete { got, expected: None });
        assert_eq!(finish(b""), Ok(None));
        assert_eq!(finish(b"{\"command\":\"ping\"}"), Ok(Some(Decoded::Message(Message::PING))));
        assert_eq!(finish(b"{\"command\":"), cut_after(11));
        assert_eq!(finish(b"{\"a\":\"\xC3"), cut_after(7));
        assert!(matches!(finish(b"{command"), Err(DecodeError::Malformed { .. })));
    }
}
