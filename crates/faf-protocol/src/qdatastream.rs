//! QDataStream: length-prefixed UTF-16 over TCP, deprecated (wire.md section 3).
//!
//! ```text
//! block   = u32 length of the payload    payload
//! payload = qstring { qstring }          one or more parts
//! qstring = u32 length in bytes          UTF-16, big-endian
//!
//! 00 00 00 0C   00 00 00 08   00 50 00 49 00 4E 00 47
//! block         qstring       P     I     N     G
//! ```
//!
//! All integers are big-endian. A server sends one part per block: compact ASCII JSON, or the bare
//! word `PING` or `PONG` in place of a message with that command; further members of such a message
//! are dropped. Old clients add parts: JSON objects are merged into the message, anything else is
//! collected in its member `legacy`.
//!
//! A payload may be as long as [`Limits::message`]; its length is checked before anything is
//! allocated.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{DecodeError, EncodeError, Malformed};
use crate::json::{compact, escape, scan};
use crate::limits::Limits;
use crate::message::Message;
use crate::wire::{Decoded, Encode, Encoding, Heartbeat, Properties, Scheme, StreamDecoder};

pub(crate) const PROPERTIES: Properties = Properties {
    name: "qdatastream",
    metric_label: "QDataStreamProtocol",
    scheme: Scheme { name: "qdatastream", default_port: 8001 },
    tls_scheme: None,
    encoding: Encoding::QDataStream,
    binary_encoding: Encoding::QDataStream,
    has_upgrade: false,
};

/// The complete block of a ping.
pub const PING_BLOCK: &[u8; 16] = b"\0\0\0\x0C\0\0\0\x08\0P\0I\0N\0G";

/// The complete block of a pong.
pub const PONG_BLOCK: &[u8; 16] = b"\0\0\0\x0C\0\0\0\x08\0P\0O\0N\0G";

/// Size of a length field, in bytes.
const LENGTH: usize = 4;

/// Maximum number of bytes at the end of a block that are ignored.
const IGNORED_TAIL: usize = 4;

/// Name of the member that collects the later parts of a block that are not objects.
const LEGACY: &str = "legacy";

/// Bytes of JSON that texts in `legacy` may take in any block: 64 KiB. In a longer block they may
/// take as much as the block.
///
/// As JSON, a control character takes six bytes. Clients have put a few words there.
const LEGACY_MIN: usize = 64 * 1024;

/// Packs a text into a QString and appends it.
///
/// # Errors
/// [`EncodeError::TooLarge`] beyond 4 GiB.
pub fn pack_qstring(text: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = 2 * text.encode_utf16().count();
    out.extend_from_slice(&length_field(length)?);
    out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    Ok(())
}

/// Packs payload bytes into a block: their length, then the bytes.
///
/// # Errors
/// [`EncodeError::TooLarge`] beyond 4 GiB.
pub fn pack_block(payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut block = Vec::with_capacity(LENGTH + payload.len());
    block.extend_from_slice(&length_field(payload.len())?);
    block.extend_from_slice(payload);
    Ok(block)
}

/// Packs texts into one block, one part each. Without texts the block is empty.
///
/// # Errors
/// [`EncodeError::TooLarge`] beyond 4 GiB.
pub fn pack_message<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, EncodeError> {
    let mut block = vec![0; LENGTH];
    for part in parts {
        pack_qstring(part, &mut block)?;
    }
    let length = length_field(block.len() - LENGTH)?;
    block[..LENGTH].copy_from_slice(&length);
    Ok(block)
}

