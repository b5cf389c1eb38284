//! The preconditions of getting into a game (games.md section 1), which `game_host`, `game_join`
//! and `restore_game_session` share.

use faf_protocol::client_message::{GameHost, GameJoin, GameMatchmaking};
use faf_protocol::{ClientCommand, PlayerId};
use serde::{Deserialize, Serialize};

use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{Activity, Lobby};
use crate::texts;

/// A way for a player to get into a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    Host,
    Join,
    Reconnect,
}

impl Entry {
    /// Returns the way of entry that a command requests.
    pub(crate) fn of(command: ClientCommand) -> Option<Self> {
        match command {
            ClientCommand::GameHost => Some(Self::Host),
            ClientCommand::GameJoin => Some(Self::Join),
            ClientCommand::RestoreGameSession => Some(Self::Reconnect),
            _ => None,
        }
    }

    /// The request in words, for texts.
    fn wish(self) -> &'static str {
        match self {
            Self::Host => "host a game",
            Self::Join => "join a game",
            Self::Reconnect => "reconnect to a game",
        }
    }
}

/// Checks that the client can play, and that the player is not busy with anything else.
pub(crate) fn check_can_play(lobby: &Lobby, conn: ConnId, entry: Entry) -> Result<(), Refusal> {
    if lobby.session(conn).is_outdated {
        return Err(Refusal::declined(texts::OUTDATED_CLIENT_NO_GAMES));
    }
    check_idle(lobby, lobby.player_of(conn), entry.wish())
}

/// Checks that a player is not busy with anything else. The text of the refusal says what the
/// player wishes to do.
pub(crate) fn check_idle(lobby: &Lobby, player: PlayerId, wish: &str) -> Result<(), Refusal> {
    match lobby.players.get(player).map(|online| online.activity) {
        None | Some(Activity::Idle) => Ok(()),
        Some(busy) => Err(Refusal::declined(texts::busy(wish, busy.name()))),
    }
}

/// A command that continues when the player's ban has been looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum BanCheck {
    Host(Box<GameHost>),
    Join(GameJoin),
    Search {
        request: GameMatchmaking,
        /// The members of the party whose bans were looked up so far, and the one whose is now.
        looked_up: Vec<PlayerId>,
    },
    /// A message of such a command that cannot be read.
    Refuse {
        entry: Entry,
        command: String,
        reason: String,
    },
}
