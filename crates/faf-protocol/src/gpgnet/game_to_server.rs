use crate::ids::PlayerId;
use crate::json::Json;

use super::arguments::{ArgumentError, Arguments};
use super::{GpgNetMessage, WithSurplus};

/// Commands from the game to the server (wire.md section 9).
///
/// Integers may come as numbers or as their text. "Host" means that the server listens to the
/// host's game only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GameToServer {
    /// The game has come to this state.
    GameState {
        /// The state.
        state: GameState,
    },
    /// Host: an option of the lobby.
    GameOption {
        /// Name of the option.
        key: String,
        /// Its value, of any type.
        value: Json,
    },
    /// Host: an option of a player.
    PlayerOption {
        /// The player.
        player_id: PlayerId,
        /// Name of the option.
        key: String,
        /// Its value, of any type.
        value: Json,
    },
    /// Host: an option of an AI.
    AiOption {
        /// Name of the AI.
        name: String,
        /// Name of the option.
        key: String,
        /// Its value, of any type.
        value: Json,
    },
    /// Host: a slot is empty now.
    ClearSlot {
        /// The slot.
        slot: i64,
    },
    /// Host: the mods of the simulation.
    GameMods(GameMods),
    /// How an army fared.
    GameResult {
        /// Number of the army.
        army: i64,
        /// Zero or more words, then the outcome, then the score: `victory 10`, `recall defeat -10`.
        result: String,
    },
    /// The simulation has ended for this player.
    GameEnded,
    /// Statistics of all armies.
    JsonStats {
        /// JSON text, tens of kilobytes.
        stats: String,
    },
    /// The simulations of the players have drifted apart.
    Desync,
    /// The game counts, however short it was.
    EnforceRating,
    /// A co-op mission is over.
    OperationComplete {
        /// Whether the primary objectives were met.
        primary: bool,
        /// Whether the secondary objectives were met.
        secondary: bool,
        /// How long it took: `HH:MM:SS`.
        delta: String,
    },
    /// A player accuses another of killing a team mate. All arguments are surplus: nobody reads
    /// them.
    TeamkillReport,
    /// A commander was killed by a team mate.
    TeamkillHappened {
        /// Seconds since the game began; some games send a fraction, or text.
        gametime: Json,
        /// The victim; 0 for an AI.
        victim_id: PlayerId,
        /// Name of the victim.
        victim_name: String,
        /// The player who did it; 0 for an AI.
        teamkiller_id: PlayerId,
        /// Name of the player who did it.
        teamkiller_name: String,
    },
    /// An ICE message for another player, to be passed on as it is.
    IceMsg {
        /// For whom.
        receiver_id: PlayerId,
        /// The message; a string from today's adapters.
        message: Json,
    },
    /// A line of chat in the game.
    Chat {
        /// The line.
        text: String,
    },
    /// The game is full.
    GameFull,
    /// The host wants to play again. All arguments are surplus.
    Rehost,
    /// Somebody slows the game down. All arguments are surplus.
    Bottleneck,
    /// Nobody slows the game down any more. All arguments are surplus.
    BottleneckCleared,
    /// The game lost its peers. All arguments are surplus.
    Disconnected,
    /// How a launch went.
    LaunchStatus {
        /// For example `Rejected`.
        status: String,
    },
    /// A connection to a peer stands (automatic lobbies since December 2024).
    EstablishedPeer {
        /// The peer.
        peer_id: PlayerId,
    },
    /// A connection to a peer is gone (automatic lobbies since December 2024).
    DisconnectedPeer {
        /// The peer.
        peer_id: PlayerId,
    },
    /// A command that is not in this list; all its arguments are surplus.
    Unknown {
        /// Its name.
        command: String,
    },
}

/// The states of a game process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GameState {
    /// Started, and waiting to be told whether to host or to join.
    Idle,
    /// In the lobby before the launch.
    Lobby,
    /// The simulation begins.
    Launching,
    /// The process is gone; sent by the client on its behalf.
    Ended,
    /// A state that is not in this list.
    Other(String),
}

