//! Messages to clients by what they are about, kept once however many clients have received them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use faf_sessions::compare;
use serde_json::Value;

/// Number of kept texts and states at which those that nobody uses any more are first forgotten.
const SWEEP_FROM: usize = 4096;

/// The state of a player, a game or a queue in a message.
#[derive(Debug)]
pub(super) struct State {
    /// Equal for equal states.
    hash: u64,
    /// The state, without the times of which only the presence counts.
    pub(super) value: Value,
}

impl State {
    /// Returns whether two states are equal to the last digit.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

/// A message to a client.
#[derive(Debug)]
pub(super) enum Heard {
    /// A ping, which comes at any time.
    Routine,
    /// A message to this client alone.
    Direct(Arc<Value>),
    /// States of players, by id.
    Players(Vec<(u64, Arc<State>)>),
    /// The state of a game, with its id.
    Game(u64, Arc<State>),
    /// The list of games after a login.
    Games(Vec<(u64, Arc<State>)>),
    /// States of queues.
    Queues(Vec<Queue>),
}

/// The state of a queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: Arc<str>,
    /// The state without the time of the next round.
    pub(super) state: Arc<State>,
    /// The time of the next round, as it was sent, and the time until then.
    pub(super) pop: Option<(String, Duration)>,
}

impl Heard {
    /// Returns the command of the message.
    pub(super) fn command(&self) -> &str {
        match self {
            Self::Routine => "ping",
            Self::Direct(message) => message["command"].as_str().unwrap_or_default(),
            Self::Players(_) => "player_info",
            Self::Game(..) | Self::Games(_) => "game_info",
            Self::Queues(_) => "matchmaker_info",
        }
    }
}

/// Returns whether a message is nothing but a list whose entries have this key. Any other message
/// is compared as a whole.
fn is_list(message: &Value, list: &str, key: &str) -> bool {
    let has_key = |entry: &Value| entry[key].is_u64() || entry[key].is_string();
    message.as_object().is_some_and(|members| members.len() == 2)
        && message[list].as_array().is_some_and(|entries| entries.iter().all(has_key))
}

/// Reads messages; broadcasts of the same text are the same object.
#[derive(Debug, Default)]
pub(super) struct Reading {
    texts: HashMap<Box<str>, Arc<Heard>>,
    states: HashMap<u64, Arc<State>>,
    /// Number of entries left after the last sweep.
    left: usize,
}

impl Reading {
    /// Reads a message of a server; `None` if it is no JSON object.
    pub(super) fn read(&mut self, text: &str) -> Option<Arc<Heard>> {
        if let Some(known) = self.texts.get(text) {
            return Some(Arc::clone(known));
        }
        let message: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
        let heard = match message["command"].as_str() {
            Some("ping") => Heard::Routine,
            Some("player_info") if is_list(&message, "players", "id") => {
                Heard::Players(self.states(&message["players"], "id", Value::clone))
            }
            Some("game_info") if message["uid"].is_u64() => {
                let uid = message["uid"].as_u64().unwrap_or_default();
                Heard::Game(uid, self.state(compare::constant_game(message)))
            }
            Some("game_info") if is_list(&message, "games", "uid") => {
                let game = |game: &Value| compare::constant_game(game.clone());
                Heard::Games(self.states(&message["games"], "uid", game))
            }
            Some("matchmaker_info") if is_list(&message, "queues", "queue_name") => {
                Heard::Queues(self.queues(&message))
            }
            // The next client gets another text as a rule.
            _ => return Some(Arc::new(Heard::Direct(Arc::new(message)))),
        };
        let heard = Arc::new(heard);
        self.texts.insert(text.into(), Arc::clone(&heard));
        self.sweep();
        Some(heard)
    }

    fn states(&mut self, list: &Value, id: &str, constant: fn(&Value) -> Value) -> Vec<(u64, Arc<State>)> {
        let entries = list.as_array().into_iter().flatten();
        entries.map(|one| (one[id].as_u64().unwrap_or_default(), self.state(constant(one)))).collect()
    }

    fn queues(&mut self, message: &Value) -> Vec<Queue> {
        let queues = message["queues"].as_array().into_iter().flatten();
        let read = queues.map(|queue| {
            let mut queue = queue.clone();
            let mut take = |member: &str| queue.as_object_mut().and_then(|queue| queue.remove(member));
            let (pops_at, delta) = (take("queue_pop_time"), take("queue_pop_time_delta"));
            let pops_at = pops_at.and_then(|time| time.as_str().map(str::to_owned));
            let delta = delta.and_then(|delta| Duration::try_from_secs_f64(delta.as_f64()?).ok());
            let name = queue["queue_name"].as_str().unwrap_or_default().into();
            Queue { name, state: self.state(queue), pop: pops_at.zip(delta) }
        });
        read.collect()
    }

    /// Returns the state with this value.
    pub(super) fn state(&mut self, value: Value) -> Arc<State> {
        let mut hasher = DefaultHasher::new();
        value.to_string().hash(&mut hasher);
        let hash = hasher.finish();
        Arc::clone(self.states.entry(hash).or_insert_with(|| Arc::new(State { hash, value })))
    }

    /// Forgets what nobody uses any more, if much has come since the last time.
    fn sweep(&mut self) {
        if self.texts.len() + self.states.len() < SWEEP_FROM.max(self.left * 2) {
            return;
        }
        self.texts.retain(|_, heard| Arc::strong_count(heard) > 1);
        self.states.retain(|_, state| Arc::strong_count(state) > 1);
        self.left = self.texts.len() + self.states.len();
    }
}

#[test]
fn equal_broadcasts_are_one_object_and_forgotten_after_use() {
    let mut reading = Reading::default();
    let players =
        |login: &str| format!(r#"{{"command":"player_info","players":[{{"id":7,"login":"{login}"}}]}}"#);
    let first = reading.read(&players("Ada")).unwrap();
    assert!(Arc::ptr_eq(&first, &reading.read(&players("Ada")).unwrap()));
    for number in 0..20_000 {
        assert!(reading.read(&players(&number.to_string())).is_some());
    }
    assert!(reading.texts.len() + reading.states.len() <= SWEEP_FROM);
    assert!(Arc::ptr_eq(&first, &reading.read(&players("Ada")).unwrap()));
    assert!(reading.read("[1]").is_none() && reading.read("{").is_none());
}
