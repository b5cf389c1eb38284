use crate::ids::PlayerId;
use crate::json::Json;

use super::GpgNetMessage;
use super::arguments::{ArgumentError, Arguments};
#[cfg(feature = "schemas")]
use super::command_table::command_rows;
use super::command_table::{Argument, command_names, commands};

// The only place with the names of these commands on the wire.
commands! {
    /// Commands from the game to the server (wire.md section 9).
    ///
    /// Integers may come as numbers or as their text. "Host" means that the server only accepts
    /// the command from the host's game.
    pub enum GameToServer;

    /// The commands from the game to the server, without their arguments.
    ///
    /// A `match` may rely on these being all: the server's table has a row for each.
    pub enum GameCommand;

    /// The game has reached a state.
    ///
    /// ```json
    /// {"command":"GameState","args":["Lobby"],"target":"game"}
    /// ```
    GameState {
        /// The state.
        state: GameState,
    } = "GameState";
    /// Host: an option of the lobby.
    ///
    /// ```json
    /// {"command":"GameOption","args":["Slots",8],"target":"game"}
    /// ```
    GameOption {
        /// Name of the option.
        key: String,
        /// Value of the option, of any type.
        value: Json,
    } = "GameOption";
    /// Host: an option of a player.
    ///
    /// ```json
    /// {"command":"PlayerOption","args":[17,"Team",2],"target":"game"}
    /// ```
    PlayerOption {
        /// The player.
        player_id: PlayerId,
        /// Name of the option.
        key: String,
        /// Value of the option, of any type.
        value: Json,
    } = "PlayerOption";
    /// Host: an option of an AI.
    ///
    /// ```json
    /// {"command":"AIOption","args":["AI: Easy","Faction",4],"target":"game"}
    /// ```
    AiOption {
        /// Name of the AI.
        name: String,
        /// Name of the option.
        key: String,
        /// Value of the option, of any type.
        value: Json,
    } = "AIOption";
    /// Host: a slot is empty now.
    ///
    /// ```json
    /// {"command":"ClearSlot","args":[3],"target":"game"}
    /// ```
    ClearSlot {
        /// Number of the slot.
        slot: i64,
    } = "ClearSlot";
    /// Host: the mods of the simulation.
    ///
    /// ```json
    /// {"command":"GameMods","args":["activated",2],"target":"game"}
    /// ```
    GameMods(mods: GameMods) = "GameMods";
    /// The result of an army.
    ///
    /// ```json
    /// {"command":"GameResult","args":[1,"recall defeat -10"],"target":"game"}
    /// ```
    GameResult {
        /// Number of the army.
        army: i64,
        /// Zero or more words, then the outcome, then the score: `victory 10`, `recall defeat -10`.
        result: String as Outcome,
    } = "GameResult";
    /// The simulation has ended for this player.
    ///
    /// ```json
    /// {"command":"GameEnded","args":[],"target":"game"}
    /// ```
    GameEnded = "GameEnded";
    /// Statistics of all armies.
    ///
    /// ```json
    /// {"command":"JsonStats","args":["{\"stats\":[]}"],"target":"game"}
    /// ```
    JsonStats {
        /// JSON text, tens of kilobytes.
        stats: String,
    } = "JsonStats";
    /// The simulations of the players have drifted apart.
    ///
    /// ```json
    /// {"command":"Desync","args":[],"target":"game"}
    /// ```
    Desync = "Desync";
    /// The game counts, however short it was.
    ///
    /// ```json
    /// {"command":"EnforceRating","args":[],"target":"game"}
    /// ```
    EnforceRating = "EnforceRating";
    /// A co-op mission is over.
    ///
    /// ```json
    /// {"command":"OperationComplete","args":[true,false,"00:12:34"],"target":"game"}
    /// ```
    OperationComplete {
        /// Whether the primary objectives were met.
        primary: bool => flag as GameFlag,
        /// Whether the secondary objectives were met.
        secondary: bool => flag as GameFlag,
        /// Duration of the mission: `HH:MM:SS`.
        delta: String as Duration,
    } = "OperationComplete";
    /// A player accuses another of killing a team mate. All arguments are surplus, as they are not
    /// used: the time in seconds since the game began, then id and name of the accuser, then those
    /// of the accused.
    ///
    /// ```json
    /// {"command":"TeamkillReport","args":[100,1,"Ada",2,"Bob"],"target":"game"}
    /// ```
    TeamkillReport = "TeamkillReport";
    /// A commander was killed by a team mate.
    ///
    /// ```json
    /// {"command":"TeamkillHappened","args":[230,1,"Ada",2,"Bob"],"target":"game"}
    /// ```
    TeamkillHappened {
        /// Seconds since the game began; some games send a fraction, or text.
        gametime: Json as GameTime,
        /// The victim; 0 for an AI.
        victim_id: PlayerId,
        /// Name of the victim.
        victim_name: String,
        /// The player who killed the commander; 0 for an AI.
        teamkiller_id: PlayerId,
        /// Name of the player who killed the commander.
        teamkiller_name: String,
    } = "TeamkillHappened";
    /// An ICE message for another player, which is passed on unchanged.
    ///
    /// ```json
    /// {"command":"IceMsg","args":[2,"{\"type\":\"candidate\"}"],"target":"game"}
    /// ```
    IceMsg {
        /// The receiver.
        receiver_id: PlayerId,
        /// The message; a string from today's adapters.
        message: Json,
    } = "IceMsg";
    /// A line of chat in the game.
    ///
    /// ```json
    /// {"command":"Chat","args":["gl hf"],"target":"game"}
    /// ```
    Chat {
        /// Text of the line.
        text: String,
    } = "Chat";
    /// The game is full.
    ///
    /// ```json
    /// {"command":"GameFull","args":[],"target":"game"}
    /// ```
    GameFull = "GameFull";
    /// The host wants to play again. All arguments are surplus.
    ///
    /// ```json
    /// {"command":"Rehost","args":[],"target":"game"}
    /// ```
    Rehost = "Rehost";
    /// A player slows the game down. All arguments are surplus.
    ///
    /// ```json
    /// {"command":"Bottleneck","args":["ack","1"],"target":"game"}
    /// ```
    Bottleneck = "Bottleneck";
    /// No player slows the game down any more. All arguments are surplus.
    ///
    /// ```json
    /// {"command":"BottleneckCleared","args":[],"target":"game"}
    /// ```
    BottleneckCleared = "BottleneckCleared";
    /// The game lost its peers. All arguments are surplus.
    ///
    /// ```json
    /// {"command":"Disconnected","args":[],"target":"game"}
    /// ```
    Disconnected = "Disconnected";
    /// The outcome of a launch.
    ///
    /// ```json
    /// {"command":"LaunchStatus","args":["Rejected"],"target":"game"}
    /// ```
    LaunchStatus {
        /// Text such as `Rejected`.
        status: String,
    } = "LaunchStatus";
    /// A connection to a peer was established (automatic lobbies since December 2024).
    ///
    /// ```json
    /// {"command":"EstablishedPeer","args":[7],"target":"game"}
    /// ```
    EstablishedPeer {
        /// The peer.
        peer_id: PlayerId,
    } = "EstablishedPeer";
    /// A connection to a peer was lost (automatic lobbies since December 2024).
    ///
    /// ```json
    /// {"command":"DisconnectedPeer","args":[7],"target":"game"}
    /// ```
    DisconnectedPeer {
        /// The peer.
        peer_id: PlayerId,
    } = "DisconnectedPeer";
}