/// Encodes a message as a block of one part.
///
/// # Errors
/// [`EncodeError`] for a message that JSON cannot express, or of more than 4 GiB.
pub fn encode(message: &(impl Encode + ?Sized)) -> Result<Bytes, EncodeError> {
    match message.heartbeat() {
        Some(Heartbeat::Ping) => Ok(Bytes::from_static(PING_BLOCK)),
        Some(Heartbeat::Pong) => Ok(Bytes::from_static(PONG_BLOCK)),
        None => {
            let mut block = Vec::with_capacity(1024);
            block.resize(2 * LENGTH, 0);
            message.write_json(&mut block)?;
            let length = 2 * (block.len() - 2 * LENGTH);
            block[..LENGTH].copy_from_slice(&length_field(LENGTH + length)?);
            block[LENGTH..2 * LENGTH].copy_from_slice(&length_field(length)?);
            widen(&mut block, 2 * LENGTH);
            Ok(block.into())
        }
    }
}

/// Converts the ASCII after `start` into UTF-16 in place: from the end, so that nothing is
/// overwritten unread.
fn widen(text: &mut Vec<u8>, start: usize) {
    const BLOCK: usize = 32;

    let length = text.len() - start;
    text.reserve_exact(length);
    text.resize(start + 2 * length, 0);
    let text = &mut text[start..];
    for at in (length - length % BLOCK..length).rev() {
        text[2 * at + 1] = std::mem::take(&mut text[at]);
    }
    for at in (0..length / BLOCK).rev().map(|block| block * BLOCK) {
        let mut ascii = [0; BLOCK];
        ascii.copy_from_slice(&text[at..at + BLOCK]);
        text[2 * at..2 * (at + BLOCK)].copy_from_slice(ascii.map(|byte| [0, byte]).as_flattened());
    }
}

fn length_field(length: usize) -> Result<[u8; LENGTH], EncodeError> {
    u32::try_from(length)
        .map(u32::to_be_bytes)
        .map_err(|_| EncodeError::TooLarge { limit: u32::MAX as usize, size: length })
}

/// Reads the QString at `position`, and returns the position after it and its text.
///
/// # Errors
/// [`DecodeError::Malformed`] for [`Malformed::ShortBlock`] (fewer than four bytes are left),
/// [`Malformed::QStringLength`] (longer than the rest; the null string counts as such) and
/// [`Malformed::Utf16`].
pub fn read_qstring(bytes: &[u8], position: usize) -> Result<(usize, String), DecodeError> {
    let malformed = |reason, offset| DecodeError::Malformed { reason, offset };
    let rest = bytes.get(position..).unwrap_or_default();
    let Some((length, rest)) = rest.split_first_chunk() else {
        return Err(malformed(Malformed::ShortBlock, position));
    };
    let length = u32::from_be_bytes(*length) as usize;
    let Some(units) = rest.get(..length) else {
        return Err(malformed(Malformed::QStringLength, position));
    };
    let start = position + LENGTH;
    let text = decode_utf16(units).map_err(|offset| malformed(Malformed::Utf16, start + offset))?;
    Ok((start + length, text))
}

/// Returns the parts of a block in order, from its payload.
///
/// The iterator ends when four bytes or fewer are left, and after the first error.
#[must_use]
pub fn read_block(payload: &[u8]) -> Parts<'_> {
    Parts { payload, position: 0 }
}

/// Iterator over the parts of a block. See [`read_block`].
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    payload: &'a [u8],
    position: usize,
}

impl Iterator for Parts<'_> {
    type Item = Result<String, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = next_part(self.payload, self.position)?;
        self.position = part.as_ref().map_or(self.payload.len(), |(end, _)| *end);
        Some(part.map(|(_, text)| text))
    }
}

/// Takes blocks from the front of a buffer. It keeps no state between two calls: a block is read
/// once all of it has arrived.
#[derive(Debug)]
pub(crate) struct BlockReader;

