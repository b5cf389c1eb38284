//! The check of the messages of one connection against the table of a program.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::Client;
use super::ordered::Ordered;
use super::shape::{Condition, ExtraMembers, Kind, OutsideEffect, RefersTo, RelationRule, Shape};

/// The program that must know its own player before it can read some commands, and these commands.
const NEEDS_ONESELF: (&str, [&str; 2]) = ("python", ["matchmaker_info", "game_launch"]);

/// The messages of one connection, as a program reads them.
#[derive(Debug, Clone)]
pub struct Checker {
    client: Arc<Client>,
    /// Players who have been told.
    players: BTreeSet<u64>,
    /// The player on this connection, from `welcome` on.
    me: Option<u64>,
    found: Vec<Violation>,
}

/// Something in a message that a program does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Name of the program.
    pub client: &'static str,
    /// Command of the message.
    pub command: String,
    /// The value: members by their names, elements by their positions.
    pub path: String,
    /// The rule, as in `golden/clients/README.md`; or `own_player`.
    pub rule: &'static str,
    /// The value that was found.
    pub value: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, command, path, rule, value } = self;
        write!(f, "{client}: {command}: {path}: {rule}: {value}")
    }
}

impl Checker {
    /// Creates the checker of a new connection.
    #[must_use]
    pub fn new(client: &Arc<Client>) -> Self {
        Self { client: Arc::clone(client), players: BTreeSet::new(), me: None, found: Vec::new() }
    }

    /// Checks the next message, and returns all violations that the original server does not commit
    /// as well.
    pub fn check(&mut self, text: &str) -> Vec<Violation> {
        let (message, found) = self.check_all(text);
        found.into_iter().filter(|violation| !self.is_known(&message, violation)).collect()
    }

    /// Checks the next message, and returns the number of all violations.
    pub fn count(&mut self, text: &str) -> usize {
        self.check_all(text).1.len()
    }

    fn check_all(&mut self, text: &str) -> (Ordered, Vec<Violation>) {
        let message: Ordered = serde_json::from_str(text).unwrap_or(Ordered::Plain(Value::Null));
        let command = message.member("command").and_then(Ordered::text).unwrap_or_default().to_owned();
        let client = Arc::clone(&self.client);
        if command.is_empty() {
            self.report("command", "missing", &message);
        } else if let Some(forms) = client.commands.get(&command) {
            let is_it = |names: &[String]| names.iter().all(|name| message.member(name).is_some());
            if let Some(form) = forms.0.iter().find(|form| is_it(&form.when_present)) {
                self.object(&form.shape, &message, "");
            }
            self.remember(&command, &message);
            let (name, commands) = NEEDS_ONESELF;
            let knows_itself = self.me.is_none_or(|me| self.players.contains(&me));
            if client.name == name && commands.contains(&command.as_str()) && !knows_itself {
                self.report("", "own_player", &message);
            }
        }
        let mut found = std::mem::take(&mut self.found);
        found.iter_mut().for_each(|violation| violation.command.clone_from(&command));
        (message, found)
    }

    fn report(&mut self, path: &str, rule: &'static str, value: &Ordered) {
        let (client, path, value) = (self.client.name, path.to_owned(), value.to_string());
        self.found.push(Violation { client, command: String::new(), path, rule, value });
    }

    /// Notes the players in a message.
    fn remember(&mut self, command: &str, message: &Ordered) {
        let id_of = |player: &Ordered| player.member("id")?.plain()?.as_u64();
        if command == "welcome" {
            self.me = message.member("me").and_then(id_of);
        }
        if !self.client.players_told_in.iter().any(|told_in| told_in == command) {
            return;
        }
        let players = match command {
            "player_info" => message.member("players").map_or(&[][..], Ordered::array),
            _ => message.member("me").map_or(&[][..], std::slice::from_ref),
        };
        for player in players {
            let Some(id) = id_of(player) else { continue };
            let is_offline = player.member("state").and_then(Ordered::text) == Some("offline");
            if is_offline && self.client.forgets_offline_players {
                self.players.remove(&id);
            } else {
                self.players.insert(id);
            }
        }
    }

    fn is_known(&self, message: &Ordered, violation: &Violation) -> bool {
        let Ordered::Object(members) = message else { return false };
        let names: BTreeSet<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        let path = without_positions(&violation.path);
        self.client.original_violates.iter().any(|known| {
            let has_only = known.message_has_only.as_ref().is_none_or(|only| {
                names == only.iter().map(String::as_str).chain(["command"]).collect::<BTreeSet<_>>()
            });
            let is_value = |values: &Vec<Value>| {
                values.iter().map(Value::to_string).any(|value| value == violation.value)
            };
            known.command == violation.command
                && known.rule == violation.rule
                && known.paths.contains(&path)
                && known.values.as_ref().is_none_or(is_value)
                && has_only
        })
    }

    fn object(&mut self, shape: &Shape, object: &Ordered, path: &str) {
        let Ordered::Object(found) = object else { return };
        for (name, member) in &shape.members {
            let path = join(path, name);
            match object.member(name) {
                Some(value) => self.value(member, value, &path, object),
                None if member.required || holds(member.required_when.as_ref(), object) => {
                    self.report(&path, "missing", object);
                }
                None => {}
            }
        }
        if shape.extra_members == Some(ExtraMembers::Drop) {
            for (name, value) in found.iter().filter(|(name, _)| name != "command") {
                if !shape.members.contains_key(name) {
                    self.report(&join(path, name), "extra", value);
                }
            }
        }
        for relation in &shape.relations {
            if !fits_relation(relation.rule, object) {
                self.report(&join(path, "teams_ids"), "relation", object);
            }
        }
    }