impl GameState {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Idle => "Idle",
            Self::Lobby => "Lobby",
            Self::Launching => "Launching",
            Self::Ended => "Ended",
            Self::Other(other) => other,
        }
    }
}

impl From<String> for GameState {
    fn from(word: String) -> Self {
        match word.as_str() {
            "Idle" => Self::Idle,
            "Lobby" => Self::Lobby,
            "Launching" => Self::Launching,
            "Ended" => Self::Ended,
            _ => Self::Other(word),
        }
    }
}

/// A host's statement about the mods of the simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GameMods {
    /// How many are active; 0 clears the list.
    Activated {
        /// Number of mods.
        count: i64,
    },
    /// The active mods.
    Uids {
        /// Uids, separated by blanks.
        uids: String,
    },
    /// Something else, which the server ignores; its further arguments are surplus.
    Other {
        /// The first argument.
        mode: String,
    },
}

impl GameToServer {
    /// The name of the command on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::GameState { .. } => "GameState",
            Self::GameOption { .. } => "GameOption",
            Self::PlayerOption { .. } => "PlayerOption",
            Self::AiOption { .. } => "AIOption",
            Self::ClearSlot { .. } => "ClearSlot",
            Self::GameMods(_) => "GameMods",
            Self::GameResult { .. } => "GameResult",
            Self::GameEnded => "GameEnded",
            Self::JsonStats { .. } => "JsonStats",
            Self::Desync => "Desync",
            Self::EnforceRating => "EnforceRating",
            Self::OperationComplete { .. } => "OperationComplete",
            Self::TeamkillReport => "TeamkillReport",
            Self::TeamkillHappened { .. } => "TeamkillHappened",
            Self::IceMsg { .. } => "IceMsg",
            Self::Chat { .. } => "Chat",
            Self::GameFull => "GameFull",
            Self::Rehost => "Rehost",
            Self::Bottleneck => "Bottleneck",
            Self::BottleneckCleared => "BottleneckCleared",
            Self::Disconnected => "Disconnected",
            Self::LaunchStatus { .. } => "LaunchStatus",
            Self::EstablishedPeer { .. } => "EstablishedPeer",
            Self::DisconnectedPeer { .. } => "DisconnectedPeer",
            Self::Unknown { command } => command,
        }
    }

    /// Reads a command and the arguments after those it needs.
    ///
    /// # Errors
    /// [`ArgumentError`] for the first argument that is missing or of the wrong type.
    pub fn read(message: &GpgNetMessage) -> Result<WithSurplus<Self>, ArgumentError> {
        let mut args = Arguments::new(message);
        let command = match message.command.as_str() {
            "GameState" => Self::GameState { state: args.text("state")?.into() },
            "GameOption" => Self::GameOption { key: args.text("key")?, value: args.json("value")? },
            "PlayerOption" => Self::PlayerOption {
                player_id: args.parse("player_id")?,
                key: args.text("key")?,
                value: args.json("value")?,
            },
            "AIOption" => Self::AiOption {
                name: args.text("name")?,
                key: args.text("key")?,
                value: args.json("value")?,
            },
            "ClearSlot" => Self::ClearSlot { slot: args.integer("slot")? },
            "GameMods" => Self::GameMods(match args.text("mode")?.as_str() {
                "activated" => GameMods::Activated { count: args.integer("count")? },
                "uids" => GameMods::Uids { uids: args.text("uids")? },
                other => GameMods::Other { mode: other.to_owned() },
            }),
            "GameResult" => Self::GameResult { army: args.integer("army")?, result: args.text("result")? },
            "GameEnded" => Self::GameEnded,
            "JsonStats" => Self::JsonStats { stats: args.text("stats")? },
            "Desync" => Self::Desync,
            "EnforceRating" => Self::EnforceRating,
            "OperationComplete" => Self::OperationComplete {
                primary: args.flag("primary")?,
                secondary: args.flag("secondary")?,
                delta: args.text("delta")?,
            },
            "TeamkillReport" => Self::TeamkillReport,
            "TeamkillHappened" => Self::TeamkillHappened {
                gametime: args.json("gametime")?,
                victim_id: args.parse("victim_id")?,
                victim_name: args.text("victim_name")?,
                teamkiller_id: args.parse("teamkiller_id")?,
                teamkiller_name: args.text("teamkiller_name")?,
            },
            "IceMsg" => {
                Self::IceMsg { receiver_id: args.parse("receiver_id")?, message: args.json("message")? }
            }
            "Chat" => Self::Chat { text: args.text("text")? },
            "GameFull" => Self::GameFull,
            "Rehost" => Self::Rehost,
            "Bottleneck" => Self::Bottleneck,
            "BottleneckCleared" => Self::BottleneckCleared,
            "Disconnected" => Self::Disconnected,
            "LaunchStatus" => Self::LaunchStatus { status: args.text("status")? },
            "EstablishedPeer" => Self::EstablishedPeer { peer_id: args.parse("peer_id")? },
            "DisconnectedPeer" => Self::DisconnectedPeer { peer_id: args.parse("peer_id")? },
            unknown => Self::Unknown { command: unknown.to_owned() },
        };
        Ok(WithSurplus { command, surplus: args.surplus() })
    }

    fn args(self) -> Vec<Json> {
        let id = |player: PlayerId| Json::from(i64::from(player.0));
        let text = |text: String| Json::from(text.as_str());
        match self {
            Self::GameState { state } => vec![state.as_str().into()],
            Self::GameOption { key, value } => vec![text(key), value],
            Self::PlayerOption { player_id, key, value } => vec![id(player_id), text(key), value],
            Self::AiOption { name, key, value } => vec![text(name), text(key), value],
            Self::ClearSlot { slot } => vec![slot.into()],
            Self::GameMods(GameMods::Activated { count }) => vec!["activated".into(), count.into()],
            Self::GameMods(GameMods::Uids { uids }) => vec!["uids".into(), text(uids)],
            Self::GameMods(GameMods::Other { mode }) => vec![text(mode)],
            Self::GameResult { army, result } => vec![army.into(), text(result)],
            Self::JsonStats { stats } => vec![text(stats)],
            Self::OperationComplete { primary, secondary, delta } => {
                vec![primary.into(), secondary.into(), text(delta)]
            }
            Self::TeamkillHappened { gametime, victim_id, victim_name, teamkiller_id, teamkiller_name } => {
                vec![gametime, id(victim_id), text(victim_name), id(teamkiller_id), text(teamkiller_name)]
            }
            Self::IceMsg { receiver_id, message } => vec![id(receiver_id), message],
            Self::Chat { text: line } => vec![text(line)],
            Self::LaunchStatus { status } => vec![text(status)],
            Self::EstablishedPeer { peer_id } | Self::DisconnectedPeer { peer_id } => vec![id(peer_id)],
            Self::GameEnded
            | Self::Desync
            | Self::EnforceRating
            | Self::TeamkillReport
            | Self::GameFull
            | Self::Rehost
            | Self::Bottleneck
            | Self::BottleneckCleared
            | Self::Disconnected
            | Self::Unknown { .. } => Vec::new(),
        }
    }
}

