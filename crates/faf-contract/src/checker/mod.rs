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
use faf_protocol::contract::Sender;
use faf_protocol::gpgnet::GpgNetMessage;
use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use crate::documents::Document;

use shape::{Reader, ShapeId, Shapes};
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
    messages: HashMap<Sender, HashMap<String, Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    key: String,
    shape: ShapeId,
    /// The member that makes a message this one.
    needed: Option<String>,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// Prepares the contract: the document [`Document::JsonSchema`]. It takes some milliseconds, so
    /// one checker should serve all connections.
    #[must_use]
    pub fn new() -> Self {
        let document: Value =
            serde_json::from_str(Document::JsonSchema.text()).expect("a test compares the document");
        Self::of(document["$defs"].as_object().expect("the document has definitions"))
    }

    /// Prepares the definitions of a contract.
    ///
    /// # Panics
    /// If a message's name or a keyword of JSON Schema is not known here, so that nothing
    /// stays unchecked.
    fn of(definitions: &Map<String, Value>) -> Self {
        let mut reader = Reader::new(definitions);
        let mut messages: HashMap<_, HashMap<_, Vec<Entry>>> = HashMap::new();
        for key in definitions.keys() {
            let Some((sender, command, needed)) = message_of(key) else { continue };
            let shape = reader.definition(key);
            let entries = messages.entry(sender).or_default().entry(command.to_owned()).or_default();
            entries.push(Entry { key: key.clone(), shape, needed: needed.map(str::to_owned) });
        }
        for entries in messages.values_mut().flat_map(HashMap::values_mut) {
            entries.sort_by_key(|entry| entry.needed.is_none());
        }
        Self { shapes: reader.finish(), messages }
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
        let is_there = |needed: &String| message.get(needed).is_some();
        let is_this = |entry: &&Entry| entry.needed.as_ref().is_none_or(is_there);
        self.messages.get(&sender)?.get(&*command)?.iter().find(is_this)
    }
}

