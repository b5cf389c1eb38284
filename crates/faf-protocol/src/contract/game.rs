//! When games may send each command, and when the server sends commands for them.

use crate::gpgnet::{CommandForGame, GameCommand};

/// The part of a game's life in which a command has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// From `game_launch` to the end of the process.
    Any,
    /// From the moment when the process is in the lobby of the game.
    Joined,
    /// In the lobby of the game, before the launch.
    Lobby,
    /// After the launch.
    Live,
}

impl Phase {
    /// Returns the phase in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Any => "from `game_launch` to the end of the process",
            Self::Joined => "from `GameState` `Lobby` to the end of the process",
            Self::Lobby => "in the lobby of the game, before the launch",
            Self::Live => "after `GameState` `Launching`",
        }
    }
}

/// The rules of a game's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GameRules {
    /// When it has an effect. At other times the server ignores it.
    pub phase: Phase,
    /// Whether it has an effect only from the host's process.
    pub host_only: bool,
    /// Whether it may have any arguments, or further ones.
    pub is_open_ended: bool,
    /// The commands for games that follow.
    pub replies: &'static [CommandForGame],
    /// Its effect, as a sentence.
    pub effect: &'static str,
}

const fn rule(phase: Phase, host_only: bool, is_open_ended: bool, effect: &'static str) -> GameRules {
    GameRules { phase, host_only, is_open_ended, replies: &[], effect }
}

const fn with_replies(mut rules: GameRules, replies: &'static [CommandForGame]) -> GameRules {
    rules.replies = replies;
    rules
}

impl GameCommand {
    /// Returns the rules of a game's command.
    #[must_use]
    pub const fn rules(self) -> GameRules {
        use CommandForGame as ForGame;
        use Phase::{Any, Joined, Live, Lobby};

        match self {
            // phase, host only, open-ended
            GameCommand::GameState => with_replies(
                rule(
                    Any,
                    false,
                    false,
                    "`Idle`, `Lobby`, `Launching` and `Ended`, in this order. `Lobby` is followed by `HostGame` to a host, and by `JoinGame` and `ConnectToPeer` to a guest and those who are there.",
                ),
                &[ForGame::HostGame, ForGame::JoinGame, ForGame::ConnectToPeer, ForGame::DisconnectFromPeer],
            ),
            GameCommand::GameOption => {
                rule(Lobby, true, false, "Changes the game, which the next report shows.")
            }
            GameCommand::PlayerOption => rule(
                Lobby,
                true,
                false,
                "Changes the player's slot; the first one makes the player count as present.",
            ),
            GameCommand::AiOption => {
                rule(Lobby, true, false, "Changes an AI. A game with an AI is not rated.")
            }
            GameCommand::ClearSlot => rule(Lobby, true, false, "Empties a slot."),
            GameCommand::GameMods => rule(Lobby, true, false, "Changes the list of mods."),
            GameCommand::GameResult => {
                rule(Live, false, false, "A report about an army; the majority of the reports decides.")
            }
            GameCommand::GameEnded => rule(
                Live,
                false,
                true,
                "The simulation is over for this player. The game ends when it is for all.",
            ),
            GameCommand::JsonStats => rule(Live, false, false, "Statistics for achievements and events."),
            GameCommand::Desync => rule(Live, false, true, "Counted: a game with too many is not rated."),
            GameCommand::EnforceRating => rule(Live, false, false, "The game is rated even if it is short."),
            GameCommand::OperationComplete => {
                rule(Live, false, false, "An entry on the leaderboard of co-op missions.")
            }
            GameCommand::TeamkillReport => rule(Live, false, true, "None."),
            GameCommand::TeamkillHappened => {
                rule(Live, false, false, "Stored for moderators, unless an AI took part.")
            }
            GameCommand::IceMsg => with_replies(
                rule(
                    Joined,
                    false,
                    false,
                    "Passed on to the receiver, with the sender's id in place of the receiver's.",
                ),
                &[ForGame::IceMsg],
            ),
            GameCommand::Chat => rule(Joined, false, false, "None."),
            GameCommand::GameFull => rule(Lobby, false, false, "None."),
            GameCommand::Rehost => rule(
                Joined,
                false,
                true,
                "None for the server; clients host again when the process has ended.",
            ),
            GameCommand::Bottleneck => rule(
                Joined,
                false,
                true,
                "None. May also come before the login, from a game whose client has lost its connection.",
            ),
            GameCommand::BottleneckCleared => rule(Joined, false, true, "None."),
            GameCommand::Disconnected => rule(Joined, false, true, "None."),
            GameCommand::LaunchStatus => rule(
                Joined,
                false,
                false,
                "Tells how ready a process is for the launch of a match: `Ready`, `Rejected` and others.",
            ),
            GameCommand::EstablishedPeer => {
                rule(Joined, false, false, "Tells who can be blamed if a match is not launched.")
            }
            GameCommand::DisconnectedPeer => rule(Joined, false, false, "Takes back `EstablishedPeer`."),
        }
    }
}

/// The rules of a command for the game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForGameRules {
    /// When it is sent, as a sentence.
    pub sent: &'static str,
    /// Whether it is only sent to a process that has reported `Lobby`.
    pub after_lobby: bool,
}

impl CommandForGame {
    /// Returns the rules of a command for the game.
    #[must_use]
    pub const fn rules(self) -> ForGameRules {
        match self {
            CommandForGame::HostGame => {
                ForGameRules { sent: "When the host's process reports `Lobby`.", after_lobby: true }
            }
            CommandForGame::JoinGame => ForGameRules {
                sent: "When a guest's process reports `Lobby`; the first command that it receives.",
                after_lobby: true,
            },
            CommandForGame::ConnectToPeer => ForGameRules {
                sent: "To both sides, for each player who is there when a guest comes; one side gets `offer` true.",
                after_lobby: true,
            },
            CommandForGame::DisconnectFromPeer => {
                ForGameRules { sent: "When a player leaves the lobby of the game.", after_lobby: false }
            }
            CommandForGame::IceMsg => ForGameRules {
                sent: "When another process sends an `IceMsg` to this one.",
                after_lobby: false,
            },
        }
    }
}
