//! Refusals: what a client is told, and whether its connection stays (session.md section 11).

use std::borrow::Cow;

use faf_protocol::server_message::{
    AuthenticationFailed, Disabled, GameJoinFailed, GameJoinFailure, Invalid, Notice, NoticeStyle,
    ServerMessage,
};
use faf_protocol::{CommandError, GameId};

use crate::client_text::quoted;
use crate::io::records::{UnknownMod, UnknownPlayer};
use crate::io::request::Unavailable;
use crate::texts;

/// The reason why a command is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The message is none of the protocol: unknown command, missing or wrong members.
    Invalid { request: Option<String>, reason: String },
    /// The connection must log in first.
    NotLoggedIn { command: &'static str },
    /// The player cannot have that; everything stays as it is.
    Declined(Cow<'static, str>),
    /// As above, and the player is told in another tone.
    Informed(Cow<'static, str>),
    /// As above, about a game that cannot be joined; programs are told, too.
    CannotJoin { game: GameId, reason: GameJoinFailure },
    /// Login or token are not accepted.
    AuthenticationFailed(&'static str),
    /// There is no way on with this connection; another one may fare better.
    Fatal(Box<Notice>),
    /// There is no way on for this player or with these credentials: the client must not log in
    /// again by itself.
    TurnedOut(Box<Notice>),
    /// Not while the server shuts down.
    Disabled { request: &'static str },
}

impl Refusal {
    /// Both texts may be the client's own, and of any length.
    pub(crate) fn invalid(request: Option<String>, reason: String) -> Self {
        Self::Invalid { request: request.map(quoted), reason: quoted(reason) }
    }

    /// The player cannot have that, and this is why.
    pub(crate) fn declined(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Declined(text.into())
    }

    /// The same in another tone.
    pub(crate) fn informed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Informed(text.into())
    }

    pub(crate) fn fatal(text: &str) -> Self {
        Self::Fatal(Box::new(Notice::new(NoticeStyle::Error, text)))
    }

    pub(crate) fn turned_out(text: &str) -> Self {
        Self::TurnedOut(Box::new(Notice::new(NoticeStyle::Error, text)))
    }

    /// The messages that the client gets.
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
            Self::TurnedOut(notice) => farewell(Notice::clone(notice)).into(),
            Self::Disabled { request } => {
                vec![ServerMessage::Disabled(Disabled { request: (*request).to_owned() })]
            }
        }
    }

    /// Why the connection is closed, for the log; none if it stays.
    pub(crate) fn closes_because(&self) -> Option<String> {
        match self {
            Self::Invalid { request, reason } => {
                let request = request.as_deref().unwrap_or("a message");
                Some(format!("{request} is invalid: {reason}"))
            }
            Self::NotLoggedIn { command } => Some(format!("{command} before login")),
            Self::Fatal(notice) | Self::TurnedOut(notice) => Some(notice.text.clone().unwrap_or_default()),
            Self::Declined(_)
            | Self::Informed(_)
            | Self::CannotJoin { .. }
            | Self::AuthenticationFailed(_)
            | Self::Disabled { .. } => None,
        }
    }
}

/// The messages before a connection is closed for good.
///
/// Clients take the end of a connection for an accident and log in again at once, whatever a notice
/// has said; what keeps them from that is a login that has failed.
pub(crate) fn farewell(notice: Notice) -> [ServerMessage; 2] {
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
