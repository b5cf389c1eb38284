//! Errors in bytes and messages, by cause.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason why bytes from a peer are not a message.
///
/// "Not enough bytes yet" is not an error: decoders return `Ok(None)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The stream ended inside a message.
    #[error("the stream ended inside a message, after {got} bytes{}", Expected(*.expected))]
    Incomplete {
        /// Number of bytes of the unfinished message (or of its length header) that arrived.
        got: usize,
        /// Number of bytes that were announced, in formats that announce them.
        expected: Option<usize>,
    },
    /// The bytes break the rules of the wire format or of JSON.
    #[error("malformed message: {reason} at byte {offset}")]
    Malformed {
        /// The problem.
        reason: Malformed,
        /// Offset in bytes from the beginning of the message, framing included.
        offset: usize,
    },
    /// The message is larger than [`Limits::message`](crate::Limits::message).
    #[error("message of {size} bytes, where {limit} are allowed")]
    TooLarge {
        /// The limit in force, in bytes.
        limit: usize,
        /// The announced size in bytes, or the size received when the limit was exceeded.
        size: usize,
    },
    /// The message nests deeper than [`Limits::nesting`](crate::Limits::nesting).
    #[error("nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// The limit in force, in levels.
        limit: usize,
        /// Offset in bytes from the beginning of the message to the first level that is too deep.
        offset: usize,
    },
    /// The text is JSON, but not an object.
    #[error("a message must be a JSON object, not {found}")]
    NotAnObject {
        /// Kind of the value.
        found: JsonKind,
    },
}

impl DecodeError {
    /// Returns the error with its offset counted from `by` bytes earlier.
    #[must_use]
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        if let Self::Malformed { offset, .. } | Self::TooDeep { offset, .. } = &mut self {
            *offset += by;
        }
        self
    }
}

struct Expected(Option<usize>);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(expected) => write!(f, " of {expected}"),
            None => Ok(()),
        }
    }
}

/// The problem with a malformed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The text ends inside a JSON value, or contains none.
    #[error("the text ends where JSON goes on")]
    UnexpectedEnd,
    /// A character that JSON does not allow here.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// There is text after the JSON value.
    #[error("text after the JSON value")]
    TrailingText,
    /// A control character inside a string, not escaped.
    #[error("unescaped control character in a string")]
    ControlCharacter,
    /// An escape sequence that JSON does not have.
    #[error("unknown escape sequence")]
    Escape,
    /// An escaped surrogate without its partner, which is not a character.
    #[error("escaped surrogate without its partner")]
    LoneSurrogate,
    /// `NaN`, an infinity, or a number beyond the range of a 64-bit float.
    #[error("number that is not finite")]
    NonFinite,
    /// A number in a form that JSON does not allow, such as `01` or `1.`.
    #[error("invalid number")]
    Number,
    /// An integer with more digits than
    /// [`INTEGER_DIGITS_LIMIT`](crate::limits::INTEGER_DIGITS_LIMIT).
    #[error("integer of too many digits")]
    IntegerDigits,
    /// Bytes that are not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// An empty QDataStream block, or one too short for the length of its first string.
    #[error("block too short for a string")]
    ShortBlock,
    /// A QString longer than the rest of its block; the null string counts as such.
    #[error("string longer than its block")]
    QStringLength,
    /// A QString that is not UTF-16: odd length or unpaired surrogate.
    #[error("invalid UTF-16")]
    Utf16,
    /// The first part of a block has a member `legacy` that is not an array, so that later parts
    /// cannot be appended to it.
    #[error("`legacy` is not an array")]
    LegacyMember,
    /// A WebSocket frame with reserved bits or a reserved opcode.
    #[error("reserved bit or opcode in a WebSocket frame")]
    ReservedFrame,
    /// A WebSocket frame masked where it must not be, or not masked where it must be.
    #[error("WebSocket frame with wrong masking")]
    Masking,
    /// A WebSocket control frame that is fragmented or longer than 125 bytes, or a close frame with
    /// a wrong code.
    #[error("wrong WebSocket control frame")]
    ControlFrame,
    /// A WebSocket continuation without a beginning, or a beginning inside an unfinished message.
    #[error("WebSocket fragments out of order")]
    Fragment,
    /// A length of a WebSocket frame in a longer form than needed.
    #[error("WebSocket frame length not in its shortest form")]
    FrameLength,
    /// A GPGNet frame with more arguments than
    /// [`gpgnet::framing::ARGUMENT_LIMIT`](crate::gpgnet::framing::ARGUMENT_LIMIT).
    #[error("more arguments than a game message may have")]
    ArgumentCount,
    /// A GPGNet argument of unknown type.
    #[error("unknown argument type")]
    ArgumentType,
}

/// The kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum JsonKind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl JsonKind {
    /// Returns the kind of the valid value that begins with this byte.
    pub(crate) fn of_first_byte(byte: Option<&u8>) -> Self {
        match byte {
            Some(b'"') => Self::String,
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// The reason why a message cannot be encoded in a wire format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value is not a JSON object, or contains something that JSON cannot express.
    #[error("not representable as a JSON object: {0}")]
    NotRepresentable(String),
    /// The frame would exceed the range of its length field.
    #[error("message of {size} bytes, where {limit} are possible")]
    TooLarge {
        /// Largest value of the length field, in bytes.
        limit: usize,
        /// Size of the message, in bytes.
        size: usize,
    },
}

impl EncodeError {
    pub(crate) fn not_representable(reason: impl fmt::Display) -> Self {
        Self::NotRepresentable(reason.to_string())
    }
}

/// A member of a message that is missing or of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}{reason}", Field(.field.as_deref()))]
pub struct FieldError {
    /// Name of the member, if it is known.
    pub field: Option<String>,
    /// The problem with it, in words for a client developer.
    pub reason: String,
}

struct Field<'a>(Option<&'a str>);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "`{name}`: "),
            None => Ok(()),
        }
    }
}
