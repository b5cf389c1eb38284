//! Bots in a lobby in simulated time: an evening without sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use faf_bots::{Action, Bot, Content, Map, Rng, Shared, Sociable};
use faf_lobby_core::{ConnId, Settings};
use faf_protocol::client_message::Hello;
use faf_protocol::{ClientMessage, Encode, GameId, Secret};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;
use rand::SeedableRng;

const LOGINS: [&str; 8] = ["Ada", "Bob", "Cem", "Dan", "Eva", "Fay", "Gus", "Hal"];

/// A bot, its connection, and the time to reconnect if there is none.
struct Player {
    bot: Bot,
    conn: Option<ConnId>,
    back: Duration,
}

struct Evening {
    lobby: SimulatedLobby,
    players: Vec<Player>,
}

impl Evening {
    fn new(seed: u64) -> Self {
        let map = Map { name: "Theta Passage".to_owned(), folder: "scmp_007".to_owned(), max_players: 4 };
        let content = Content { maps: vec![map], ..Content::default() };
        let shared = Arc::new(Shared { content, ..Shared::default() });
        let player = |(number, login): (u64, &str)| {
            let rng = Rng::seed_from_u64(seed + number);
            let bot = Bot::new(login.to_owned(), Arc::clone(&shared), Box::new(Sociable), rng);
            Player { bot, conn: None, back: Duration::ZERO }
        };
        let players = (0..).zip(LOGINS).map(player).collect();
        Self { lobby: SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(LOGINS)), players }
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
        let Player { bot, conn, back } = &mut self.players[player];
        if conn.is_none() && *back <= now {
            let login = bot.login().to_owned();
            let password = Secret::new(format!("{login}-pw"));
            bot.connected(now, [ClientMessage::Hello(Hello { login, password, unique_id: "x".to_owned() })]);
            *conn = Some(self.lobby.connect());
        }
        let Some(open) = *conn else { return };
        for message in self.lobby.receive_messages(open) {
            bot.handle(now, &message);
        }
        bot.handle_timeout(now);
        while let Some(action) = bot.poll_action() {
            match action {
                Action::Send(message) => self.lobby.send(open, &json(&message)),
                Action::LogOut | Action::Drop => {
                    self.lobby.disconnect(open);
                    (*conn, *back) = (None, now + bot.disconnected());
                }
            }
        }
    }
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
