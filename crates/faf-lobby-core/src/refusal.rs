//! What a client is told when it is refused, and whether its connection stays (session.md section 11).

use faf_protocol::CommandError;
use faf_protocol::server_message::{
    AuthenticationFailed, Disabled, Invalid, Notice, NoticeStyle, ServerMessage,
};

use crate::client_text::quoted;

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The message is none of the protocol: unknown command, missing or wrong members.
    Invalid { request: Option<String>, reason: String },
    /// The connection must log in first.
    NotLoggedIn { command: &'static str },
    /// The player cannot have that; everything stays as it is.
    Declined(&'static str),
    /// As above, and the player is told in another tone.
    Informed(&'static str),
    /// Login or token are not accepted.
    AuthenticationFailed(&'static str),
    /// There is no way on with this connection.
    Fatal(Box<Notice>),
    /// Not while the server shuts down.
    Disabled { request: &'static str },
}

impl Refusal {
    /// Both texts may be the client's own, and of any length.
    pub(crate) fn invalid(request: Option<String>, reason: String) -> Self {
        Self::Invalid { request: request.map(quoted), reason: quoted(reason) }
    }

    pub(crate) fn fatal(text: &str) -> Self {
        Self::Fatal(Box::new(Notice::new(NoticeStyle::Error, text)))
    }

    /// What the client gets, if anything.
    pub(crate) fn message(&self) -> Option<ServerMessage> {
        Some(match self {
            Self::Invalid { request, reason } => {
                ServerMessage::Invalid(Invalid { request: request.clone(), reason: Some(reason.clone()) })
            }
            Self::NotLoggedIn { .. } => return None,
            Self::Declined(text) => ServerMessage::Notice(Notice::new(NoticeStyle::Error, *text)),
            Self::Informed(text) => ServerMessage::Notice(Notice::new(NoticeStyle::Info, *text)),
            Self::AuthenticationFailed(text) => {
                ServerMessage::AuthenticationFailed(AuthenticationFailed { text: (*text).to_owned() })
            }
            Self::Fatal(notice) => ServerMessage::Notice(Notice::clone(notice)),
            Self::Disabled { request } => {
                ServerMessage::Disabled(Disabled { request: (*request).to_owned() })
            }
        })
    }

    /// Why the connection is closed, for the log; none if it stays.
    pub(crate) fn closes_because(&self) -> Option<String> {
        match self {
            Self::Invalid { request, reason } => {
                let request = request.as_deref().unwrap_or("a message");
                Some(format!("{request} is invalid: {reason}"))
            }
            Self::NotLoggedIn { command } => Some(format!("{command} before login")),
            Self::Fatal(notice) => Some(notice.text.clone().unwrap_or_default()),
            Self::Declined(_) | Self::Informed(_) | Self::AuthenticationFailed(_) | Self::Disabled { .. } => {
                None
            }
        }
    }
}

impl From<CommandError> for Refusal {
    fn from(CommandError { command, error }: CommandError) -> Self {
        Self::invalid(command, error.to_string())
    }
}