impl StreamDecoder for BlockReader {
    fn decode(&mut self, buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Decoded>, DecodeError> {
        let Some(length) = announced_length(buffer) else {
            return Ok(None);
        };
        let limit = limits.message_in_force();
        if length > limit {
            return Err(DecodeError::TooLarge { limit, size: length });
        }
        let end = LENGTH + length;
        let message = match buffer.get(..end) {
            None => return Ok(None),
            Some(block) if block == PING_BLOCK => Message::PING,
            Some(block) if block == PONG_BLOCK => Message::PONG,
            Some(block) if block.len() >= LARGE && block.len() == buffer.len() => {
                return decode_alone(std::mem::take(buffer), limits).map(Decoded::Message).map(Some);
            }
            Some(block) => decode_payload(&block[LENGTH..], limits).map_err(|error| error.shifted(LENGTH))?,
        };
        buffer.advance(end);
        Ok(Some(Decoded::Message(message)))
    }

    /// A stream that ends after a length without its payload also ends inside a message.
    fn finish(&mut self, buffer: &BytesMut, _: &Limits) -> Result<Option<Decoded>, DecodeError> {
        if buffer.is_empty() {
            return Ok(None);
        }
        let expected = announced_length(buffer).map_or(LENGTH, |length| LENGTH + length);
        Err(DecodeError::Incomplete { got: buffer.len(), expected: Some(expected) })
    }

    /// Size that the block at the front announces, capped by the limit.
    fn at_most(&self, buffer: &BytesMut, limits: &Limits) -> usize {
        let limit = limits.message_in_force();
        LENGTH + announced_length(buffer).map_or(limit, |length| length.min(limit))
    }
}

/// Reads a large block that is alone in the buffer.
///
/// Its text may take half as much again in UTF-8, and once more in compact form. So the block is
/// freed before the compact form is made: together they would take four times the size of
/// the block.
fn decode_alone(block: BytesMut, limits: &Limits) -> Result<Message, DecodeError> {
    let payload = &block[LENGTH..];
    let (position, first) = read_qstring(payload, 0).map_err(|error| error.shifted(LENGTH))?;
    if payload.len() - position > IGNORED_TAIL || first == "PING" || first == "PONG" {
        drop(first);
        return decode_payload(&block[LENGTH..], limits).map_err(|error| error.shifted(LENGTH));
    }
    drop(block);
    only_part(first, limits).map_err(|error| error.shifted(LENGTH))
}

/// Reads a message of a single part.
fn only_part(text: String, limits: &Limits) -> Result<Message, DecodeError> {
    let compact = scan::scan_object(&text, limits.nesting_in_force())
        .map_err(|error| in_utf16(error, &text).shifted(LENGTH))?;
    Ok(Message::from_compact(compact.unwrap_or(text)))
}

fn announced_length(buffer: &[u8]) -> Option<usize> {
    buffer.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
}

/// Size in bytes from which blocks are freed as soon as their text is read: 64 KiB. For smaller
/// ones it does not save enough to be worth an allocation.
const LARGE: usize = 64 * 1024;

/// Reads a message from the payload of one block.
///
/// The first part must be a JSON object, or one of the words `PING` and `PONG`, after which
/// everything is ignored. A later part that repeats the text of the first is skipped; JSON objects
/// are merged, and the later value wins; anything else is appended as text to `legacy`. The first
/// part that is not a QString ends the block without an error.
///
/// # Errors
/// Every [`DecodeError`] except [`DecodeError::Incomplete`] and [`DecodeError::TooLarge`].
pub fn decode_payload(payload: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
    let (mut position, first) = read_qstring(payload, 0)?;
    match first.as_str() {
        "PING" => return Ok(Message::PING),
        "PONG" => return Ok(Message::PONG),
        _ => {}
    }
    let nesting = limits.nesting_in_force();
    if payload.len() - position <= IGNORED_TAIL {
        return only_part(first, limits);
    }
    let mut merged = Merged::new(payload.len());
    merged.add_object(&scan_part(&first, nesting).map_err(|error| error.shifted(LENGTH))?);
    while let Some(Ok((end, part))) = next_part(payload, position) {
        if part != first {
            merged.add(&part, nesting).map_err(|error| error.shifted(position + LENGTH))?;
        }
        position = end;
    }
    drop(first);
    merged.into_message(nesting)
}

fn next_part(payload: &[u8], position: usize) -> Option<Result<(usize, String), DecodeError>> {
    let left = payload.len().saturating_sub(position);
    (left > IGNORED_TAIL).then(|| read_qstring(payload, position))
}

/// Checks the text of a part, and brings it into compact form; offsets of errors count bytes of its
/// UTF-16.
fn scan_part(text: &str, nesting: usize) -> Result<Cow<'_, str>, DecodeError> {
    match scan::scan_object(text, nesting) {
        Ok(compact) => Ok(compact.map_or(Cow::Borrowed(text), Cow::Owned)),
        Err(error) => Err(in_utf16(error, text)),
    }
}

