use crate::ids::PlayerId;
use crate::json::Json;

use super::GpgNetMessage;
use super::arguments::{ArgumentError, Arguments};
#[cfg(feature = "schemas")]
use super::command_table::command_rows;
use super::command_table::{Argument, command_names, commands};

// The only place with the names of these commands on the wire.
commands! {
    /// Commands from the server to the game (wire.md section 9).
    ///
    /// They carry names and ids of players only; the adapter adds the local address.
    #[non_exhaustive]
    pub enum ServerToGame;

    /// The commands from the server to the game, without their arguments.
    pub enum CommandForGame;

    /// Start listening as the host.
    ///
    /// ```json
    /// {"command":"HostGame","args":["scmp_007"],"target":"game"}
    /// ```
    HostGame {
        /// Folder name of the map.
        map: String,
    } = "HostGame";
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
    } = "JoinGame";
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
    } = "ConnectToPeer";
    /// Drop the connection to a player.
    ///
    /// ```json
    /// {"command":"DisconnectFromPeer","args":[2],"target":"game"}
    /// ```
    DisconnectFromPeer {
        /// The player.
        player_id: PlayerId,
    } = "DisconnectFromPeer";
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
    } = "IceMsg";
}

/// The types of the arguments as the contract describes them.
#[cfg(feature = "schemas")]
mod described {
    pub(super) use crate::ids::PlayerId;
    pub(super) use crate::json::Json;
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