/// The types of the arguments as the contract describes them: games also write numbers as text.
#[cfg(feature = "schemas")]
mod described {
    pub(super) use super::{GameMods, GameState};
    pub(super) use crate::contract::values::{
        Duration, GameFlag, GameInteger as i64, GamePlayerId as PlayerId, GameTime, Outcome,
    };
    pub(super) use crate::json::Json;
}

/// State of a game process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub enum GameState {
    /// The process has started, and waits for the order to host or to join.
    Idle,
    /// The process is in the lobby before the launch.
    Lobby,
    /// The simulation begins.
    Launching,
    /// The process has ended; sent by the client on its behalf.
    Ended,
    /// A state that is not in this list.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    Other(String),
}

impl GameState {
    /// Returns the word on the wire.
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

/// A host's report on the mods of the simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GameMods {
    /// The number of active mods; 0 clears the list.
    Activated {
        /// Number of mods.
        count: i64,
    },
    /// The active mods.
    Uids {
        /// Uids, separated by spaces.
        uids: String,
    },
    /// Anything else, which the server ignores; its further arguments are surplus.
    Other {
        /// The first argument.
        mode: String,
    },
}

impl Argument for GameState {
    fn read(args: &mut Arguments<'_>, name: &'static str) -> Result<Self, ArgumentError> {
        args.text(name).map(Self::from)
    }

    fn write(self, args: &mut Vec<Json>) {
        args.push(self.as_str().into());
    }
}

impl Argument for GameMods {
    fn read(args: &mut Arguments<'_>, _name: &'static str) -> Result<Self, ArgumentError> {
        Ok(match args.text("mode")?.as_str() {
            "activated" => Self::Activated { count: args.integer("count")? },
            "uids" => Self::Uids { uids: args.text("uids")? },
            other => Self::Other { mode: other.to_owned() },
        })
    }

    fn write(self, args: &mut Vec<Json>) {
        match self {
            Self::Activated { count } => args.extend(["activated".into(), count.into()]),
            Self::Uids { uids } => args.extend(["uids".into(), uids.as_str().into()]),
            Self::Other { mode } => args.push(mode.as_str().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::WithSurplus;
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
