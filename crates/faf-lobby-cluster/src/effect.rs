//! Effects that a gateway performs, as they travel to it.

use std::sync::Arc;

use faf_lobby_core::{Audience, Closing, ConnId, HoldReason};
use faf_protocol::limits::NESTING_LIMIT_MAX;
use faf_protocol::{Limits, Message, ServerMessage};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// Largest text of an effect in one piece: 128 KiB. Longer ones travel as several pieces, because a
/// message of NATS has at most 1 MiB unless an operator allows more.
const PIECE_BYTES: usize = 128 * 1024;

/// Longest text of a message to a client that a gateway accepts: 64 MiB.
const MESSAGE_LIMIT: usize = 64 * 1024 * 1024;

/// Hash of the content of a list for logins: 32 hexadecimal digits.
pub(crate) type ContentHash = String;

/// An effect for the connections of one gateway, or of all. `M` is a message to clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GatewayEffect<M = ServerMessage> {
    /// See [`Effect::Send`](faf_lobby_core::Effect::Send).
    Send {
        /// The receivers.
        to: Receivers,
        /// The message.
        message: M,
    },
    /// See [`Effect::SendSnapshot`](faf_lobby_core::Effect::SendSnapshot).
    SendList {
        /// The receiver.
        conn: ConnId,
        /// Hash of the content, which the gateway keeps for further logins; `None` for a list
        /// that is made for this client alone.
        hash: Option<ContentHash>,
        /// The message; `None` if this gateway was sent it before.
        message: Option<M>,
    },
    /// See [`Effect::Relay`](faf_lobby_core::Effect::Relay).
    Relay {
        /// The sender's connection, which may be at another gateway.
        from: ConnId,
        /// The receiver's connection.
        to: ConnId,
        /// The message.
        message: M,
    },
    /// See [`Effect::Hold`](faf_lobby_core::Effect::Hold).
    Hold {
        /// The connection.
        conn: ConnId,
        /// The reason.
        reason: HoldReason,
    },
    /// See [`Effect::Release`](faf_lobby_core::Effect::Release).
    Release {
        /// The connection.
        conn: ConnId,
        /// The reason.
        reason: HoldReason,
    },
    /// See [`Effect::Done`](faf_lobby_core::Effect::Done).
    Done {
        /// The connection.
        conn: ConnId,
    },
    /// The world has handled an event of this connection: the next message may be read.
    Handled {
        /// The connection.
        conn: ConnId,
    },
    /// See [`Effect::LoggedIn`](faf_lobby_core::Effect::LoggedIn).
    LoggedIn {
        /// The connection.
        conn: ConnId,
    },
    /// A login on this connection was not accepted.
    LoginFailed {
        /// The connection.
        conn: ConnId,
    },
    /// See [`Effect::Close`](faf_lobby_core::Effect::Close).
    Close {
        /// The connection.
        conn: ConnId,
        /// Code and reason of the close frame.
        closing: Closing,
    },
}

/// [`Audience`], as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receivers {
    /// One connection.
    One(ConnId),
    /// Several connections.
    Several(Vec<ConnId>),
    /// Every connection that is logged in.
    LoggedIn,
    /// Every connection that is logged in, except these.
    LoggedInExcept(Vec<ConnId>),
}

impl From<Receivers> for Audience {
    fn from(receivers: Receivers) -> Self {
        match receivers {
            Receivers::One(conn) => Self::One(conn),
            Receivers::Several(conns) => Self::Several(conns),
            Receivers::LoggedIn => Self::LoggedIn,
            Receivers::LoggedInExcept(conns) => Self::LoggedInExcept(conns),
        }
    }
}

/// An effect as JSON text, or a piece of one. A gateway's line numbers these.
pub(crate) type Piece = Arc<RawValue>;

/// The content of a piece.
#[derive(Serialize, Deserialize)]
enum Content<E> {
    /// A whole effect.
    #[serde(rename = "e")]
    Whole(E),
    /// The beginning, or the middle, of an effect's text.
    #[serde(rename = "m")]
    More(String),
    /// The end of an effect's text.
    #[serde(rename = "l")]
    Last(String),
}

/// Returns an effect as the pieces in which it travels: one, unless it is long.
pub(crate) fn pieces<M: Serialize>(effect: &GatewayEffect<M>) -> Vec<Piece> {
    let text = to_raw_value(effect).expect("effects are JSON: their maps have text as keys");
    if text.get().len() <= PIECE_BYTES {
        return vec![raw(&Content::Whole(text))];
    }
    let mut rest = text.get();
    let mut pieces = Vec::new();
    while rest.len() > PIECE_BYTES {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        pieces.push(raw(&Content::<()>::More(piece.to_owned())));
        rest = after;
    }
    pieces.push(raw(&Content::<()>::Last(rest.to_owned())));
    pieces
}

fn raw(content: &impl Serialize) -> Piece {
    to_raw_value(content).expect("a piece is JSON").into()
}

/// Puts effects together from their pieces, which come in order.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    text: String,
}

/// A piece does not belong to an effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an effect of the core cannot be read: {0}")]
pub(crate) struct Unreadable(String);

impl Assembly {
    /// Adds the next piece. Returns the effect that it completes.
    ///
    /// # Errors
    /// [`Unreadable`] for what no core of this version sends.
    pub(crate) fn add(&mut self, piece: &RawValue) -> Result<Option<GatewayEffect>, Unreadable> {
        let unreadable = |error: serde_json::Error| Unreadable(error.to_string());
        match serde_json::from_str(piece.get()).map_err(unreadable)? {
            Content::Whole(effect) => typed(effect).map(Some),
            Content::More(text) if self.text.len() + text.len() > MESSAGE_LIMIT => {
                self.text = String::new();
                Err(Unreadable("it is longer than 64 MiB".to_owned()))
            }
            Content::More(text) => {
                self.text += &text;
                Ok(None)
            }
            Content::Last(text) => {
                let text = std::mem::take(&mut self.text) + &text;
                typed(serde_json::from_str(&text).map_err(unreadable)?).map(Some)
            }
        }
    }
}

/// Reads the message in an effect.
fn typed(effect: GatewayEffect<Box<RawValue>>) -> Result<GatewayEffect, Unreadable> {
    let read = |text: Box<RawValue>| {
        let limits = Limits { message: MESSAGE_LIMIT, nesting: NESTING_LIMIT_MAX };
        let message =
            Message::parse_text(text.get(), &limits).map_err(|error| Unreadable(error.to_string()))?;
        ServerMessage::read(message).map_err(|error| Unreadable(error.to_string()))
    };
    Ok(match effect {
        GatewayEffect::Send { to, message } => GatewayEffect::Send { to, message: read(message)? },
        GatewayEffect::SendList { conn, hash, message } => {
            GatewayEffect::SendList { conn, hash, message: message.map(read).transpose()? }
        }
        GatewayEffect::Relay { from, to, message } => {
            GatewayEffect::Relay { from, to, message: read(message)? }
        }
        GatewayEffect::Hold { conn, reason } => GatewayEffect::Hold { conn, reason },
        GatewayEffect::Release { conn, reason } => GatewayEffect::Release { conn, reason },
        GatewayEffect::Done { conn } => GatewayEffect::Done { conn },
        GatewayEffect::Handled { conn } => GatewayEffect::Handled { conn },
        GatewayEffect::LoggedIn { conn } => GatewayEffect::LoggedIn { conn },
        GatewayEffect::LoginFailed { conn } => GatewayEffect::LoginFailed { conn },
        GatewayEffect::Close { conn, closing } => GatewayEffect::Close { conn, closing },
    })
}
