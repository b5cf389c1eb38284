//! Events: everything that the lobby is told.

use std::net::IpAddr;

use faf_protocol::{ClientMessage, CommandError, Country, PlayerId, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::io::conn::ConnId;
use crate::io::records::Ban;
use crate::io::request::Reply;
use crate::settings::Settings;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A client has connected. Its first message may be read.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Its address, if that is known.
        address: Option<IpAddr>,
        /// The country of that address.
        country: Country,
        /// A random number for [`ask_session`](faf_protocol::client_message::AskSession).
        session: SessionNumber,
    },
    /// A message was read. The next one is read only after the effects of this event were carried
    /// out, and not between [`Effect::Hold`](crate::Effect::Hold) and
    /// [`Effect::Release`](crate::Effect::Release).
    Received {
        /// The connection.
        conn: ConnId,
        /// The message, or why it is none.
        message: Result<ClientMessage, CommandError>,
    },
    /// Bytes of an incomplete message have come: the client is there, and sends as fast as the line
    /// takes it.
    Heard {
        /// The connection.
        conn: ConnId,
    },
    /// A connection has ended, or was lost.
    Disconnected {
        /// The connection.
        conn: ConnId,
    },
    /// The reply to [`Effect::Request`](crate::Effect::Request); exactly one for each.
    Replied {
        /// The reply.
        reply: Reply,
    },
    /// A player was banned. A player who is online is told and disconnected if the ban is in force.
    Banned {
        /// The player.
        player: PlayerId,
        /// The ban that ends last, in force or not.
        ban: Ban,
    },
    /// The operator wants a player to be disconnected; nothing happens if the player is offline.
    Kicked {
        /// The player.
        player: PlayerId,
        /// The text that the player is told; empty for that of the lobby.
        reason: String,
    },
    /// The operator has changed settings.
    Reconfigured {
        /// All of them as they are from now on.
        settings: Box<Settings>,
    },
    /// The operator wants the server to end: the first time gracefully, the second time at once.
    Shutdown,
}
