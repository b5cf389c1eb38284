//! The contract: every message in both directions, described by the rows of the tables that read
//! and write it.
//!
//! The rows of [`client_message`](crate::client_message), [`server_message`](crate::server_message)
//! and [`gpgnet`](crate::gpgnet) name the members with their types, documentation and examples. A
//! member that is in a row is in the contract, because both come from the same tokens. When a
//! message may be sent and what follows it is said in [`Rules`], whose tables do not compile
//! if a command is missing.
//!
//! Messages of clients are described as it is right to send them, although the server tolerates
//! more; messages of the server as this server and FAF's send them.
//!
//! ```
//! use faf_protocol::contract::{Contract, Sender};
//!
//! let contract = Contract::new();
//! let join = contract.entry(Sender::Client, "game_join").unwrap();
//! assert_eq!(join.schema["required"], serde_json::json!(["command", "uid"]));
//! ```
//!
//! Needs the feature `contract`.

mod assemble;
mod client;
mod game;
pub(crate) mod rows;
mod server;
mod text;
pub(crate) mod values;

use serde_json::{Map, Value};

use crate::client_message::ClientCommand;
use crate::gpgnet::{CommandForGame, GameCommand};
use crate::message::Message;

pub use client::ClientRules;
pub use game::{ForGameRules, GameRules, Phase};
pub use server::ServerRules;
pub use values::UNIT;

pub use crate::server_message::ServerCommand;

/// The side that sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// A client, for itself.
    Client,
    /// The game process, through its client: messages with `"target": "game"`.
    Game,
    /// The server, to a client.
    Server,
    /// The server, to the game process through its client.
    ServerForGame,
}

impl Sender {
    /// All senders.
    pub const ALL: [Self; 4] = [Self::Client, Self::Server, Self::Game, Self::ServerForGame];

    /// Returns the first part of the names of its messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Game => "game",
            Self::Server => "server",
            Self::ServerForGame => "server-for-game",
        }
    }

    /// Returns whether its messages go to the server.
    #[must_use]
    pub const fn is_client_side(self) -> bool {
        matches!(self, Self::Client | Self::Game)
    }
}

/// The condition on the connection under which a client may send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// At any time.
    Always,
    /// Until the login is accepted.
    BeforeLogin,
    /// After the login.
    LoggedIn,
    /// After the login, while the player neither searches nor has a game.
    Idle,
    /// After the login, while the player has no game.
    IdleOrSearching,
}

impl When {
    /// Returns the condition in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Always => "at any time",
            Self::BeforeLogin => "before the login",
            Self::LoggedIn => "after the login",
            Self::Idle => "after the login, without a game, a match or a search",
            Self::IdleOrSearching => "after the login, without a game or a match",
        }
    }
}

/// The facts about a message that its row does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Of a client's message.
    Client(ClientRules),
    /// Of a game's message.
    Game(GameRules),
    /// Of a server's message.
    Server(ServerRules),
    /// Of a server's message for the game.
    ServerForGame(ForGameRules),
}

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

macro_rules! keys {
    ($($command:ty, $sender:ident;)*) => {$(
        impl $command {
            /// Returns the key of its entry in the contract.
            #[must_use]
            pub fn key(self) -> String {
                format!("{}.{}", Sender::$sender.name(), self.name())
            }
        }
    )*};
}

keys! {
    ClientCommand, Client;
    GameCommand, Game;
    CommandForGame, ServerForGame;
}

impl ServerCommand {
    /// Returns the key of its entry in the contract. Of two messages that share a name, the list is
    /// named after its member, too.
    #[must_use]
    pub fn key(self) -> String {
        match self.needed_member() {
            Some(member) => format!("server.{}.{member}", self.name()),
            None => format!("server.{}", self.name()),
        }
    }
}
