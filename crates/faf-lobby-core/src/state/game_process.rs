//! The state of a player's game process, and the player's activity.

use std::time::Duration;

use faf_protocol::GameId;
use serde::{Deserialize, Serialize};

/// The activity of a player (games.md section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Activity {
    Idle,
    SearchingLadder,
    /// The player is in a match whose game process has not started yet.
    StartingAutomatch,
    StartingGame,
    Hosting,
    Joining,
    Playing,
}

impl Activity {
    /// Returns whether the player's party must stay as it is: it searches, or is in a match that is
    /// being set up.
    pub(crate) fn needs_same_party(self) -> bool {
        matches!(self, Self::SearchingLadder | Self::StartingAutomatch)
    }

    /// Name of the activity in texts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::SearchingLadder => "SEARCHING_LADDER",
            Self::StartingAutomatch => "STARTING_AUTOMATCH",
            Self::StartingGame => "STARTING_GAME",
            Self::Hosting => "HOSTING",
            Self::Joining => "JOINING",
            Self::Playing => "PLAYING",
        }
    }
}

/// A player's game process, as far as the lobby knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GameConnection {
    pub(crate) game: GameId,
    pub(crate) state: ConnectionState,
    /// Time by which the process must have started.
    pub(crate) deadline: Duration,
}

/// State of a game process (games.md section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ConnectionState {
    /// The process is starting.
    Initializing,
    /// A guest's process has started, and is not in the game yet.
    Initialized,
    /// The process is in the game.
    Connected,
}