impl From<GameToServer> for GpgNetMessage {
    fn from(command: GameToServer) -> Self {
        Self { command: command.name().to_owned(), args: command.args().into_iter().collect() }
    }
}

impl From<WithSurplus<GameToServer>> for GpgNetMessage {
    fn from(WithSurplus { command, surplus }: WithSurplus<GameToServer>) -> Self {
        let mut message = Self::from(command);
        message.args.append(&surplus);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: &str, args: &str) -> Result<WithSurplus<GameToServer>, ArgumentError> {
        GameToServer::read(&GpgNetMessage::new(command, serde_json::from_str::<Vec<Json>>(args).unwrap()))
    }

    #[test]
    fn every_command_comes_back_as_it_went() {
        for (command, args) in [
            ("GameState", r#"["Lobby"]"#),
            ("GameState", r#"["Something else",1,true]"#),
            ("GameOption", r#"["Slots",8]"#),
            ("PlayerOption", r#"[17,"Team",{"x":1.50}]"#),
            ("AIOption", r#"["AI: Easy","Faction",4]"#),
            ("ClearSlot", "[3]"),
            ("GameMods", r#"["activated",2]"#),
            ("GameMods", r#"["uids","a b c"]"#),
            ("GameMods", r#"["other",[1]]"#),
            ("GameResult", r#"[1,"recall defeat -10"]"#),
            ("GameEnded", "[]"),
            ("JsonStats", r#"["{\"stats\":[]}"]"#),
            ("Desync", r#"[1,"x"]"#),
            ("EnforceRating", "[]"),
            ("OperationComplete", r#"[true,false,"00:12:34"]"#),
            ("TeamkillReport", r#"[100,1,"a",2,"b"]"#),
            ("TeamkillHappened", r#"["230.5",1,"a",0,"b"]"#),
            ("IceMsg", r#"[2,"candidate"]"#),
            ("Chat", r#"["gl hf"]"#),
            ("GameFull", "[]"),
            ("Rehost", "[0]"),
            ("Bottleneck", r#"["ack","1"]"#),
            ("BottleneckCleared", "[]"),
            ("Disconnected", "[]"),
            ("LaunchStatus", r#"["Rejected"]"#),
            ("EstablishedPeer", "[7]"),
            ("DisconnectedPeer", "[7]"),
            ("NoSuchCommand", "[1,2,3]"),
        ] {
            let message = GpgNetMessage::from(read(command, args).unwrap());
            assert_eq!(message.command, command);
            assert_eq!(message.args.text(), args);
        }
    }

    #[test]
    fn integers_may_be_text() {
        assert_eq!(read("ClearSlot", r#"[" 3 "]"#).unwrap().command, GameToServer::ClearSlot { slot: 3 });
        assert_eq!(
            read("EstablishedPeer", r#"["7"]"#).unwrap().command,
            GameToServer::EstablishedPeer { peer_id: PlayerId(7) }
        );
        assert!(read("ClearSlot", r#"["three"]"#).is_err());
        assert!(read("ClearSlot", "[1.5]").is_err());
        assert!(read("ClearSlot", "[1e300]").is_err());
        assert!(read("EstablishedPeer", "[7.5]").is_err());
        assert!(read("ClearSlot", "[]").is_err());
    }

    #[test]
    fn whole_numbers_may_be_written_as_floats() {
        assert_eq!(read("ClearSlot", "[3.0]").unwrap().command, GameToServer::ClearSlot { slot: 3 });
        assert_eq!(
            read("EstablishedPeer", "[1e1]").unwrap().command,
            GameToServer::EstablishedPeer { peer_id: PlayerId(10) }
        );
        let result = GameToServer::GameResult { army: 1, result: "victory 10".to_owned() };
        assert_eq!(read("GameResult", r#"[10E-1,"victory 10"]"#).unwrap().command, result);
        let activated = GameToServer::GameMods(GameMods::Activated { count: 0 });
        assert_eq!(read("GameMods", r#"["activated",-0.0]"#).unwrap().command, activated);
    }

    #[test]
    fn flags_have_many_spellings() {
        let primary =
            |flag: &str| match read("OperationComplete", &format!(r#"[{flag},0,""]"#)).unwrap().command {
                GameToServer::OperationComplete { primary, .. } => primary,
                other => panic!("{other:?}"),
            };
        for yes in ["true", "1", "1.0", "\"true\"", "\"ON\"", "\"Yes\""] {
            assert!(primary(yes), "{yes}");
        }
        for no in ["false", "0", "2", "1.5", "\"1\"", "\"\"", "null", "[]"] {
            assert!(!primary(no), "{no}");
        }
    }
}
