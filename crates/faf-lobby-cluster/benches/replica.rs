//! The cost of a replica: inputs a second through stream messages, world and effects, and snapshots
//! of a large lobby. `cargo bench -p faf-lobby-cluster --bench replica [PLAYERS [GAMES]]`; without
//! numbers, 10,000 players and 1,000 games.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "it prints what it has measured")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::time::{Duration, Instant};

use faf_lobby_cluster::{
    CoreInput, CoreName, Epoch, GatewayId, Nonce, Output, Replica, Snapshot, StreamMessage, WorldId,
};
use faf_lobby_core::{ConnId, Event, Settings};
use faf_protocol::{ClientMessage, Country, Limits, Message, SessionNumber};
use faf_testkit::lobby::BEGINNING;
use faf_testkit::store::FakeStore;

/// Number of measurements, of which the median counts.
const RUNS: usize = 5;

/// Events in a batch of a gateway, as under load.
const BATCH: usize = 50;

struct Rig {
    replica: Replica,
    store: FakeStore,
    sequence: u64,
    gateway: GatewayId,
    /// Number of the last batch of the gateway, and of the leader.
    batches: (u64, u64),
    /// Number of the next effect of the gateway.
    effects: u64,
}

impl Rig {
    fn new(players: u32) -> Self {
        let logins: Vec<String> = (1..=players).map(|number| format!("p{number}")).collect();
        let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        let settings = Settings { login_rate: 1_000_000, ..Settings::default() };
        let replica = Replica::begin(WorldId(1), settings, store.beginning(), BEGINNING, 0);
        let mut rig =
            Self { replica, store, sequence: 0, gateway: GatewayId(1), batches: (0, 0), effects: 0 };
        rig.append(&StreamMessage::Lead {
            core: CoreName("bench".to_owned()),
            version: String::new(),
            epoch: Epoch(1),
            after: 0,
        });
        rig.append(&StreamMessage::Join { nonce: Nonce(1), name: "bench".to_owned() });
        rig
    }

    /// Applies a message, carries out the requests that follow, and takes the effects.
    fn append(&mut self, message: &StreamMessage) {
        self.sequence += 1;
        let time = BEGINNING.after(Duration::from_millis(self.sequence));
        self.replica.apply(self.sequence, time, &message.encode());
        let mut requests = Vec::new();
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Request(id) => requests.push(id),
                Output::Own { number, .. } => self.effects = number + 1,
                Output::Shared { numbers, .. } => self.effects = numbers[&self.gateway] + 1,
                _ => {}
            }
        }
        let inputs: Vec<CoreInput> = requests
            .into_iter()
            .filter_map(|id| self.replica.open_requests().get(&id))
            .map(|open| CoreInput::Event(Event::Replied { reply: self.store.perform(open.request.clone()) }))
            .collect();
        if !inputs.is_empty() {
            self.batches.1 += 1;
            self.append(&StreamMessage::Core { epoch: Epoch(1), number: self.batches.1, inputs });
        }
    }

    fn events(&mut self, events: Vec<Event>) {
        self.batches.0 += 1;
        let (gateway, number, expects) = (self.gateway, self.batches.0, self.effects);
        self.append(&StreamMessage::Gateway { gateway, number, expects, events, leaves: false });
    }

    fn send(&mut self, player: u32, text: &str) {
        let event = received(self.conn(player), text);
        self.events(vec![event]);
    }

    fn conn(&self, player: u32) -> ConnId {
        self.gateway.connection(player.into())
    }
}

fn received(conn: ConnId, text: &str) -> Event {
    let message = Message::parse_text(text, &Limits::default()).unwrap();
    Event::Received { conn, message: ClientMessage::read(message) }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    median(
        (0..RUNS)
            .map(|_| {
                let begin = Instant::now();
                drop(work());
                begin.elapsed()
            })
            .collect(),
    )
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let players: u32 = numbers.next().unwrap_or(10_000);
    let games: u32 = numbers.next().unwrap_or(1000).min(players);
    let mut rig = Rig::new(players);
    for player in 1..=players {
        let (conn, session) = (rig.conn(player), SessionNumber(7));
        rig.events(vec![Event::Connected { conn, address: None, country: Country::UNKNOWN, session }]);
        rig.send(player, r#"{"command":"ask_session","user_agent":"bench","version":"1"}"#);
        rig.send(
            player,
            &format!(r#"{{"command":"hello","login":"p{player}","password":"p{player}-pw","unique_id":"","session":7}}"#),
        );
    }
    for host in 1..=games {
        rig.send(host, r#"{"command":"game_host","visibility":"public","title":"A game","mapname":"scmp_007","mod":"faf"}"#);
        for state in ["Idle", "Lobby"] {
            rig.send(host, &format!(r#"{{"command":"GameState","target":"game","args":["{state}"]}}"#));
        }
    }
    rig.sequence += 10_000;
    rig.events(Vec::new());
    println!("{} players, {} games", rig.replica.world().player_count(), rig.replica.world().games().count());

    let batches = 400;
    let per_run = time(|| {
        for batch in 0..batches {
            // Each player speaks rarely enough not to be slowed down.
            let first = batch * BATCH as u32;
            let events = (first..)
                .take(BATCH)
                .map(|number| received(rig.conn(1 + number % players), r#"{"command":"ping"}"#));
            rig.events(events.collect());
        }
    });
    let rate = f64::from(batches) * BATCH as f64 / per_run.as_secs_f64();
    println!("{rate:.0} pings a second through messages, world and effects");

    let mut snapshot = Vec::new();
    let write = time(|| snapshot = Snapshot::encode(&rig.replica, "bench", 1));
    let read = time(|| Snapshot::decode(&snapshot).unwrap());
    let hash = time(|| rig.replica.state_parts());
    println!("snapshot of {} bytes: written in {write:.1?}, read in {read:.1?}", snapshot.len());
    println!("hashes of the state: {hash:.1?}");
}
