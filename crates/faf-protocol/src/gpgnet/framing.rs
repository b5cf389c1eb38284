//! The game's own binary framing, between game process and adapter (wire.md section 10).
//!
//! ```text
//! message = string command   u32 number of arguments   argument*
//! string  = u32 length in bytes   UTF-8
//! argument = 00   i32                 integer
//!          | 01   string              text
//!
//! 09 00 00 00 47 61 6D 65 53 74 61 74 65   01 00 00 00   01   04 00 00 00 49 64 6C 65
//! "GameState"                              1 argument    text "Idle"
//! ```
//!
//! All integers are little-endian. There are no booleans, which travel as 0 and 1, and no
//! fractions. Existing adapters also replace the two characters `/t` and `/n` in received texts by
//! tab and line feed, even inside words such as `/tundra`. Only [`unescape`] does that here.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{DecodeError, JsonKind, Malformed};
use crate::json::{JsonRef, escape};
use crate::limits::Limits;

use super::{Args, GpgNetMessage};

/// Maximum number of arguments of a message; existing adapters refuse more.
pub const ARGUMENT_LIMIT: usize = 10;

/// Maximum factor by which a message may become longer as JSON.
const GROWTH: usize = 2;

/// Size in bytes; shorter messages may become as long as messages of this size.
const GROWTH_MIN: usize = 64 * 1024;

const INTEGER: u8 = 0;
const TEXT: u8 = 1;

/// The reason why a message cannot be encoded in the game's framing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// An argument is neither text, nor boolean, nor a whole number of 32 bits.
    #[error("argument {index} ({value}) is neither text nor a 32-bit integer")]
    Argument {
        /// Index of the argument, counted from 0.
        index: usize,
        /// The value, as JSON.
        value: String,
    },
    /// There are more than [`ARGUMENT_LIMIT`] arguments.
    #[error("{0} arguments, where {ARGUMENT_LIMIT} are possible")]
    ArgumentCount(usize),
    /// A text exceeds the range of its length field.
    #[error("text of {0} bytes")]
    TextLength(usize),
}

/// Encodes a message.
///
/// # Errors
/// [`FramingError`] for anything that the framing cannot express.
pub fn encode(message: &GpgNetMessage) -> Result<Bytes, FramingError> {
    let count = message.arguments().count();
    if count > ARGUMENT_LIMIT {
        return Err(FramingError::ArgumentCount(count));
    }
    let mut frame = Vec::with_capacity(64);
    push_text(&message.command, &mut frame)?;
    frame.extend_from_slice(&(count as u32).to_le_bytes());
    for (index, argument) in message.arguments().enumerate() {
        if let Some(text) = argument.as_str() {
            frame.push(TEXT);
            push_text(&text, &mut frame)?;
        } else {
            let integer = integer(argument)
                .ok_or_else(|| FramingError::Argument { index, value: argument.text().to_owned() })?;
            frame.push(INTEGER);
            frame.extend_from_slice(&integer.to_le_bytes());
        }
    }
    Ok(frame.into())
}

fn integer(argument: JsonRef<'_>) -> Option<i32> {
    match argument.text() {
        "true" => Some(1),
        "false" => Some(0),
        _ if argument.kind() == JsonKind::Number => argument.number(),
        _ => None,
    }
}

fn push_text(text: &str, out: &mut Vec<u8>) -> Result<(), FramingError> {
    let length = u32::try_from(text.len()).map_err(|_| FramingError::TextLength(text.len()))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Takes the next message from the front of `buffer`, if all of it is there.
///
/// [`Limits::message`] applies to the whole message; every length is checked before the decoder
/// waits for its bytes.
///
/// # Errors
/// [`DecodeError::Malformed`] and [`DecodeError::TooLarge`]. After an error the stream must not be
/// read any further.
pub fn decode(buffer: &mut BytesMut, limits: &Limits) -> Result<Option<GpgNetMessage>, DecodeError> {
    let mut reader = Reader { bytes: buffer, position: 0, limit: limits.message_in_force() };
    let Some(message) = reader.message()? else {
        return Ok(None);
    };
    let end = reader.position;
    buffer.advance(end);
    Ok(Some(message))
}

/// Interprets the end of the stream: a clean end, or an end inside a message.
///
/// # Errors
/// [`DecodeError::Incomplete`].
pub fn finish(buffer: &BytesMut) -> Result<(), DecodeError> {
    match buffer.len() {
        0 => Ok(()),
        got => Err(DecodeError::Incomplete { got, expected: None }),
    }
}

/// Replaces `/t` by a tab and `/n` by a line feed, as existing adapters do with texts of the game.
#[must_use]
pub fn unescape(text: &str) -> String {
    text.replace("/t", "\t").replace("/n", "\n")
}

/// Reads one message; every method returns `None` while bytes are missing.
///
/// Nothing is copied before the whole message has arrived, so a message in small pieces
/// stays cheap.
struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    limit: usize,
}

