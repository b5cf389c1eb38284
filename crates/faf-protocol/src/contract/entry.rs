//! The description of every message, by the rows of the tables that read and write it.

use serde_json::{Map, Value};

use crate::message::Message;

use super::{Rules, Sender};

/// One message of the contract.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The sender.
    pub sender: Sender,
    /// The name of the command on the wire.
    pub command: &'static str,
    /// A name that is unique in the contract: `client.game_join`, `server.game_info`.
    pub key: String,
    /// Documentation as Markdown; paragraphs are separated by an empty line.
    pub text: String,
    /// The examples of the row, at least one.
    pub examples: Vec<Message>,
    /// The schema of the whole message: JSON Schema 2020-12. It refers to other definitions as
    /// `#/$defs/NAME`.
    pub schema: Map<String, Value>,
    /// The member without which a message of this name is a later entry.
    pub needed: Option<&'static str>,
    /// The facts that the row does not say.
    pub rules: Rules,
}

/// All messages of the protocol.
///
/// ```
/// use faf_protocol::contract::{Contract, Sender};
///
/// let contract = Contract::new();
/// let join = contract.entry(Sender::Client, "game_join").unwrap();
/// assert_eq!(join.schema["required"], serde_json::json!(["command", "uid"]));
/// ```
#[derive(Debug, Clone)]
pub struct Contract {
    /// The messages: those of clients, of the server, of the game and for the game, each in the
    /// order of its table.
    pub entries: Vec<Entry>,
    /// Schemas of the values that several messages have, by name.
    pub values: Map<String, Value>,
}

impl Contract {
    /// Returns the first message of this sender with this name. The server has two `game_info`, of
    /// which the list comes first.
    #[must_use]
    pub fn entry(&self, sender: Sender, command: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.sender == sender && entry.command == command)
    }

    /// Returns the message with this key.
    #[must_use]
    pub fn by_key(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}
