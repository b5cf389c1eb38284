//! Refusals: the messages that a refused client receives, and whether its connection stays
//! (session.md section 11).

use std::borrow::Cow;

use faf_protocol::server_message::{
    AuthenticationFailed, Disabled, GameJoinFailed, GameJoinFailure, Invalid, Notice, NoticeStyle,
    ServerMessage,
};
use faf_protocol::{CommandError, GameId};

use crate::client_text::quoted;
use crate::io::{Unavailable, UnknownMod, UnknownPlayer};
use crate::texts;

/// The reason why a command is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The message does not follow the protocol: unknown command, missing or wrong members.
    Invalid { request: Option<String>, reason: String },
    /// The connection must log in first.
    NotLoggedIn { command: &'static str },
    /// The request is declined; the client receives an error notice and nothing changes.
    Declined(Cow<'static, str>),
    /// Like `Declined`, but with an information notice.
    Informed(Cow<'static, str>),
    /// The game cannot be joined; the client receives a code for programs and an
    /// information notice.
    CannotJoin { game: GameId, reason: GameJoinFailure },
    /// The login or the token is not accepted.
    AuthenticationFailed(&'static str),
    /// The connection is closed; a new one may succeed.
    Fatal(Box<Notice>),
    /// The connection is closed, and the client must not log in again by itself: neither this
    /// player nor these credentials will be accepted.
    Ejected(Box<Notice>),
    /// The command is disabled while the server shuts down.
    Disabled { request: &'static str },
}

impl Refusal {
    /// Both texts may come from the client, with any length, so they are shortened.
    pub(crate) fn invalid(request: Option<String>, reason: String) -> Self {
        Self::Invalid { request: request.map(quoted), reason: quoted(reason) }
    }

    /// Declines a request with this error notice.
    pub(crate) fn declined(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Declined(text.into())
    }

    /// Declines a request with this information notice.
    pub(crate) fn informed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Informed(text.into())
    }

    pub(crate) fn fatal(text: &str) -> Self {
        Self::Fatal(Box::new(Notice::new(NoticeStyle::Error, text)))
    }

    pub(crate) fn ejected(text: &str) -> Self {
        Self::Ejected(Box::new(Notice::new(NoticeStyle::Error, text)))
    }

    /// Returns the messages for the client.
    pub(crate) fn messages(&self) -> Vec<ServerMessage> {
        let notice = |style, text: &str| ServerMessage::Notice(Notice::new(style, text));
        match self {
            Self::Invalid { request, reason } => {
                let (request, reason) = (request.clone(), Some(reason.clone()));
                vec![ServerMessage::Invalid(Invalid { request, reason })]
            }
            Self::NotLoggedIn { .. } => Vec::new(),
            Self::Declined(text) => vec![notice(NoticeStyle::Error, text)],
            Self::Informed(text) => vec![notice(NoticeStyle::Info, text)],
            Self::CannotJoin { game, reason } => {
                let failed = GameJoinFailed { reason: *reason, uid: *game };
                let text = match reason {
                    GameJoinFailure::HostLeftGame => texts::HOST_HAS_LEFT,
                    GameJoinFailure::GameNotReady => texts::GAME_NOT_READY,
                    GameJoinFailure::BadPassword => texts::BAD_PASSWORD,
                };
                vec![ServerMessage::GameJoinFailed(failed), notice(NoticeStyle::Info, text)]
            }
            Self::AuthenticationFailed(text) => vec![authentication_failed(text)],
            Self::Fatal(notice) => vec![ServerMessage::Notice(Notice::clone(notice))],
            Self::Ejected(notice) => closing_messages(Notice::clone(notice)).into(),
            Self::Disabled { request } => {
                vec![ServerMessage::Disabled(Disabled { request: (*request).to_owned() })]
            }
        }
    }

    /// Returns the reason for closing the connection, for the log; `None` if it stays open.
    pub(crate) fn closes_because(&self) -> Option<String> {
        match self {
            Self::Invalid { request, reason } => {
                let request = request.as_deref().unwrap_or("a message");
                Some(format!("{request} is invalid: {reason}"))
            }
            Self::NotLoggedIn { command } => Some(format!("{command} before login")),
            Self::Fatal(notice) | Self::Ejected(notice) => Some(notice.text.clone().unwrap_or_default()),
            Self::Declined(_)
            | Self::Informed(_)
            | Self::CannotJoin { .. }
            | Self::AuthenticationFailed(_)
            | Self::Disabled { .. } => None,
        }
    }
}

/// Returns the messages to a client before its connection is closed for good.
///
/// Clients take the end of a connection for an accident and log in again at once, whatever notice
/// they received. Only a failed login stops them.
pub(crate) fn closing_messages(notice: Notice) -> [ServerMessage; 2] {
    let failed = authentication_failed(notice.text.as_deref().unwrap_or_default());
    [ServerMessage::Notice(notice), failed]
}

fn authentication_failed(text: &str) -> ServerMessage {
    ServerMessage::AuthenticationFailed(AuthenticationFailed { text: text.to_owned() })
}

impl From<Unavailable> for Refusal {
    fn from(Unavailable: Unavailable) -> Self {
        Self::fatal(texts::DATABASE_UNAVAILABLE)
    }
}

impl From<UnknownPlayer> for Refusal {
    fn from(UnknownPlayer: UnknownPlayer) -> Self {
        Self::declined(texts::UNKNOWN_PLAYER)
    }
}

impl From<UnknownMod> for Refusal {
    fn from(UnknownMod: UnknownMod) -> Self {
        Self::declined(texts::UNKNOWN_MOD)
    }
}

impl From<CommandError> for Refusal {
    fn from(CommandError { command, error }: CommandError) -> Self {
        Self::invalid(command, error.to_string())
    }
}
