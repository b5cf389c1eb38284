//! Bots in a lobby in simulated time: an evening without sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod coverage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use faf_bots::{Action, Bot, Content, Course, Map, Rng, Shared, Sociable, Tally};
use faf_lobby_core::{ConnId, Settings};
use faf_protocol::client_message::{AskSession, Auth, Hello};
use faf_protocol::{ClientMessage, Encode, GameId, Secret};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;
use rand::SeedableRng;

const LOGINS: [&str; 16] = [
    "Ada", "Bob", "Cem", "Dan", "Eva", "Fay", "Gus", "Hal", "Ivo", "Jan", "Kim", "Lea", "Max", "Nia", "Oda",
    "Pia",
];

/// A bot, its connection, and the time to reconnect if there is none.
struct Player {
    bot: Bot,
    conn: Option<ConnId>,
    back: Duration,
    course: Course,
}

struct Evening {
    lobby: SimulatedLobby,
    players: Vec<Player>,
    tally: Tally,
    /// Kinds of requests of which one command has several.
    kinds: BTreeMap<String, u64>,
}

impl Evening {
    fn new(seed: u64) -> Self {
        Self::with(seed, 8, FakeStore::with_accounts(LOGINS))
    }

    /// Creates an evening with this number of players.
    fn with(seed: u64, players: usize, store: FakeStore) -> Self {
        let map = Map { name: "Theta Passage".to_owned(), folder: "scmp_007".to_owned(), max_players: 4 };
        let content = Content { maps: vec![map], ..Content::default() };
        let shared = Arc::new(Shared { content, ..Shared::default() });
        let player = |(number, login): (u64, &str)| {
            let rng = Rng::seed_from_u64(seed + number);
            let bot = Bot::new(login.to_owned(), Arc::clone(&shared), Box::new(Sociable), rng);
            Player { bot, conn: None, back: Duration::ZERO, course: Course::default() }
        };
        let players = (0..).zip(LOGINS).take(players).map(player).collect();
        let lobby = SimulatedLobby::new(Settings::default(), store);
        Self { lobby, players, tally: Tally::default(), kinds: BTreeMap::new() }
    }

    /// Lets bots and lobby run for this long, in steps shorter than any server's response time.
    fn run(&mut self, length: Duration) {
        let end = self.lobby.now() + length;
        while self.lobby.now() < end {
            for player in 0..self.players.len() {
                self.act(player);
            }
            self.lobby.advance(Duration::from_millis(100));
        }
    }

    fn act(&mut self, player: usize) {
        let now = self.lobby.now();
        let Player { bot, conn, back, course } = &mut self.players[player];
        if conn.is_none() && *back <= now {
            bot.connected(now, greeting(player, bot.login()));
            *conn = Some(self.lobby.connect());
        }
        let Some(open) = *conn else { return };
        for message in self.lobby.receive_messages(open) {
            self.tally.received(course, &message);
            bot.handle(now, &message);
        }
        bot.handle_timeout(now);
        while let Some(action) = bot.poll_action() {
            match action {
                Action::Send(message) => {
                    self.tally.sent(course, &message);
                    if let Some(kind) = coverage::kind(&message) {
                        *self.kinds.entry(kind).or_default() += 1;
                    }
                    self.lobby.send(open, &json(&message));
                }
                Action::LogOut | Action::Drop => {
                    self.lobby.disconnect(open);
                    (*conn, *back) = (None, now + bot.disconnected());
                }
            }
        }
    }
}

/// Returns the messages of a login: some players have passwords, others have tokens.
fn greeting(player: usize, login: &str) -> [ClientMessage; 2] {
    let ask = AskSession { user_agent: Some("test".to_owned()), version: Some("1".to_owned()) };
    let unique_id = "x".to_owned();
    let login = match player.is_multiple_of(2) {
        true => {
            let password = Secret::new(format!("{login}-pw"));
            ClientMessage::Hello(Hello { login: login.to_owned(), password, unique_id })
        }
        false => ClientMessage::Auth(Auth { token: Secret::new((player + 1).to_string()), unique_id }),
    };
    [ClientMessage::AskSession(ask), login]
}

fn json(message: &ClientMessage) -> String {
    let mut json = Vec::new();
    message.write_json(&mut json).unwrap();
    String::from_utf8(json).unwrap()
}

#[test]
fn games_are_hosted_joined_and_played_and_their_results_agree() {
    let mut evening = Evening::new(1);
    evening.run(Duration::from_secs(30 * 60));
    let games = &evening.lobby.store.games;
    let ended = games.values().filter(|game| game.end.is_some()).count();
    assert!(ended >= 10, "{ended} games");
    let rated: Vec<GameId> =
        games.iter().filter(|(_, game)| !game.ratings.is_empty()).map(|(id, _)| *id).collect();
    assert!(rated.len() * 2 > ended, "{rated:?} of {ended}");
}

#[test]
fn the_same_seed_is_the_same_evening() {
    let games = |seed| {
        let mut evening = Evening::new(seed);
        evening.run(Duration::from_secs(8 * 60));
        format!("{:?}", evening.lobby.store.games)
    };
    assert_eq!(games(3), games(3));
    assert_ne!(games(3), games(4));
}
