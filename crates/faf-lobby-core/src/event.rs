//! What the lobby is told.

use std::net::IpAddr;

use faf_protocol::{ClientMessage, CommandError, Country, PlayerId, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::io::records::Ban;
use crate::io::request::Reply;
use crate::settings::Settings;

/// A connection, as the lobby knows it. Never used again after it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Somebody has connected. Its first message may be read.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Where it comes from, if that is known.
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
        /// From whom.
        conn: ConnId,
        /// The message, or why it is none.
        message: Result<ClientMessage, CommandError>,
    },
    /// Bytes have come of a message that is not complete: somebody is there, and sends as fast as the line takes it.
    Heard {
        /// From whom.
        conn: ConnId,
    },
    /// A connection has ended, or was lost.
    Disconnected {
        /// Which.
        conn: ConnId,
    },
    /// The reply to [`Effect::Request`](crate::Effect::Request); exactly one for each.
    Replied {
        /// The reply.
        reply: Reply,
    },
    /// A player was banned. A player who is online is told and disconnected if the ban is in force.
    Banned {
        /// Who.
        player: PlayerId,
        /// The ban that ends last, in force or not.
        ban: Ban,
    },
    /// The operator wants a player to be disconnected, if he is online.
    Kicked {
        /// Who.
        player: PlayerId,
        /// What he is told; empty for the words of the lobby.
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
