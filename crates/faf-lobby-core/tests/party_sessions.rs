//! Parties and queues against sessions of the original server:
//! `golden/matchmaking/party_and_queue_sessions.json`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use faf_lobby_core::{ConnId, Settings};
use faf_protocol::PlayerId;
use faf_testkit::golden;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;
use serde::Deserialize;
use serde_json::{Value, json};

/// Cases whose steps need queues, which the lobby does not offer yet.
const NEED_QUEUES: [&str; 14] = [
    "solo-queue",
    "legacy-faction",
    "unknown-queue",
    "missing-state",
    "odd-state",
    "party-queue",
    "member-busy",
    "accept-while-queued",
    "match-1v1",
    "multi-queue",
    "disconnect-while-searching",
    "timeout-in-party",
    "newcomer-notice",
    "shutdown",
];

/// Cases that deliberately end in another way, with the reason; `tests/parties.rs` has our way.
const DELIBERATE: [(&str, &str); 3] = [
    ("quirk-rejoin-after-kick", "P1: an invitation is used up when it is accepted"),
    (
        "quirk-owner-kicks-himself",
        "P2: an owner who is kicked by the own client leaves, so that no party is without owner",
    ),
    ("bad-faction", "P7: an unknown faction is refused with a notice, and the connection stays"),
];

#[derive(Deserialize)]
struct Sessions {
    cases: Vec<Case>,
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

/// A lobby with all players of a case online.
struct Played {
    lobby: SimulatedLobby,
    online: BTreeMap<u32, ConnId>,
}

impl Played {
    fn new(case: &Case) -> Self {
        let logins: Vec<String> = case.players.keys().map(|number| format!("p{number}")).collect();
        let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        for (number, profile) in &case.players {
            let foes = profile.foes.iter().map(|foe| PlayerId(*foe));
            store.account(&format!("p{number}")).foes = foes.collect();
        }
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
            let is_direct =
                |message: &Value| message["command"] != "player_info" && message["command"] != "ping";
            let messages: Vec<Value> = messages.filter(is_direct).collect();
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
            (None, None, Some("disconnect"), Some(player)) => {
                let conn = self.online.remove(&player).unwrap();
                self.lobby.disconnect(conn);
            }
            _ => panic!("unknown step: {:?} {:?} {:?}", step.send, step.action, step.player),
        }
    }
}

#[test]
fn parties_are_as_in_the_original() {
    let mut played = 0;
    for file in golden::files("matchmaking", "json") {
        if !file.file_name().is_some_and(|name| name.to_string_lossy().contains("sessions")) {
            continue;
        }
        let sessions: Sessions = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for case in &sessions.cases {
            let id = case.id.as_str();
            if NEED_QUEUES.contains(&id) || DELIBERATE.iter().any(|(case, _)| *case == id) {
                continue;
            }
            let mut lobby = Played::new(case);
            for (number, step) in case.steps.iter().enumerate() {
                lobby.perform(step);
                let received = lobby.receive();
                assert_eq!(json!(received), json!(step.received), "{id}, step {number}");
            }
            lobby.lobby.check();
            played += 1;
        }
    }
    assert!(played >= 6 || !golden::is_own());
}
