//! Every bound a peer can run into, with its reason.

/// Largest message accepted by default: 10 MiB.
///
/// Counted as the peer sends it, without the framing around it: the bytes of a line before its end,
/// the payload of a QDataStream block, the payload of a WebSocket message. The largest message
/// clients are known to send is the `JsonStats` of a finished game (tens of kilobytes); the value
/// is the one clients have been used to for years (wire.md section 6).
pub const MESSAGE_LIMIT: usize = 10 * 1024 * 1024;

/// Largest message a server accepts by default before its sender has logged in: 64 KiB.
///
/// The largest one clients send by then is a login with a token and the description of the machine
/// (some ten kilobytes, in the UTF-16 of QDataStream twice that). A peer that has not logged in
/// may be anybody, thousands of times.
pub const LOGIN_MESSAGE_LIMIT: usize = 64 * 1024;

/// Deepest nesting of arrays and objects accepted by default: 128.
///
/// The message itself is level one. No message of the protocol nests deeper than six (wire.md
/// section 7).
pub const NESTING_LIMIT: usize = 128;

/// The highest value [`Limits::nesting`] takes effect with; anything above counts as this.
///
/// Reading a value recurses once a level, so this bounds the stack to a few hundred kilobytes.
pub const NESTING_LIMIT_MAX: usize = 512;

/// The highest value [`Limits::message`] takes effect with: 256 MiB; anything above counts as this.
///
/// Positions inside a message are kept as 32-bit numbers.
pub const MESSAGE_LIMIT_MAX: usize = 256 * 1024 * 1024;

/// Longest integer accepted, in digits: 4300.
///
/// Integers that nobody here interprets are passed on digit by digit. Python clients refuse longer
/// ones, so passing such a number on would break them (wire.md section 7).
pub const INTEGER_DIGITS_LIMIT: usize = 4300;

/// Most elements of a list in a message of a client: 10,000.
///
/// The longest that is known is that of the players who are to join a channel; there have never
/// been so many online. An element takes twice the memory of its text.
pub const LIST_LIMIT: usize = 10_000;

/// The limits within which a decoder accepts messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message in bytes; default [`MESSAGE_LIMIT`], at most [`MESSAGE_LIMIT_MAX`]. A larger
    /// one is [`DecodeError::TooLarge`](crate::DecodeError::TooLarge), noticed before anything is
    /// allocated for it.
    pub message: usize,
    /// Deepest nesting; default [`NESTING_LIMIT`], at most [`NESTING_LIMIT_MAX`]. A deeper message
    /// is [`DecodeError::TooDeep`](crate::DecodeError::TooDeep).
    pub nesting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: MESSAGE_LIMIT, nesting: NESTING_LIMIT }
    }
}

impl Limits {
    /// The message limit in force, after [`MESSAGE_LIMIT_MAX`].
    pub(crate) fn message_in_force(&self) -> usize {
        self.message.min(MESSAGE_LIMIT_MAX)
    }

    /// The nesting limit in force, after [`NESTING_LIMIT_MAX`].
    pub(crate) fn nesting_in_force(&self) -> usize {
        self.nesting.min(NESTING_LIMIT_MAX)
    }
}