/// A text whose bytes have not been checked.
struct Text<'a> {
    bytes: &'a [u8],
    /// Offset of the text in the message.
    start: usize,
}

enum Argument<'a> {
    Integer(i32),
    Text(Text<'a>),
}

impl<'a> Reader<'a> {
    fn message(&mut self) -> Result<Option<GpgNetMessage>, DecodeError> {
        let Some(command) = self.text()? else {
            return Ok(None);
        };
        let Some(count) = self.number()? else {
            return Ok(None);
        };
        if count as usize > ARGUMENT_LIMIT {
            return Err(self.malformed(Malformed::ArgumentCount, 4));
        }
        let mut args = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let Some(argument) = self.argument()? else {
                return Ok(None);
            };
            args.push(argument);
        }
        let args = args_of(&args, self.position)?;
        Ok(Some(GpgNetMessage { command: command.as_str()?.to_owned(), args }))
    }

    fn argument(&mut self) -> Result<Option<Argument<'a>>, DecodeError> {
        let Some(kind) = self.take(1)? else {
            return Ok(None);
        };
        match kind[0] {
            INTEGER => Ok(self.number()?.map(|bits| Argument::Integer(bits.cast_signed()))),
            TEXT => Ok(self.text()?.map(Argument::Text)),
            _ => Err(self.malformed(Malformed::ArgumentType, 1)),
        }
    }

    fn text(&mut self) -> Result<Option<Text<'a>>, DecodeError> {
        let Some(length) = self.number()? else {
            return Ok(None);
        };
        let start = self.position;
        Ok(self.take(length as usize)?.map(|bytes| Text { bytes, start }))
    }

    fn number(&mut self) -> Result<Option<u32>, DecodeError> {
        let bytes = self.take(4)?;
        Ok(bytes.and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes)))
    }

    fn take(&mut self, length: usize) -> Result<Option<&'a [u8]>, DecodeError> {
        let end = self.position.saturating_add(length);
        if end > self.limit {
            return Err(DecodeError::TooLarge { limit: self.limit, size: end });
        }
        let taken = self.bytes.get(self.position..end);
        if taken.is_some() {
            self.position = end;
        }
        Ok(taken)
    }

    fn malformed(&self, reason: Malformed, back: usize) -> DecodeError {
        DecodeError::Malformed { reason, offset: self.position - back }
    }
}

