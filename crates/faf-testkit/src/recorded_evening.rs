//! An evening of [bots](faf_bots) in simulated time, recorded as `faf-wire tap` would record it.
//!
//! The bots' clients and the tap are some way from the lobby: what the lobby sends is recorded
//! later than it was sent, and each message by another time. Messages of clients are recorded when
//! the lobby receives it, so that the order of the recording is that of the lobby.

use std::sync::Arc;
use std::time::Duration;

use faf_bots::{Action, Bot, Content, Map, Rng, Shared, Sociable};
use faf_lobby_core::matchmaking::MatchmakingSettings;
use faf_lobby_core::{ConnId, MapVersion, Settings, Timestamp};
use faf_lobby_store::memory::Memory;
use faf_protocol::client_message::{AskSession, Hello};
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_protocol::{ClientMessage, Encode, Message, Secret, WireFormat};
use faf_sessions::recording::{Entry, Recorded, RecordedConn, Side};
use rand::{Rng as _, SeedableRng};

use crate::lobby::{BEGINNING, SimulatedLobby};
use crate::queues::queue;
use crate::store::FakeStore;

/// Time between two steps of the bots.
const STEP: Duration = Duration::from_millis(50);

/// Longest time from the lobby to the tap.
const LATENCY: u64 = 120;

/// A recorded evening.
#[derive(Debug)]
pub struct RecordedEvening {
    /// The database when the evening began.
    pub database: Memory,
    /// The settings of the lobby.
    pub settings: Settings,
    /// All entries in their order.
    pub entries: Vec<Recorded>,
}

/// A bot, its connection, and the time to reconnect if there is none.
struct Player {
    bot: Bot,
    conn: Option<ConnId>,
    back: Duration,
}

/// Plays and records an evening.
///
/// # Panics
/// If the lobby breaks a law of the simulation.
#[must_use]
pub fn record(seed: u64, players: usize, length: Duration) -> RecordedEvening {
    let logins: Vec<String> = (1..=players).map(|number| format!("player{number}")).collect();
    let mut random = Rng::seed_from_u64(seed);
    let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    store.maps.insert("scmp_009".to_owned(), MapVersion { id: 9, is_ranked: true });
    store.data.queues = vec![queue(1, "ladder1v1", 1), queue(2, "tmm2v2", 2)];
    for account in store.accounts.values_mut() {
        let mean = 600.0 + (random.next_u64() % 1500) as f64;
        let rated = LeaderboardRating { rating: Rating { mean, deviation: 90.0 }, number_of_games: 40 };
        account.ratings.push(("global".to_owned(), rated));
    }
    let settings = Settings {
        // Rounds are not at the times of reports, with which they would come in any order.
        matchmaking: MatchmakingSettings { queue_pop_time_max: 30.37, ..MatchmakingSettings::default() },
        ..Settings::default()
    };
    let database = Memory::clone(&store);
    let map = |folder: &str| Map { name: folder.to_owned(), folder: folder.to_owned(), max_players: 4 };
    let content = Content { maps: vec![map("scmp_007"), map("scmp_009")], ..Content::default() };
    let shared = Arc::new(Shared { content, ..Shared::default() });
    let player = |(number, login): (u64, &String)| {
        let rng = Rng::seed_from_u64(seed.wrapping_mul(1000) + number);
        let bot = Bot::new(login.clone(), Arc::clone(&shared), Box::new(Sociable), rng);
        // They come one after the other.
        Player { bot, conn: None, back: Duration::from_millis(number * 120) }
    };
    let mut evening = Recording {
        lobby: SimulatedLobby::new(settings.clone(), store),
        players: (0..).zip(&logins).map(player).collect(),
        entries: vec![(Duration::ZERO, Entry::Clock { utc: BEGINNING.0 })],
        random,
    };
    while evening.lobby.now() < length {
        for player in 0..evening.players.len() {
            evening.act(player);
        }
        evening.lobby.advance(STEP);
    }
    let mut entries = evening.entries;
    entries.sort_by_key(|(at, _)| *at);
    let entries = entries.into_iter().map(|(at, entry)| Recorded { at, entry }).collect();
    RecordedEvening { database, settings, entries }
}

