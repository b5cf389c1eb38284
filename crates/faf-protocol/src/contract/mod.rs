//! The contract: when each message may be sent, what follows it, and with the feature `schemas` its
//! description.
//!
//! When a message may be sent and what follows it is said in [`Rules`], whose tables do not compile
//! if a command is missing.
//!
//! With the feature `schemas`, `Contract` describes every message in both directions. The rows of
//! [`client_message`](crate::client_message), [`server_message`](crate::server_message) and
//! [`gpgnet`](crate::gpgnet) name the members with their types, documentation and examples. A
//! member that is in a row is in the contract, because both come from the same tokens. Messages of
//! clients are described as it is right to send them, although the server tolerates more; messages
//! of the server as this server and FAF's send them.

#[cfg(feature = "schemas")]
mod assemble;
mod client;
#[cfg(feature = "schemas")]
mod entry;
mod game;
#[cfg(feature = "schemas")]
pub(crate) mod rows;
mod server;
#[cfg(feature = "schemas")]
mod text;
#[cfg(feature = "schemas")]
pub(crate) mod values;

use crate::client_message::ClientCommand;
use crate::gpgnet::{CommandForGame, GameCommand};

pub use client::ClientRules;
#[cfg(feature = "schemas")]
pub use entry::{Contract, Entry};
pub use game::{ForGameRules, GameRules, Phase};
pub use server::ServerRules;
#[cfg(feature = "schemas")]
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