/// Converts arguments to JSON. `size` is the size of the whole message in bytes.
///
/// As JSON, a control character takes six bytes. A message that would become more than [`GROWTH`]
/// times as long contains almost nothing else, and does not come from a game.
fn args_of(args: &[Argument<'_>], size: usize) -> Result<Args, DecodeError> {
    let lengths = args.iter().map(|argument| match argument {
        Argument::Integer(number) => number.to_string().len(),
        Argument::Text(text) => escape::quoted_length(text.bytes),
    });
    let length = lengths.sum::<usize>() + args.len().max(1) + 1;
    let limit = GROWTH * size.max(GROWTH_MIN);
    if length > limit {
        return Err(DecodeError::TooLarge { limit, size: length });
    }
    let mut out = String::with_capacity(length);
    out.push('[');
    for argument in args {
        if out.len() > 1 {
            out.push(',');
        }
        match argument {
            Argument::Integer(number) => out.push_str(&number.to_string()),
            Argument::Text(text) => escape::push_quoted(text.as_str()?, &mut out),
        }
    }
    out.push(']');
    Ok(Args::of_text(out))
}

impl<'a> Text<'a> {
    fn as_str(&self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes).map_err(|error| DecodeError::Malformed {
            reason: Malformed::Utf8,
            offset: self.start + error.valid_up_to(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    /// The examples of wire.md section 10.
    const EXAMPLES: [(&str, &str, &[u8]); 5] = [
        ("GameState", r#"["Idle"]"#, b"\x09\0\0\0GameState\x01\0\0\0\x01\x04\0\0\0Idle"),
        (
            "CreateLobby",
            r#"[0,6112,"Bob",2,1]"#,
            b"\x0b\0\0\0CreateLobby\x05\0\0\0\0\0\0\0\0\0\xe0\x17\0\0\x01\x03\0\0\0Bob\0\x02\0\0\0\0\x01\0\0\0",
        ),
        ("HostGame", r#"["scmp_007"]"#, b"\x08\0\0\0HostGame\x01\0\0\0\x01\x08\0\0\0scmp_007"),
        ("DisconnectFromPeer", "[1]", b"\x12\0\0\0DisconnectFromPeer\x01\0\0\0\0\x01\0\0\0"),
        ("GameFull", "[]", b"\x08\0\0\0GameFull\0\0\0\0"),
    ];

    fn message(command: &str, args: &str) -> GpgNetMessage {
        GpgNetMessage::new(command, serde_json::from_str::<Vec<Json>>(args).unwrap())
    }

    #[test]
    fn the_examples_go_both_ways() {
        for (command, args, bytes) in EXAMPLES {
            let message = message(command, args);
            assert_eq!(encode(&message).unwrap(), bytes);
            let mut buffer = BytesMut::from(bytes);
            assert_eq!(decode(&mut buffer, &Limits::default()), Ok(Some(message)));
            assert_eq!(finish(&buffer), Ok(()));
        }
    }

    #[test]
    fn bytes_may_come_one_by_one() {
        let bytes: Vec<u8> = EXAMPLES.iter().flat_map(|(_, _, bytes)| *bytes).copied().collect();
        let mut buffer = BytesMut::new();
        let mut found = Vec::new();
        for byte in bytes {
            buffer.extend_from_slice(&[byte]);
            found.extend(decode(&mut buffer, &Limits::default()).unwrap());
        }
        let expected: Vec<_> = EXAMPLES.iter().map(|(command, args, _)| message(command, args)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lengths_are_those_of_the_bytes() {
        let message = message("Chat", r#"["é😀"]"#);
        let bytes = encode(&message).unwrap();
        assert_eq!(&bytes[8..], b"\x01\0\0\0\x01\x06\0\0\0\xC3\xA9\xF0\x9F\x98\x80");
        assert_eq!(decode(&mut BytesMut::from(bytes), &Limits::default()), Ok(Some(message)));
    }

    #[test]
    fn booleans_are_numbers_and_the_rest_is_refused() {
        assert_eq!(encode(&message("X", "[true,false]")).unwrap(), encode(&message("X", "[1,0]")).unwrap());
        assert_eq!(encode(&message("X", "[1e3,-2.0]")).unwrap(), encode(&message("X", "[1000,-2]")).unwrap());
        for args in ["[1.5]", "[2147483648]", "[null]", "[[1]]", "[1e10]"] {
            assert!(
                matches!(encode(&message("X", args)), Err(FramingError::Argument { index: 0, .. })),
                "{args}"
            );
        }
        assert_eq!(encode(&message("X", "[1,2,3,4,5,6,7,8,9,10,11]")), Err(FramingError::ArgumentCount(11)));
    }

    #[test]
    fn broken_frames_are_refused() {
        let error = |bytes: &[u8]| decode(&mut BytesMut::from(bytes), &Limits::default()).unwrap_err();
        let malformed = |reason, offset| DecodeError::Malformed { reason, offset };
        assert!(matches!(error(b"\xFF\xFF\xFF\xFF"), DecodeError::TooLarge { .. }));
        assert_eq!(error(b"\x01\0\0\0X\x0B\0\0\0"), malformed(Malformed::ArgumentCount, 5));
        assert_eq!(error(b"\x01\0\0\0X\x01\0\0\0\x02"), malformed(Malformed::ArgumentType, 9));
        assert_eq!(error(b"\x02\0\0\0X\xFF\0\0\0\0"), malformed(Malformed::Utf8, 5));
        assert_eq!(
            finish(&BytesMut::from(&b"\x01"[..])),
            Err(DecodeError::Incomplete { got: 1, expected: None })
        );
    }

    #[test]
    fn texts_of_control_characters_have_a_limit() {
        let frame = |length: usize, character: u8| {
            let text = vec![character; length];
            [b"\x04\0\0\0Chat\x01\0\0\0\x01", &(length as u32).to_le_bytes()[..], &text].concat()
        };
        let read = |bytes: Vec<u8>| decode(&mut BytesMut::from(&bytes[..]), &Limits::default());
        assert!(matches!(read(frame(1_000_000, 0)), Err(DecodeError::TooLarge { limit: 2_000_034, .. })));
        for (length, character) in [(20_000, 0), (1_000_000, b'\n'), (1_000_000, b'"'), (1_000_000, b'x')] {
            let message = read(frame(length, character)).unwrap().unwrap();
            let text = message.arguments().next().unwrap().as_str().unwrap();
            assert!(text.len() == length && text.bytes().all(|byte| byte == character));
        }
    }

    #[test]
    fn adapters_unescape() {
        assert_eq!(unescape("/tundra/n"), "\tundra\n");
    }
}