/// Returns the message that a definition describes: its sender, its command and the member without
/// which it is another message; `None` for a value.
///
/// # Panics
/// If it is a message, but not of a known sender or with further parts.
fn message_of(key: &str) -> Option<(Sender, &str, Option<&str>)> {
    let (name, rest) = key.split_once('.')?;
    let sender = Sender::ALL.into_iter().find(|sender| sender.name() == name);
    let sender = sender.unwrap_or_else(|| panic!("the contract has a message {key}"));
    let mut parts = rest.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(command), needed, None) => Some((sender, command, needed)),
        _ => panic!("the contract has a message {key}"),
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
#[cfg(feature = "generate")]
pub(crate) fn pattern_name(expression: &str) -> Option<&'static str> {
    pattern::Pattern::of(expression).map(|pattern| pattern.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, schema: &str) -> Checker {
        let definitions: Map<String, Value> =
            serde_json::from_str(&format!(r#"{{"{key}":{schema}}}"#)).unwrap();
        Checker::of(&definitions)
    }

    #[test]
    fn the_name_of_a_definition_says_which_message_it_is() {
        assert_eq!(message_of("Player"), None);
        assert_eq!(message_of("to-server"), None);
        assert_eq!(message_of("client.game_join"), Some((Sender::Client, "game_join", None)));
        assert_eq!(message_of("server.game_info.games"), Some((Sender::Server, "game_info", Some("games"))));
        let ping: Message = r#"{"command":"ping"}"#.parse().unwrap();
        assert_eq!(of("client.ping", "{}").key(Direction::ToServer, &ping), Some("client.ping"));
    }

    #[test]
    #[should_panic(expected = "the contract has a message peer.ping")]
    fn a_message_of_an_unknown_sender_is_refused() {
        of("peer.ping", "{}");
    }

    #[test]
    #[should_panic(expected = "the contract has a message client.ping.a.b")]
    fn a_message_with_further_parts_is_refused() {
        of("client.ping.a.b", "{}");
    }

    #[test]
    #[should_panic(expected = "the contract has the keyword multipleOf")]
    fn an_unknown_keyword_is_refused() {
        of("client.ping", r#"{"multipleOf":2}"#);
    }

    #[test]
    #[should_panic(expected = "the contract has no definition Nothing")]
    fn a_reference_without_a_definition_is_refused() {
        of("client.ping", r##"{"properties":{"a":{"$ref":"#/$defs/Nothing"}}}"##);
    }

    fn found(direction: Direction, text: &str) -> Vec<String> {
        let found = Checker::new().check(direction, &text.parse().unwrap());
        found.iter().map(Violation::to_string).collect()
    }

    fn from_client(text: &str) -> Vec<String> {
        found(Direction::ToServer, text)
    }

    #[test]
    fn a_violation_says_where_and_what() {
        for (text, expected) in [
            (r#"{"command":"no_such"}"#, "unknown command: `no_such` is not a command of clients"),
            (
                r#"{"command":"no_such","target":"game"}"#,
                "unknown command: `no_such` is not a command of games",
            ),
            (r#"{"command":"welcome"}"#, "unknown command: `welcome` is not a command of clients"),
            (r#"{"a":1}"#, "unknown command: `command` is missing"),
            (r#"{"command":["ping"]}"#, "unknown command: `command` must be a text"),
            (
                r#"{"command":"hello","login":"a","unique_id":"","password":"00"}"#,
                "out of bounds: `password` must be 64 lower-case hexadecimal digits, not `00`",
            ),
            (r#"{"command":"invite_to_party"}"#, "missing member: `recipient_id` is missing"),
            (
                r#"{"command":"invite_to_party","recipient_id":-1}"#,
                "out of bounds: `recipient_id` must be at least 0, not -1",
            ),
            (
                r#"{"command":"invite_to_party","recipient_id":2147483648}"#,
                "out of bounds: `recipient_id` must be at most 2147483647, not 2147483648",
            ),
            (
                r#"{"command":"invite_to_party","recipient_id":1.5}"#,
                "wrong type: `recipient_id` must be an integer, not a number with a fraction",
            ),
            (
                r#"{"command":"social_add"}"#,
                "missing member: must have exactly one of `friend` and `foe`, not 0",
            ),
            (
                r#"{"command":"avatar","action":"x"}"#,
                r#"out of bounds: `action` must be one of "list_avatar", "select", not `"x"`"#,
            ),
            (
                r#"{"command":"avatar","action":5}"#,
                r#"wrong type: `action` must be one of "list_avatar", "select", not `5`"#,
            ),
            (r#"{"command":"avatar","action":"select"}"#, "missing member: `avatar` is missing"),
            (r#"{"command":"ping","a":1}"#, "unknown member: `a` is not a member of this message"),
            (
                r#"{"command":"GameMods","args":["x",1],"target":"game"}"#,
                r#"out of bounds: `args[0]` must be one of "activated", "uids", not `"x"`"#,
            ),
            (
                r#"{"command":"ClearSlot","args":[],"target":"game"}"#,
                "out of bounds: `args` has 0 elements, fewer than 1",
            ),
        ] {
            assert_eq!(from_client(text), [expected], "{text}");
        }
    }

    #[test]
    fn a_place_has_no_numbers_of_elements() {
        let text =
            r#"{"command":"update_party","owner":1,"members":[{"player":1,"factions":["uef","borg"]}]}"#;
        let violations = Checker::new().check(Direction::ToClient, &text.parse().unwrap());
        let [violation] = violations.as_slice() else { panic!("{violations:?}") };
        assert_eq!((&*violation.path, &*violation.place), ("members[0].factions[1]", "members[].factions[]"));
    }

    #[test]
    fn numbers_may_be_written_in_any_way() {
        for uid in ["5", "5.0", "50e-1", "5e0"] {
            assert!(from_client(&format!(r#"{{"command":"game_join","uid":{uid}}}"#)).is_empty(), "{uid}");
        }
        // Far beyond 64 bits, and so a float for the parser.
        let large = from_client(&format!(r#"{{"command":"game_join","uid":1{}}}"#, "0".repeat(40)));
        assert!(large[0].starts_with("out of bounds: `uid` must be at most"), "{large:?}");
    }

    #[test]
    fn the_server_has_two_messages_of_one_name() {
        let checker = Checker::new();
        let key = |text: &str| checker.key(Direction::ToClient, &text.parse().unwrap()).map(str::to_owned);
        assert_eq!(key(r#"{"command":"game_info","games":[]}"#).unwrap(), "server.game_info.games");
        assert_eq!(key(r#"{"command":"game_info"}"#).unwrap(), "server.game_info");
        assert_eq!(key(r#"{"command":"HostGame","target":"game"}"#).unwrap(), "server-for-game.HostGame");
        assert_eq!(key(r#"{"command":"HostGame"}"#), None);
        assert!(found(Direction::ToClient, r#"{"command":"game_info","games":[]}"#).is_empty());
        let nested = found(Direction::ToClient, r#"{"command":"game_info","games":[{"command":"x"}]}"#);
        assert!(
            nested
                .contains(&r#"out of bounds: `games[0].command` must be "game_info", not `"x"`"#.to_owned())
        );
    }

    #[test]
    fn a_message_of_a_hostile_peer_has_few_and_short_violations() {
        let names: Vec<_> = (0..1000).map(|number| format!(r#""{}{number}":0"#, "n".repeat(5000))).collect();
        let text = format!(r#"{{"command":"ping",{}}}"#, names.join(","));
        let violations = Checker::new().check(Direction::ToServer, &text.parse().unwrap());
        assert_eq!(violations.len(), walk::VIOLATIONS_LIMIT);
        assert!(violations.iter().all(|violation| violation.to_string().len() < 300));
        let long = from_client(&format!(
            r#"{{"command":"game_join","uid":1,"password":["{}"]}}"#,
            "x".repeat(100_000)
        ));
        assert_eq!(long, ["wrong type: `password` must be null or a text, not a list"]);
        let command = from_client(&format!(r#"{{"command":"{}"}}"#, "x".repeat(100_000)));
        assert!(command[0].len() < 200);
        let control = from_client(r#"{"command":"ping","a\nb\u001b[2J":1}"#);
        assert_eq!(control, [r"unknown member: `a\nb\u{1b}[2J` is not a member of this message"]);
        // Lists of lists are not followed where none is expected.
        let deep = format!(r#"{{"command":"game_join","uid":{}{}}}"#, "[".repeat(100), "]".repeat(100));
        assert_eq!(from_client(&deep), ["wrong type: `uid` must be an integer, not a list"]);
    }
}