/// Converts the offset of an error to bytes of UTF-16.
fn in_utf16(mut error: DecodeError, text: &str) -> DecodeError {
    if let DecodeError::Malformed { offset, .. } | DecodeError::TooDeep { offset, .. } = &mut error {
        *offset = 2 * text[..*offset].encode_utf16().count();
    }
    error
}

/// Builds one message from the parts of a block.
///
/// They are joined into one object that repeats keys; reading it merges them. So a block of a
/// million parts takes no more memory than one long part.
struct Merged {
    /// An object without its closing bracket.
    text: String,
    legacy: Legacy,
    /// Maximum number of bytes that the texts in `legacy` may take.
    legacy_limit: usize,
}

/// The member `legacy` of the parts read so far.
enum Legacy {
    Missing,
    /// A JSON array without its closing bracket, and whether it must be written at the end.
    Array {
        open: String,
        is_changed: bool,
    },
    /// A value to which nothing can be appended.
    Other,
}

impl Merged {
    fn new(payload: usize) -> Self {
        let legacy_limit = LEGACY_MIN.max(payload);
        // The size of the parts as UTF-8, as nearly all of it is ASCII.
        Self { text: String::with_capacity(payload / 2), legacy: Legacy::Missing, legacy_limit }
    }

    fn add(&mut self, part: &str, nesting: usize) -> Result<(), DecodeError> {
        match scan_part(part, nesting) {
            Ok(object) => self.add_object(&object),
            Err(error @ DecodeError::TooDeep { .. }) => return Err(error),
            // The original reads it as JSON and this crate does not: refuse it instead of passing
            // it off as a text.
            Err(
                error @ DecodeError::Malformed {
                    reason: Malformed::NonFinite | Malformed::LoneSurrogate, ..
                },
            ) if part.trim_start().starts_with('{') => {
                return Err(error);
            }
            Err(_) => self.add_text(part)?,
        }
        Ok(())
    }

    fn add_object(&mut self, object: &str) {
        if let Some((_, legacy)) = compact::Members::of(object).find(|(key, _)| *key == LEGACY) {
            self.legacy = match legacy.strip_suffix(']') {
                Some(open) => Legacy::Array { open: open.to_owned(), is_changed: false },
                None => Legacy::Other,
            };
        }
        let members = &object[1..object.len() - 1];
        if !members.is_empty() {
            self.push_members(&[members]);
        }
    }

    fn add_text(&mut self, part: &str) -> Result<(), DecodeError> {
        if matches!(self.legacy, Legacy::Missing) {
            // Reserves its place; the value comes at the end.
            self.push_members(&["\"", LEGACY, "\":0"]);
            self.legacy = Legacy::Array { open: "[".to_owned(), is_changed: true };
        }
        let Legacy::Array { open, is_changed } = &mut self.legacy else {
            return Err(DecodeError::Malformed { reason: Malformed::LegacyMember, offset: 0 });
        };
        *is_changed = true;
        let size = open.len() + escape::quoted_length(part.as_bytes()) + 1;
        if size > self.legacy_limit {
            return Err(DecodeError::TooLarge { limit: self.legacy_limit, size });
        }
        reserve(open, size - open.len());
        if open.len() > 1 {
            open.push(',');
        }
        escape::push_quoted(part, open);
        Ok(())
    }

