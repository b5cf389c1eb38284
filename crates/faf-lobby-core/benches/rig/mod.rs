//! A lobby for benchmarks with thousands of players, some of them in open games.

use std::hint::black_box;
use std::time::Duration;

use faf_lobby_core::matchmaking::map_pool::Bracket;
use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::ratings::GLOBAL;
use faf_lobby_core::{ConnId, Effect, Event, Moment, Settings, Timestamp, World};
use faf_protocol::{ClientMessage, SessionNumber};
use faf_testkit::queues;
use faf_testkit::store::FakeStore;

pub(crate) const GAMES: u64 = 300;
pub(crate) const MEMBERS: u64 = 4;

/// A lobby and the store that answers its requests.
pub(crate) struct Lobby {
    pub(crate) world: World,
    pub(crate) store: FakeStore,
    pub(crate) elapsed: Duration,
}

impl Lobby {
    /// Creates a lobby with these queues in which all players are online, and nothing else happens.
    pub(crate) fn online(players: u64, settings: Settings, queues: Vec<QueueData>) -> Self {
        let logins: Vec<String> = (1..=players).map(login).collect();
        let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        store.data.queues = queues;
        let elapsed = Duration::ZERO;
        let world = World::new(settings, moment(elapsed), store.beginning());
        let mut lobby = Self { world, store, elapsed };
        for number in 1..=players {
            lobby.log_in(number, number);
        }
        lobby
    }

    /// Creates a lobby in which all players are online, and the first of them are in games.
    pub(crate) fn new(players: u64, settings: Settings) -> Self {
        let mut lobby = Self::online(players, settings, Vec::new());
        for game in 1..=GAMES {
            let host = host_of(game);
            lobby.send(host, r#"{"command":"game_host","visibility":"public","title":"4v4 all welcome"}"#);
            lobby.enter(host);
            for guest in host..host + MEMBERS {
                if guest != host {
                    lobby.send(guest, &format!(r#"{{"command":"game_join","uid":{game}}}"#));
                    lobby.enter(guest);
                }
                for option in ["Faction", "Color", "Team", "StartSpot", "Army"] {
                    let value = if option == "Team" { 2 + guest % 2 } else { 1 + guest - host };
                    lobby.send(host, &player_option(guest, option, value));
                }
            }
        }
        lobby.report();
        let full = lobby.world.games().filter(|game| game.members().len() as u64 == MEMBERS).count();
        assert_eq!(full as u64, GAMES);
        lobby
    }

    /// Connects a client and logs in.
    pub(crate) fn log_in(&mut self, conn: u64, player: u64) {
        let session = SessionNumber(0);
        self.handle(Event::Connected {
            conn: ConnId(conn),
            address: None,
            country: "DE".parse().unwrap(),
            session,
        });
        self.send(conn, &hello(player));
    }

    /// Starts the player's game process, which enters the lobby of the game.
    pub(crate) fn enter(&mut self, player: u64) {
        for state in ["Idle", "Lobby"] {
            self.send(player, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
        }
    }

    pub(crate) fn send(&mut self, player: u64, text: &str) {
        let message = ClientMessage::read(text.parse().unwrap());
        self.handle(Event::Received { conn: ConnId(player), message });
    }

    pub(crate) fn handle(&mut self, event: Event) {
        self.world.handle(moment(self.elapsed), event);
        self.handle_effects();
    }

    pub(crate) fn report(&mut self) {
        self.elapsed += Duration::from_secs(1);
        self.world.handle_timeout(moment(self.elapsed));
        self.handle_effects();
    }

    pub(crate) fn handle_effects(&mut self) {
        while let Some(effect) = self.world.poll_effect() {
            if let Effect::Request { request, .. } = effect {
                let reply = self.store.perform(request);
                self.world.handle(moment(self.elapsed), Event::Replied { reply });
            } else {
                black_box(effect);
            }
        }
    }
}

pub(crate) fn moment(elapsed: Duration) -> Moment {
    Moment { elapsed, utc: Timestamp(1_782_907_200_000_000 + elapsed.as_micros() as i64) }
}

pub(crate) fn host_of(game: u64) -> u64 {
    (game - 1) * MEMBERS + 1
}

pub(crate) fn player_option(player: u64, key: &str, value: u64) -> String {
    format!(r#"{{"target":"game","command":"PlayerOption","args":[{player},"{key}",{value}]}}"#)
}

/// The login of the player with this number.
fn login(number: u64) -> String {
    format!("player{number:05}")
}

/// The login message of that player.
pub(crate) fn hello(number: u64) -> String {
    let login = login(number);
    format!(r#"{{"command":"hello","login":"{login}","password":"{login}-pw","unique_id":""}}"#)
}

/// Settings without pings and without a limit on logins.
pub(crate) fn quiet() -> Settings {
    Settings {
        ping_interval: Duration::from_secs(1_000_000_000),
        login_rate: 1_000_000,
        ..Settings::default()
    }
}

/// A queue with one bracket, which has the queue's number and the map pool entries 1 to 8.
pub(crate) fn queue(id: u32, name: &str, team_size: u32, vetoes: VetoSettings) -> QueueData {
    let pool = (1..=8).map(queues::entry).collect();
    let bracket = Bracket { vetoes, ..queues::bracket(id.into(), pool) };
    QueueData {
        leaderboard: GLOBAL.to_owned(),
        brackets: vec![bracket],
        ..queues::queue(id, name, team_size)
    }
}