    fn value(&mut self, shape: &Shape, value: &Ordered, path: &str, parent: &Ordered) {
        if value.is_null() {
            if !shape.nullable || holds(shape.non_null_when.as_ref(), parent) {
                self.report(path, "null", value);
            }
            return;
        }
        if !std::iter::once(&shape.kind).chain(&shape.accepts).any(|kind| is_of(*kind, value)) {
            return self.report(path, "type", value);
        }
        if !is_in_range(shape, value) {
            self.report(path, "range", value);
        }
        if !is_listed(shape, value) {
            self.report(path, "enum", value);
        }
        if let (Some(format), Some(text)) = (shape.format, value.text())
            && !format.fits(text)
        {
            self.report(path, "format", value);
        }
        if shape.refers_to == Some(RefersTo::Player)
            && value.plain().and_then(Value::as_u64).is_some_and(|id| !self.players.contains(&id))
        {
            self.report(path, "refers_to", value);
        }
        match value {
            Ordered::Array(items) => {
                if items.len() < shape.min_items || shape.max_items.is_some_and(|most| items.len() > most) {
                    self.report(path, "items", value);
                }
                for (index, item) in items.iter().enumerate() {
                    if let Some(shape) = shape.positions.get(index).or(shape.items.as_deref()) {
                        self.value(shape, item, &format!("{path}[{index}]"), value);
                    }
                }
            }
            Ordered::Object(members) => {
                if let Some(of_values) = &shape.values {
                    for (key, member) in members {
                        let path = join(path, key);
                        if shape.keys.is_some_and(|format| !format.fits(key)) {
                            self.report(&path, "key", member);
                        }
                        self.value(of_values, member, &path, value);
                    }
                }
                self.object(shape, value, path);
            }
            Ordered::Plain(_) => {}
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `games[3].mod` becomes `games[].mod`.
fn without_positions(path: &str) -> String {
    let mut parts = path.split('[');
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        all += "[";
        all += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    all
}

fn holds(condition: Option<&Condition>, object: &Ordered) -> bool {
    let has = |name: &String, values: &Vec<Value>| {
        object.member(name).and_then(Ordered::plain).is_some_and(|value| values.contains(value))
    };
    condition.is_some_and(|condition| condition.iter().all(|(name, values)| has(name, values)))
}

fn is_of(kind: Kind, value: &Ordered) -> bool {
    let plain = value.plain();
    let number = plain.and_then(Value::as_f64);
    match kind {
        Kind::Any => true,
        Kind::String => value.text().is_some(),
        Kind::Int => plain.is_some_and(|value| value.is_i64() || value.is_u64()),
        Kind::Float => number.is_some(),
        Kind::Bool => plain.is_some_and(Value::is_boolean),
        Kind::Array => matches!(value, Ordered::Array(_)),
        Kind::Object | Kind::Map => matches!(value, Ordered::Object(_)),
        Kind::Whole => number.is_some_and(|number| number.fract() == 0.0),
        Kind::Numeric => value.text().is_some_and(|text| super::shape::Format::IntText.fits(text)),
    }
}

fn is_in_range(shape: &Shape, value: &Ordered) -> bool {
    let Some(number) = value.plain().and_then(Value::as_f64) else { return true };
    let bound = |bits: u32| 2_f64.powi(bits as i32 - 1);
    shape.bits.is_none_or(|bits| (-bound(bits)..bound(bits)).contains(&number))
        && shape.min.is_none_or(|least| number >= least)
        && shape.max.is_none_or(|most| number <= most)
}

/// Returns whether a value is in its list, or may be outside. Texts and numbers are compared only
/// if the list has any of their kind.
fn is_listed(shape: &Shape, value: &Ordered) -> bool {
    let is_rejected = shape.outside.as_ref().is_some_and(|outside| outside.effect == OutsideEffect::Reject);
    let (Some(words), Some(value), true) = (&shape.words, value.plain(), is_rejected) else { return true };
    let same_kind =
        |word: &Value| word.is_string() == value.is_string() && word.is_number() == value.is_number();
    let is_word = |word: &Value| match (word, value) {
        (Value::String(word), Value::String(value)) if shape.ignore_case => {
            word.to_lowercase() == value.to_lowercase()
        }
        _ => word == value,
    };
    !words.iter().any(same_kind) || words.iter().any(is_word)
}

fn fits_relation(rule: RelationRule, game: &Ordered) -> bool {
    let (Some(Ordered::Object(teams)), Some(Ordered::Array(ids))) =
        (game.member("teams"), game.member("teams_ids"))
    else {
        return true;
    };
    let id_of = |team: &Ordered| team.member("team_id").map(ToString::to_string);
    let keys: Vec<String> = ids.iter().filter_map(id_of).collect();
    match rule {
        RelationRule::UniqueTeamIds => keys.iter().collect::<BTreeSet<_>>().len() == keys.len(),
        RelationRule::TeamsAndIdsParallel => {
            let count = |team: &Ordered| team.member("player_ids").map_or(0, |players| players.array().len());
            let have_names = ids.iter().enumerate().all(|(place, team)| {
                teams.get(place).is_some_and(|(_, names)| count(team) <= names.array().len())
            });
            have_names && keys.iter().zip(teams).all(|(key, (team, _))| key == team)
        }
    }
}