    fn into_message(mut self, nesting: usize) -> Result<Message, DecodeError> {
        if let Legacy::Array { open, is_changed: true } = std::mem::replace(&mut self.legacy, Legacy::Other) {
            self.push_members(&["\"", LEGACY, "\":", &open, "]"]);
        }
        self.text.push_str(if self.text.is_empty() { "{}" } else { "}" });
        Message::from_string(self.text, nesting)
    }

    fn push_members(&mut self, members: &[&str]) {
        reserve(&mut self.text, members.iter().map(|member| member.len()).sum::<usize>() + 1);
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.extend(members.iter().copied());
    }
}

/// Makes room in a text of possibly megabytes, which must not double.
fn reserve(text: &mut String, bytes: usize) {
    if text.capacity() - text.len() < bytes {
        text.reserve_exact(bytes.max(text.len() / 8));
    }
}

/// Converts big-endian UTF-16 into text; an error is the offset of the invalid unit.
///
/// Nearly all traffic is ASCII, so that is tried first, in a loop that the compiler can vectorise.
fn decode_utf16(units: &[u8]) -> Result<String, usize> {
    let mut ascii = vec![0; units.len() / 2];
    let mut seen = 0;
    for (byte, unit) in ascii.iter_mut().zip(units.chunks_exact(2)) {
        // With the bytes swapped, the character of an ASCII unit is in the upper half.
        let unit = u16::from_le_bytes([unit[0], unit[1]]);
        seen |= unit;
        *byte = (unit >> 8) as u8;
    }
    if seen & 0x80FF == 0 && units.len().is_multiple_of(2) {
        return Ok(String::from_utf8(ascii).expect("all bytes are ASCII"));
    }
    drop(ascii);
    let (pairs, half) = units.as_chunks();
    let characters = || char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair)));
    // Some characters take more bytes in UTF-8 than in UTF-16.
    let mut text = String::with_capacity(characters().flatten().map(char::len_utf8).sum());
    let mut offset = 0;
    for character in characters() {
        let character = character.map_err(|_| offset)?;
        offset += 2 * character.len_utf16();
        text.push(character);
    }
    if half.is_empty() { Ok(text) } else { Err(offset) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(parts: &[&str]) -> Vec<u8> {
        pack_message(parts.iter().copied()).unwrap().split_off(LENGTH)
    }

    fn decoded(parts: &[&str]) -> Result<String, DecodeError> {
        decode_payload(&payload(parts), &Limits::default()).map(|message| message.as_str().to_owned())
    }

    #[test]
    fn a_heartbeat_is_a_bare_word() {
        assert_eq!(encode(&Message::PING).unwrap(), PING_BLOCK.as_slice());
        let with_more: Message = r#"{"command":"pong","more":1}"#.parse().unwrap();
        assert_eq!(encode(&with_more).unwrap(), PONG_BLOCK.as_slice());
        assert_eq!(decoded(&["PONG", "anything"]).unwrap(), Message::PONG.as_str());
    }

    #[test]
    fn later_parts_are_merged_or_collected() {
        let of = |parts: &[&str]| decoded(parts).unwrap();
        assert_eq!(of(&[r#"{"a":1}"#, "hi"]), r#"{"a":1,"legacy":["hi"]}"#);
        assert_eq!(of(&[r#"{"a":1,"b":1}"#, r#"{"b":2,"c":3}"#]), r#"{"a":1,"b":2,"c":3}"#);
        assert_eq!(of(&[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":1}"#]), r#"{"a":2}"#);
        assert_eq!(of(&[r#"{"a":1}"#, "x", r#"{"b":2}"#, "y"]), r#"{"a":1,"legacy":["x","y"],"b":2}"#);
        assert_eq!(of(&[r#"{"a":1}"#, "x", r#"{"legacy":["r"]}"#, "y"]), r#"{"a":1,"legacy":["r","y"]}"#);
        assert_eq!(of(&[r#"{"a":1}"#, "x", r#"{"legacy":5}"#, r#"{"z":1}"#]), r#"{"a":1,"legacy":5,"z":1}"#);
        assert_eq!(of(&[r#"{"legacy":[]}"#, "[]", "5"]), r#"{"legacy":["[]","5"]}"#);
    }

    #[test]
    fn parts_that_cannot_be_merged_are_refused() {
        let at = |reason, offset| Err(DecodeError::Malformed { reason, offset });
        assert_eq!(decoded(&[r#"{"legacy":5}"#, "hi"]), at(Malformed::LegacyMember, 32));
        assert_eq!(decoded(&[r#"{"a":1}"#, r#"{"b":NaN}"#]), at(Malformed::NonFinite, 18 + 4 + 2 * 5));
        assert_eq!(decoded(&["{\"é\":x}"]), at(Malformed::UnexpectedCharacter, 4 + 2 * 5));
        assert_eq!(
            decoded(&[r#"{"a":1}"#, &"[".repeat(1000), "x"]),
            Err(DecodeError::TooDeep { limit: 128, offset: 18 + 4 + 2 * 128 })
        );
    }

    #[test]
    fn a_million_parts_cost_no_more_than_their_size() {
        let mut parts = vec!["{}"];
        parts.resize(1_000_000, "x");
        assert_eq!(decoded(&parts).unwrap().len(), 999_999 * 4 + 12);
    }

    #[test]
    fn texts_of_control_characters_have_a_limit() {
        let block = |length: usize, character: &str| decoded(&["{}", &character.repeat(length)]);
        assert_eq!(block(10_000, "\0").unwrap().len(), 60_000 + 15);
        assert_eq!(block(100_000, "\n").unwrap().len(), 200_000 + 15);
        assert!(matches!(block(100_000, "\0"), Err(DecodeError::TooLarge { limit: 200_012, size: 600_004 })));
    }

    #[test]
    fn utf16_is_read_with_any_mixture() {
        for text in
            ["", "a", "ASCII of more than sixteen units", "日本語", "🎮 and 🎲 between longer ASCII text 語"]
        {
            let mut packed = Vec::new();
            pack_qstring(text, &mut packed).unwrap();
            assert_eq!(read_qstring(&packed, 0).unwrap(), (packed.len(), text.to_owned()));
        }
        assert_eq!(decode_utf16(b"\0a\xD8\x00\0b"), Err(2));
        assert_eq!(decode_utf16(b"\0a\0"), Err(2));
        assert_eq!(decode_utf16(&[&b"\0a".repeat(40)[..], b"\xDC\x00"].concat()), Err(80));
    }

    #[test]
    fn the_length_is_checked_before_the_payload_is_there() {
        let mut buffer = BytesMut::from(&b"\xFF\xFF\xFF\xFF"[..]);
        assert_eq!(
            BlockReader.decode(&mut buffer, &Limits::default()),
            Err(DecodeError::TooLarge { limit: 10 * 1024 * 1024, size: u32::MAX as usize })
        );
    }

    #[test]
    fn the_end_of_the_stream() {
        let finish = |left: &[u8]| BlockReader.finish(&BytesMut::from(left), &Limits::default());
        let incomplete = |got, expected| Err(DecodeError::Incomplete { got, expected: Some(expected) });
        assert_eq!(finish(b""), Ok(None));
        assert_eq!(finish(b"\0\0\0"), incomplete(3, 4));
        assert_eq!(finish(b"\0\0\0\x0C"), incomplete(4, 16));
        assert_eq!(finish(b"\0\0\0\x0C\0"), incomplete(5, 16));
    }
}
