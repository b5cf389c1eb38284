//! What the lobby itself costs, without sockets and database, on one thread: commands a second, and a report of all games.
//!
//! 2,000 players are online; 1,200 of them sit in 300 open lobbies, four in each. `cargo bench -p faf-lobby-core`.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use faf_lobby_core::{ConnId, Effect, Event, Moment, Settings, Timestamp, World};
use faf_protocol::{ClientMessage, Message, SessionNumber};
use faf_testkit::store::FakeStore;

const PLAYERS: u64 = 2000;
const GAMES: u64 = 300;
const MEMBERS: u64 = 4;

fn main() {
    divan::main();
}

/// A lobby and what its questions are answered from.
struct Lobby {
    world: World,
    store: FakeStore,
    elapsed: Duration,
}

impl Lobby {
    fn new() -> Self {
        let logins: Vec<String> = (1..=PLAYERS).map(|number| format!("player{number:04}")).collect();
        let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        // Nobody is pinged while something else is measured.
        let settings = Settings {
            ping_interval: Duration::from_secs(1_000_000_000),
            login_rate: 1_000_000,
            ..Settings::default()
        };
        let elapsed = Duration::ZERO;
        let world = World::new(settings, moment(elapsed), store.beginning());
        let mut lobby = Self { world, store, elapsed };
        for (number, login) in (1..).zip(&logins) {
            let (conn, session) = (ConnId(number), SessionNumber(0));
            lobby.handle(Event::Connected { conn, address: None, country: "DE".to_owned(), session });
            lobby.say(
                number,
                &format!(r#"{{"command":"hello","login":"{login}","password":"{login}-pw","unique_id":""}}"#),
            );
        }
        for game in 1..=GAMES {
            let host = host_of(game);
            lobby.say(host, r#"{"command":"game_host","visibility":"public","title":"4v4 all welcome"}"#);
            lobby.enter(host);
            for guest in host..host + MEMBERS {
                if guest != host {
                    lobby.say(guest, &format!(r#"{{"command":"game_join","uid":{game}}}"#));
                    lobby.enter(guest);
                }
                for option in ["Faction", "Color", "Team", "StartSpot", "Army"] {
                    let value = if option == "Team" { 2 + guest % 2 } else { 1 + guest - host };
                    lobby.say(host, &player_option(guest, option, value));
                }
            }
        }
        lobby.report();
        let full = lobby.world.games().filter(|game| game.members().len() as u64 == MEMBERS).count();
        assert_eq!(full as u64, GAMES);
        lobby
    }

    /// The player's game process starts and comes into the lobby.
    fn enter(&mut self, player: u64) {
        for state in ["Idle", "Lobby"] {
            self.say(player, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
        }
    }

    fn say(&mut self, player: u64, text: &str) {
        let message = ClientMessage::read(text.parse().unwrap());
        self.handle(Event::Received { conn: ConnId(player), message });
    }

    fn handle(&mut self, event: Event) {
        self.world.handle(moment(self.elapsed), event);
        self.carry_out();
    }

    fn report(&mut self) {
        self.elapsed += Duration::from_secs(1);
        self.world.handle_timeout(moment(self.elapsed));
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.world.poll_effect() {
            if let Effect::Ask { ticket, question, .. } = effect {
                let answer = self.store.answer(question);
                self.world.handle(moment(self.elapsed), Event::Answered { ticket, answer });
            } else {
                black_box(effect);
            }
        }
    }
}

fn moment(elapsed: Duration) -> Moment {
    Moment { elapsed, utc: Timestamp(1_782_907_200_000_000 + elapsed.as_micros() as i64) }
}

fn host_of(game: u64) -> u64 {
    (game - 1) * MEMBERS + 1
}

fn player_option(player: u64, key: &str, value: u64) -> String {
    format!(r#"{{"target":"game","command":"PlayerOption","args":[{player},"{key}",{value}]}}"#)
}

/// What an evening consists of: hosts change options, peers exchange ICE messages, clients answer pings, and one player in
/// every tenth game leaves and comes back. What has changed is told, as it is once a second.
#[divan::bench]
fn commands(bencher: Bencher<'_, '_>) {
    let mut lobby = Lobby::new();
    let mut script: Vec<(u64, ClientMessage)> = Vec::new();
    let mut say = |player: u64, text: &str| {
        let message: Message = text.parse().unwrap();
        script.push((player, ClientMessage::read(message).unwrap()));
    };
    let candidate = r#"{\"type\":\"candidate\",\"candidate\":\"1 1 UDP 2130706431 10.0.1.1 8998 typ host\"}"#;
    for game in 1..=GAMES {
        let host = host_of(game);
        say(host, &player_option(host + game % MEMBERS, "Team", 2 + game % 3));
        say(host, r#"{"target":"game","command":"GameOption","args":["UnitCap",1000]}"#);
        for guest in host + 1..host + MEMBERS {
            for (from, to) in [(guest, host), (host, guest)] {
                say(from, &format!(r#"{{"target":"game","command":"IceMsg","args":[{to},"{candidate}"]}}"#));
            }
        }
        say(host + 1, r#"{"command":"pong"}"#);
        say(PLAYERS - game, r#"{"command":"ping"}"#);
        if game % 10 == 0 {
            let guest = host + 3;
            say(guest, r#"{"target":"game","command":"GameState","args":["Ended"]}"#);
            say(guest, &format!(r#"{{"command":"game_join","uid":{game}}}"#));
            say(guest, r#"{"target":"game","command":"GameState","args":["Idle"]}"#);
            say(guest, r#"{"target":"game","command":"GameState","args":["Lobby"]}"#);
            say(host, &player_option(guest, "Team", 2));
        }
    }
    bencher.counter(ItemsCount::new(script.len())).bench_local(move || {
        for (player, message) in &script {
            lobby.handle(Event::Received { conn: ConnId(*player), message: Ok(message.clone()) });
        }
        lobby.report();
    });
}

/// All 300 games have changed, and 2,000 players are told.
#[divan::bench]
fn report_of_all_games(bencher: Bencher<'_, '_>) {
    let lobby = RefCell::new(Lobby::new());
    let change_all = || {
        let mut lobby = lobby.borrow_mut();
        for game in 1..=GAMES {
            lobby.say(host_of(game), &player_option(host_of(game), "Team", 2));
        }
    };
    bencher.with_inputs(change_all).bench_local_values(|()| lobby.borrow_mut().report());
}

/// One player hosts a game and gives it up again: `game_host` with both its questions, its process comes and goes, and
/// everybody is told.
#[divan::bench]
fn game_host(bencher: Bencher<'_, '_>) {
    let mut lobby = Lobby::new();
    bencher.bench_local(move || {
        for text in [
            r#"{"command":"game_host","visibility":"public","title":"1v1"}"#,
            r#"{"target":"game","command":"GameState","args":["Idle"]}"#,
            r#"{"target":"game","command":"GameState","args":["Ended"]}"#,
        ] {
            lobby.say(PLAYERS, text);
        }
        lobby.report();
    });
}
