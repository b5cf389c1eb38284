//! Parties and queues against sessions of the original server:
//! `golden/matchmaking/party_and_queue_sessions.json`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::{ConnId, Settings};
use faf_protocol::PlayerId;
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_testkit::golden;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::queues;
use faf_testkit::store::FakeStore;
use serde::Deserialize;
use serde_json::{Value, json};

/// Cases with steps that only the original's own tests can make. `tests/queues.rs` has the same
/// with what players can do.
const NEED_INSIDES: [&str; 2] = ["member-busy", "timeout-in-party"];

/// Cases that deliberately end in another way, with the reason; `tests/parties.rs` has our way.
const DELIBERATE: [(&str, &str); 5] = [
    ("unknown-queue", "M12: an unknown queue is refused with a notice, and the connection stays"),
    ("missing-state", "M12: a search that cannot be read is refused with a notice, and the connection stays"),
    ("quirk-rejoin-after-kick", "P1: an invitation is used up when it is accepted"),
    (
        "quirk-owner-kicks-himself",
        "P2: an owner who is kicked by the own client leaves, so that no party is without owner",
    ),
    ("bad-faction", "P7: an unknown faction is refused with a notice, and the connection stays"),
];

#[derive(Deserialize)]
struct Sessions {
    queues: Vec<QueueOfCase>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct QueueOfCase {
    name: String,
    rating_type: String,
    team_size: u32,
}

impl QueueOfCase {
    fn stored(&self, id: u32) -> QueueData {
        let leaderboard = self.rating_type.clone();
        QueueData { leaderboard, ..queues::queue(id, &self.name, self.team_size) }
    }
}

#[derive(Deserialize)]
struct Case {
    id: String,
    players: BTreeMap<u32, Profile>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    foes: Vec<u32>,
    mean: Option<f64>,
    dev: Option<f64>,
    games: Option<u32>,
}

#[derive(Deserialize)]
struct Step {
    from: Option<u32>,
    send: Option<Value>,
    #[serde(rename = "do")]
    action: Option<String>,
    player: Option<u32>,
    #[serde(default)]
    received: BTreeMap<u32, Vec<Value>>,
}

/// Commands that the recording leaves out: reports to everybody, and the launch of a match, which
/// `tests/matches.rs` has.
const LEFT_OUT: [&str; 5] = ["player_info", "matchmaker_info", "game_info", "game_launch", "ping"];

/// Time until the next round of all queues.
const POP: Duration = Duration::from_secs(46);

/// A lobby with all players of a case online.
struct Played {
    lobby: SimulatedLobby,
    online: BTreeMap<u32, ConnId>,
}

impl Played {
    fn new(case: &Case, queues: &[QueueOfCase]) -> Self {
        let logins: Vec<String> = case.players.keys().map(|number| format!("p{number}")).collect();
        let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        for (number, profile) in &case.players {
            let foes = profile.foes.iter().map(|foe| PlayerId(*foe));
            let account = store.account(&format!("p{number}"));
            account.foes = foes.collect();
            // The others have a rating everywhere that needs no welcome.
            let rating = LeaderboardRating {
                rating: Rating {
                    mean: profile.mean.unwrap_or(1500.0),
                    deviation: profile.dev.unwrap_or(80.0),
                },
                number_of_games: profile.games.unwrap_or(100),
            };
            for queue in queues {
                account.ratings.push((queue.rating_type.clone(), rating));
            }
        }
        store.data.queues = (1..).zip(queues).map(|(id, queue)| queue.stored(id)).collect();
        let mut lobby = SimulatedLobby::new(Settings::default(), store);
        let online =
            case.players.keys().map(|number| (*number, lobby.log_in(&format!("p{number}")))).collect();
        lobby.advance(Duration::from_secs(2));
        let mut played = Self { lobby, online };
        played.receive();
        played
    }

    /// Returns what each player has received since the last call, without reports to everybody.
    fn receive(&mut self) -> BTreeMap<u32, Vec<Value>> {
        let mut received = BTreeMap::new();
        for (number, conn) in &self.online {
            let messages = self.lobby.receive(*conn).into_iter();
            let messages = messages.map(|text| serde_json::from_str::<Value>(&text).unwrap());
            let is_direct = |message: &Value| LEFT_OUT.iter().all(|left_out| message["command"] != *left_out);
            let messages: Vec<Value> = messages.filter(is_direct).map(with_placeholders).collect();
            if !messages.is_empty() {
                received.insert(*number, messages);
            }
        }
        received
    }

    fn perform(&mut self, step: &Step) {
        match (step.from, &step.send, step.action.as_deref(), step.player) {
            (Some(from), Some(message), None, None) => {
                self.lobby.send(self.online[&from], &message.to_string());
            }
            (None, None, Some("party_tick"), None) => self.lobby.advance(Duration::from_secs(1)),
            // All queues have the same rhythm here.
            (None, None, Some("pop"), None) => self.lobby.advance(POP),
            (None, None, Some("graceful_shutdown"), None) => self.lobby.shut_down(),
            (None, None, Some("disconnect"), Some(player)) => {
                let conn = self.online.remove(&player).unwrap();
                self.lobby.disconnect(conn);
            }
            _ => panic!("unknown step: {:?} {:?} {:?}", step.send, step.action, step.player),
        }
    }
}

/// Replaces what the recording has placeholders for.
fn with_placeholders(mut message: Value) -> Value {
    if message["command"] == "notice" && message["style"] == "info" {
        message["text"] = "<free>".into();
    }
    message
}

#[test]
fn parties_and_queues_are_as_in_the_original() {
    let mut played = 0;
    for file in golden::files("matchmaking", "json") {
        if !file.file_name().is_some_and(|name| name.to_string_lossy().contains("sessions")) {
            continue;
        }
        let sessions: Sessions = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for case in &sessions.cases {
            let id = case.id.as_str();
            if NEED_INSIDES.contains(&id) || DELIBERATE.iter().any(|(case, _)| *case == id) {
                continue;
            }
            let mut lobby = Played::new(case, &sessions.queues);
            for (number, step) in case.steps.iter().enumerate() {
                lobby.perform(step);
                let mut received = lobby.receive();
                if step.action.as_deref() == Some("graceful_shutdown") {
                    // The recording begins after the announcement.
                    received
                        .values_mut()
                        .for_each(|messages| messages.retain(|one| one["command"] != "notice"));
                }
                assert_eq!(json!(received), json!(step.received), "{id}, step {number}");
            }
            lobby.lobby.check();
            played += 1;
        }
    }
    assert!(played >= 16 || !golden::is_own());
}
