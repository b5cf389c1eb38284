use crate::ids::PlayerId;
use crate::json::Json;

use super::arguments::{ArgumentError, Arguments};
use super::{GpgNetMessage, WithSurplus};

/// Commands from the server to the game (wire.md section 9).
///
/// They carry names and ids of players only; the adapter adds the local address that a game needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerToGame {
    /// Start listening as the host.
    ///
    /// ```json
    /// {"command":"HostGame","args":["scmp_007"],"target":"game"}
    /// ```
    HostGame {
        /// Folder name of the map.
        map: String,
    },
    /// Connect to the host.
    ///
    /// ```json
    /// {"command":"JoinGame","args":["Ada",1],"target":"game"}
    /// ```
    JoinGame {
        /// Login of the host.
        login: String,
        /// The host.
        player_id: PlayerId,
    },
    /// Connect to another player.
    ///
    /// ```json
    /// {"command":"ConnectToPeer","args":["Bob",2,true],"target":"game"}
    /// ```
    ConnectToPeer {
        /// Login of the peer.
        login: String,
        /// The peer.
        player_id: PlayerId,
        /// Whether this side starts the ICE negotiation.
        offer: bool,
    },
    /// Drop the connection to a player.
    ///
    /// ```json
    /// {"command":"DisconnectFromPeer","args":[2],"target":"game"}
    /// ```
    DisconnectFromPeer {
        /// The player.
        player_id: PlayerId,
    },
    /// An ICE message of another player, passed on unchanged.
    ///
    /// ```json
    /// {"command":"IceMsg","args":[1,{"candidates":[]}],"target":"game"}
    /// ```
    IceMsg {
        /// The sender.
        sender_id: PlayerId,
        /// The message; a string from today's adapters.
        message: Json,
    },
    /// A command that is not in this list; all its arguments are surplus.
    Unknown {
        /// Name of the command.
        command: String,
    },
}

impl ServerToGame {
    /// Returns the name of the command on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::HostGame { .. } => "HostGame",
            Self::JoinGame { .. } => "JoinGame",
            Self::ConnectToPeer { .. } => "ConnectToPeer",
            Self::DisconnectFromPeer { .. } => "DisconnectFromPeer",
            Self::IceMsg { .. } => "IceMsg",
            Self::Unknown { command } => command,
        }
    }

    /// Reads a command, and the arguments after those that it needs.
    ///
    /// # Errors
    /// [`ArgumentError`] for the first argument that is missing or of the wrong type.
    pub fn read(message: &GpgNetMessage) -> Result<WithSurplus<Self>, ArgumentError> {
        let mut args = Arguments::new(message);
        let command = match message.command.as_str() {
            "HostGame" => Self::HostGame { map: args.text("map")? },
            "JoinGame" => Self::JoinGame { login: args.text("login")?, player_id: args.parse("player_id")? },
            "ConnectToPeer" => Self::ConnectToPeer {
                login: args.text("login")?,
                player_id: args.parse("player_id")?,
                offer: args.parse("offer")?,
            },
            "DisconnectFromPeer" => Self::DisconnectFromPeer { player_id: args.parse("player_id")? },
            "IceMsg" => Self::IceMsg { sender_id: args.parse("sender_id")?, message: args.json("message")? },
            unknown => Self::Unknown { command: unknown.to_owned() },
        };
        Ok(WithSurplus { command, surplus: args.surplus() })
    }

    fn args(self) -> Vec<Json> {
        let id = |player: PlayerId| Json::from(i64::from(player.0));
        match self {
            Self::HostGame { map } => vec![map.as_str().into()],
            Self::JoinGame { login, player_id } => vec![login.as_str().into(), id(player_id)],
            Self::ConnectToPeer { login, player_id, offer } => {
                vec![login.as_str().into(), id(player_id), offer.into()]
            }
            Self::DisconnectFromPeer { player_id } => vec![id(player_id)],
            Self::IceMsg { sender_id, message } => vec![id(sender_id), message],
            Self::Unknown { .. } => Vec::new(),
        }
    }
}

impl From<ServerToGame> for GpgNetMessage {
    fn from(command: ServerToGame) -> Self {
        Self { command: command.name().to_owned(), args: command.args().into_iter().collect() }
    }
}

impl From<WithSurplus<ServerToGame>> for GpgNetMessage {
    fn from(WithSurplus { command, surplus }: WithSurplus<ServerToGame>) -> Self {
        let mut message = Self::from(command);
        message.args.append(&surplus);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_lobby_messages_for_the_game() {
        let command =
            ServerToGame::ConnectToPeer { login: "Bob".to_owned(), player_id: PlayerId(2), offer: true };
        let message = GpgNetMessage::from(command).to_message();
        assert_eq!(message.as_str(), r#"{"command":"ConnectToPeer","args":["Bob",2,true],"target":"game"}"#);
    }

    #[test]
    fn surplus_and_unknown_are_kept() {
        for text in [
            r#"{"command":"HostGame","args":["scmp_007","more",1.50],"target":"game"}"#,
            r#"{"command":"IceMsg","args":[1,{"b":[1],"a":2}],"target":"game"}"#,
            r#"{"command":"NewCommand","args":[[],null],"target":"game"}"#,
        ] {
            let message = GpgNetMessage::from_message(&text.parse().unwrap()).unwrap();
            let read = ServerToGame::read(&message).unwrap();
            assert_eq!(GpgNetMessage::from(read).to_message().as_str(), text);
        }
    }

    #[test]
    fn wrong_arguments_are_named() {
        let error = |command, args: &[Json]| {
            ServerToGame::read(&GpgNetMessage::new(command, args.to_vec())).unwrap_err().to_string()
        };
        assert_eq!(error("JoinGame", &["Bob".into()]), "JoinGame: argument `player_id` is missing");
        assert_eq!(
            error("HostGame", &[5.into()]),
            "HostGame: argument `map` invalid type: integer `5`, expected a string"
        );
    }
}
