//! Every limit that a peer can exceed, with its reason.

/// Largest message accepted by default: 10 MiB.
///
/// It is counted as the peer sends it, without the framing around it: the bytes of a line before
/// its end, the payload of a QDataStream block, the payload of a WebSocket message. The largest
/// message that clients are known to send is the `JsonStats` of a finished game (tens of
/// kilobytes); clients have been used to this limit for years (wire.md section 6).
pub const MESSAGE_LIMIT: usize = 10 * 1024 * 1024;

/// Largest message a server accepts by default before its sender has logged in: 64 KiB.
///
/// The largest message that clients send by then is a login with a token and the description of the
/// machine (some ten kilobytes, in the UTF-16 of QDataStream twice that). A peer that has not
/// logged in may be anyone, and there may be thousands of them.
pub const LOGIN_MESSAGE_LIMIT: usize = 64 * 1024;

/// Deepest nesting of arrays and objects accepted by default: 128.
///
/// The message itself is level one. No message of the protocol nests deeper than six (wire.md
/// section 7).
pub const NESTING_LIMIT: usize = 128;

/// Maximum value of [`Limits::nesting`]; any higher value counts as this.
///
/// Reading a value recurses once per level, so this bounds the stack to a few hundred kilobytes.
pub const NESTING_LIMIT_MAX: usize = 512;

/// Maximum value of [`Limits::message`]: 256 MiB; any higher value counts as this.
///
/// Positions inside a message are kept as 32-bit numbers.
pub const MESSAGE_LIMIT_MAX: usize = 256 * 1024 * 1024;

/// Longest integer accepted, in digits: 4300.
///
/// Integers that this crate does not interpret are passed on digit by digit. Python clients refuse
/// longer ones, so passing such a number on would break them (wire.md section 7).
pub const INTEGER_DIGITS_LIMIT: usize = 4300;

/// Maximum number of elements of a list in a message of a client: 10,000.
///
/// The longest known list has the players who must join a channel; there have never been as many
/// online. An element takes twice the memory of its text.
pub const LIST_LIMIT: usize = 10_000;

/// The limits within which a decoder accepts messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message in bytes; default [`MESSAGE_LIMIT`], at most [`MESSAGE_LIMIT_MAX`]. A larger
    /// one is [`DecodeError::TooLarge`](crate::DecodeError::TooLarge), detected before anything is
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
    /// Returns the message limit, capped at [`MESSAGE_LIMIT_MAX`].
    pub(crate) fn message_in_force(&self) -> usize {
        self.message.min(MESSAGE_LIMIT_MAX)
    }

    /// Returns the nesting limit, capped at [`NESTING_LIMIT_MAX`].
    pub(crate) fn nesting_in_force(&self) -> usize {
        self.nesting.min(NESTING_LIMIT_MAX)
    }
}
