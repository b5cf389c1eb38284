//! Events: every input of the lobby.

use std::net::IpAddr;

use faf_protocol::{ClientMessage, CommandError, Country, Message, PlayerId, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::io::{Ban, ConnId, Reply};
use crate::settings::Settings;

/// An input of the lobby.
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
    /// A message was read. The shell reads the next one only after it has performed the effects of
    /// this event, and not between [`Effect::Hold`](crate::Effect::Hold) and
    /// [`Effect::Release`](crate::Effect::Release).
    Received {
        /// The connection.
        conn: ConnId,
        /// The message, or the reason why it cannot be read.
        message: Result<ClientMessage, CommandError>,
    },
    /// Bytes of an incomplete message have arrived: the client is alive, and sends as fast as its
    /// network allows.
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
    /// A player was banned. An online player is notified and disconnected if the ban is in force.
    Banned {
        /// The player.
        player: PlayerId,
        /// The ban that ends last, in force or not.
        ban: Ban,
    },
    /// The operator disconnects a player; nothing happens if the player is offline.
    Kicked {
        /// The player.
        player: PlayerId,
        /// Text that the player receives; empty for the lobby's own text.
        reason: String,
    },
    /// Another service sends a message to clients (ops.md section 11.3). The shell bounds its size
    /// and the rate of such events.
    Notification {
        /// The receiver, who may be offline; `None` for every client that is logged in.
        to: Option<PlayerId>,
        /// The message, which is passed on as it is.
        message: Message,
    },
    /// Another service has changed the selected avatar of a player, who may be offline, in the
    /// database, from which it is read again.
    AvatarChanged {
        /// The player.
        player: PlayerId,
    },
    /// The operator has changed settings.
    Reconfigured {
        /// All settings, as they are from now on.
        settings: Box<Settings>,
    },
    /// The operator ends the server: the first time gracefully, the second time at once.
    Shutdown,
}
