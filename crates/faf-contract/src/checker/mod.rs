//! [`Checker`]: whether a message keeps to the contract.
//!
//! The schemas are turned once into a small structure of their own. The contract uses some fifteen
//! keywords of JSON Schema, and all else is refused when that structure is made, so a validator for
//! all of JSON Schema would be a large dependency for nothing. A message is read once, without
//! building a tree.

mod pattern;
mod shape;
mod walk;

use std::collections::HashMap;
use std::fmt;

use faf_protocol::Message;
use faf_protocol::contract::{Contract, Sender};
use faf_protocol::gpgnet::GpgNetMessage;
use serde::de::DeserializeSeed;

use shape::{ShapeId, Shapes};
use walk::{Report, Walk, quoted};

/// The direction of a message on a connection between a client and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client, or from the game through it.
    ToServer,
    /// From the server.
    ToClient,
}

/// The kind of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The message names no command of the contract.
    UnknownCommand,
    /// A member is not in the contract.
    UnknownMember,
    /// A required member is missing.
    MissingMember,
    /// A value is of a kind that it must not have.
    WrongType,
    /// A value is of the right kind, but not one that it may have.
    OutOfBounds,
    /// The message is not allowed, or has no effect, in this state of the connection.
    WrongTime,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::UnknownCommand,
        Self::UnknownMember,
        Self::MissingMember,
        Self::WrongType,
        Self::OutOfBounds,
        Self::WrongTime,
    ];

    /// Returns the name for reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownCommand => "unknown command",
            Self::UnknownMember => "unknown member",
            Self::MissingMember => "missing member",
            Self::WrongType => "wrong type",
            Self::OutOfBounds => "out of bounds",
            Self::WrongTime => "wrong time",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing in a message that leaves the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The kind.
    pub kind: Kind,
    /// The member: `players[3].country`; empty for the message as a whole.
    pub path: String,
    /// The same without the numbers of elements, which tells violations of one kind from others:
    /// `players[].country`.
    pub place: String,
    /// The problem in plain words, to follow the path: `must be an integer, not a text`. Values of
    /// the message are quoted up to some 60 characters.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => write!(f, "{}: {}", self.kind, self.text),
            false => write!(f, "{}: `{}` {}", self.kind, self.path, self.text),
        }
    }
}

/// Checks messages against the contract.
///
/// ```
/// use faf_contract::{Checker, Direction, Kind};
///
/// let checker = Checker::new();
/// let message = r#"{"command":"game_join","uid":"first","pasword":""}"#.parse()?;
/// let violations = checker.check(Direction::ToServer, &message);
/// assert_eq!(violations[0].to_string(), "wrong type: `uid` must be an integer, not a text");
/// assert_eq!(violations[1].kind, Kind::UnknownMember);
/// # Ok::<(), faf_protocol::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Checker {
    shapes: Shapes,
    /// The messages by sender and command. Of several with one name, the last one counts unless the
    /// message has a member that only an earlier one has.
    messages: HashMap<Sender, HashMap<&'static str, Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    key: String,
    shape: ShapeId,
    /// The member that makes a message this one.
    needed: Option<&'static str>,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// Prepares the contract. It takes some milliseconds, so one checker should serve
    /// all connections.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&Contract::new())
    }

    /// Prepares a contract.
    ///
    /// # Panics
    /// If the contract uses a keyword of JSON Schema that the checker does not know.
    #[must_use]
    pub fn of(contract: &Contract) -> Self {
        let (shapes, ids) = Shapes::of(contract);
        let mut messages: HashMap<_, HashMap<_, Vec<Entry>>> = HashMap::new();
        for (entry, shape) in contract.entries.iter().zip(ids) {
            let entries = messages.entry(entry.sender).or_default().entry(entry.command).or_default();
            entries.push(Entry { key: entry.key.clone(), shape, needed: entry.needed });
        }
        Self { shapes, messages }
    }

    /// Returns the key of a message in the contract, such as `client.game_join`; `None` for an
    /// unknown command.
    #[must_use]
    pub fn key(&self, direction: Direction, message: &Message) -> Option<&str> {
        self.entry(direction, message).map(|entry| entry.key.as_str())
    }

    /// Returns what in a message leaves the contract; empty if nothing does. At most sixteen
    /// violations are returned.
    #[must_use]
    pub fn check(&self, direction: Direction, message: &Message) -> Vec<Violation> {
        let Some(entry) = self.entry(direction, message) else {
            return vec![unknown(direction, message)];
        };
        let mut report = Report::new(&self.shapes);
        let mut reader = serde_json::Deserializer::from_str(message.as_str());
        let walk = Walk { shape: entry.shape, report: &mut report };
        walk.deserialize(&mut reader).expect("a message is JSON");
        report.violations
    }

    fn entry(&self, direction: Direction, message: &Message) -> Option<&Entry> {
        let command = message.command()?;
        let is_of_game = message.target().as_deref() == Some(GpgNetMessage::TARGET);
        let sender = match (direction, is_of_game) {
            (Direction::ToServer, false) => Sender::Client,
            (Direction::ToServer, true) => Sender::Game,
            (Direction::ToClient, false) => Sender::Server,
            (Direction::ToClient, true) => Sender::ServerForGame,
        };
        let is_this = |entry: &&Entry| entry.needed.is_none_or(|needed| message.get(needed).is_some());
        self.messages.get(&sender)?.get(&*command)?.iter().find(is_this)
    }
}

fn unknown(direction: Direction, message: &Message) -> Violation {
    let sender = match direction {
        Direction::ToServer => "clients",
        Direction::ToClient => "the server",
    };
    let text = match (message.command(), message.get("command")) {
        (Some(command), _) if message.target().as_deref() == Some(GpgNetMessage::TARGET) => {
            format!("{} is not a command of games", quoted(&command))
        }
        (Some(command), _) => format!("{} is not a command of {sender}", quoted(&command)),
        (None, Some(_)) => "must be a text".to_owned(),
        (None, None) => "is missing".to_owned(),
    };
    let path = if message.command().is_some() { "" } else { "command" };
    Violation { kind: Kind::UnknownCommand, path: path.to_owned(), place: path.to_owned(), text }
}

/// Returns the words for a pattern of the contract.
pub(crate) fn pattern_name(expression: &str) -> Option<&'static str> {
    pattern::Pattern::of(expression).map(|pattern| pattern.name)
}
