//! The state of a player's game process, and what the player does.

use std::time::Duration;

use faf_protocol::GameId;
use serde::{Deserialize, Serialize};

/// The activity of a player (games.md section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Activity {
    Idle,
    StartingGame,
    Hosting,
    Joining,
    Playing,
}

impl Activity {
    /// Its name in texts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::StartingGame => "STARTING_GAME",
            Self::Hosting => "HOSTING",
            Self::Joining => "JOINING",
            Self::Playing => "PLAYING",
        }
    }
}

/// A player's game process, as far as the lobby hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GameConnection {
    pub(crate) game: GameId,
    pub(crate) state: ConnectionState,
    /// When the process must have started.
    pub(crate) deadline: Duration,
}

/// How far a game process has come (games.md section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ConnectionState {
    /// It is being started.
    Initializing,
    /// A guest's process is there, and not yet in the game.
    Initialized,
    /// It is in the game.
    Connected,
}