struct Recording {
    lobby: SimulatedLobby,
    players: Vec<Player>,
    entries: Vec<(Duration, Entry)>,
    random: Rng,
}

impl Recording {
    fn act(&mut self, player: usize) {
        let now = self.lobby.now();
        let Player { bot, conn, back } = &mut self.players[player];
        if conn.is_none() && *back <= now {
            let login = bot.login().to_owned();
            let password = Secret::new(format!("{login}-pw"));
            let ask = ClientMessage::AskSession(AskSession {
                user_agent: Some("downlords-faf-client".to_owned()),
                version: None,
            });
            let hello = ClientMessage::Hello(Hello { login, password, unique_id: "x".to_owned() });
            bot.connected(now, [ask, hello]);
            let open = self.lobby.connect();
            *conn = Some(open);
            let opened =
                Entry::Opened { conn: RecordedConn(open.0), format: WireFormat::SimpleJson, address: None };
            self.entries.push((now, opened));
        }
        let Some(open) = *conn else { return };
        self.receive(player, open);
        let bot = &mut self.players[player].bot;
        bot.handle_timeout(now);
        while let Some(action) = self.players[player].bot.poll_action() {
            match action {
                Action::Send(message) => {
                    if !self.lobby.is_open(open) {
                        continue;
                    }
                    let text = json(&message);
                    let message: Message = text.parse().expect("messages of bots are valid");
                    self.entries.push((now, Entry::FromClient { conn: RecordedConn(open.0), message }));
                    self.lobby.send(open, &text);
                }
                Action::LogOut | Action::Drop => return self.leave(player, open),
            }
        }
        if !self.lobby.is_open(open) {
            self.leave(player, open);
        }
    }

    /// Records what the lobby has sent, and passes it to the bot.
    fn receive(&mut self, player: usize, conn: ConnId) {
        let now = self.lobby.now();
        for message in self.lobby.receive_messages(conn) {
            self.players[player].bot.handle(now, &message);
            let text = json(&message);
            let message: Message = text.parse().expect("messages of the lobby are valid");
            // Messages of one connection do not overtake each other.
            let at = self.later(conn);
            self.entries.push((at, Entry::FromServer { conn: RecordedConn(conn.0), message }));
        }
    }

    /// The time at which the next message to a client is recorded.
    fn later(&mut self, conn: ConnId) -> Duration {
        let now = self.lobby.now() + Duration::from_millis(self.random.next_u64() % LATENCY);
        let last = self.entries.iter().rev().take(5000).find_map(|(at, entry)| match entry {
            Entry::FromServer { conn: of, .. } if of.0 == conn.0 => Some(*at),
            _ => None,
        });
        last.map_or(now, |last| last.max(now))
    }

    fn leave(&mut self, player: usize, conn: ConnId) {
        self.receive(player, conn);
        let is_open = self.lobby.is_open(conn);
        let by = if is_open { Side::Client } else { Side::Server };
        if is_open {
            self.lobby.disconnect(conn);
            // The tap has passed on everything that came before the end.
            let now = self.lobby.now();
            for (at, entry) in self.entries.iter_mut().rev().take(5000) {
                if matches!(entry, Entry::FromServer { conn: of, .. } if of.0 == conn.0) {
                    *at = now.min(*at);
                }
            }
        }
        let at = if is_open { self.lobby.now() } else { self.later(conn) };
        self.entries.push((at, Entry::Closed { conn: RecordedConn(conn.0), by }));
        let Player { bot, conn, back } = &mut self.players[player];
        *conn = None;
        *back = self.lobby.now() + bot.disconnected();
    }
}

/// Returns the time of the beginning of every recorded evening.
#[must_use]
pub fn beginning() -> Timestamp {
    BEGINNING
}

fn json(message: &impl Encode) -> String {
    let mut json = Vec::new();
    message.write_json(&mut json).expect("messages can be encoded");
    String::from_utf8(json).expect("JSON is UTF-8")
}
