//! Games for tests, played in a simulated lobby; and what a database holds.

use faf_lobby_core::ratings::{Leaderboards, RatingChange, START_RATING, rate_game};
use faf_lobby_core::{ConnId, Game, GameEnd, GameLaunched, GameWrite, RatedGame, Settings};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;
use rusqlite::types::Value;

use super::tests::new_store;
use super::{GameStored, Store};

/// Everything the lobby wants stored of one game.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) id: GameId,
    pub(crate) launched: GameLaunched,
    /// As it was saved last.
    pub(crate) saved: Game,
    pub(crate) end: GameEnd,
}

/// Games of Ada and Bob, who are players 1 and 2, one after the other.
pub(crate) struct Season {
    lobby: SimulatedLobby,
    ada: ConnId,
    bob: ConnId,
}

impl Season {
    pub(crate) fn new() -> Self {
        let mut lobby = SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada", "Bob"]));
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        Self { lobby, ada, bob }
    }

    /// A rated game on the map `scmp_007` that one of the armies 1 (Ada's) and 2 (Bob's) wins.
    pub(crate) fn play(&mut self, winner: i64) -> Played {
        let (ada, bob) = (self.ada, self.bob);
        self.lobby.say(ada, r#"{"command":"game_host","title":"Ada's game","visibility":"public"}"#);
        let id = self.lobby.world.games().last().unwrap().id();
        let mut game = |conn, command: &str, args: &str| {
            self.lobby.say(conn, &format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#));
        };
        game(ada, "GameState", r#""Idle""#);
        game(ada, "GameState", r#""Lobby""#);
        game(ada, "GameMods", r#""uids","one-a ONE-B two unknown""#);
        self.lobby.say(bob, &format!(r#"{{"command":"game_join","uid":{id}}}"#));
        let mut game = |conn, command: &str, args: &str| {
            self.lobby.say(conn, &format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#));
        };
        game(bob, "GameState", r#""Idle""#);
        game(bob, "GameState", r#""Lobby""#);
        for player in [1, 2] {
            let team = player + 1;
            for (key, value) in
                [("Team", team), ("Army", player), ("StartSpot", player), ("Faction", 3), ("Color", player)]
            {
                game(ada, "PlayerOption", &format!(r#"{player},"{key}",{value}"#));
            }
        }
        // The mods would make the game not count, were they there at the launch.
        game(ada, "GameMods", r#""activated",0"#);
        game(ada, "GameState", r#""Launching""#);
        game(ada, "EnforceRating", "");
        for reporter in [ada, bob] {
            let loser = 3 - winner;
            game(reporter, "GameResult", &format!(r#"{winner},"victory 10""#));
            game(reporter, "GameResult", &format!(r#"{loser},"defeat -10""#));
        }
        game(ada, "GameEnded", "");
        let saved = self.lobby.store.games[&id].saved.clone().unwrap();
        for (conn, command, args) in
            [(bob, "GameEnded", ""), (ada, "GameState", r#""Ended""#), (bob, "GameState", r#""Ended""#)]
        {
            self.lobby.say(conn, &format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#));
        }
        let stored = self.lobby.store.games[&id].clone();
        let mut launched = stored.launched;
        launched.mods = ["one-a", "ONE-B", "two", "unknown"].map(str::to_owned).into();
        Played { id, launched, saved, end: stored.end.unwrap() }
    }
}

/// A database with Ada, Bob, the map `scmp_007`, and two mods, the first in two versions.
pub(crate) async fn new_store_for_games() -> (Store, tempfile::TempDir) {
    let (store, folder) = new_store();
    for login in ["Ada", "Bob"] {
        store.create_account(login, String::new()).await.unwrap();
    }
    change(
        &store,
        "INSERT INTO map (id, display_name) VALUES (1, 'Map');
         INSERT INTO map_version (id, map_id, version, folder_name) VALUES (7, 1, 1, 'SCMP_007');
         INSERT INTO mod (id, display_name, author) VALUES (1, 'One', 'A'), (2, 'Two', 'B');
         INSERT INTO mod_version (id, mod_id, uid, type, description, version, filename, ranked)
         VALUES (1, 1, 'one-a', 'SIM', '', 1, 'a', 1), (2, 1, 'one-b', 'SIM', '', 2, 'b', 0),
                (3, 2, 'Two', 'SIM', '', 1, 'c', 1);
         INSERT INTO mod_stats (mod_id, times_played) VALUES (2, 5);",
    )
    .await;
    (store, folder)
}

pub(crate) async fn change(store: &Store, sql: &'static str) {
    store.write(move |t| t.execute_batch(sql)).await.unwrap();
}

/// All rows that a query finds, a line each.
pub(crate) async fn rows(store: &Store, query: &'static str) -> Vec<String> {
    let all = store.read(move |t| {
        let mut select = t.prepare(query)?;
        let columns = select.column_count();
        let cell = |value: Value| match value {
            Value::Null => "-".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Blob(_) => "blob".to_owned(),
        };
        let row = select.query_map((), |row| {
            let cells: rusqlite::Result<Vec<String>> =
                (0..columns).map(|column| row.get(column).map(cell)).collect();
            Ok(cells?.join(" "))
        });
        row?.collect()
    });
    all.await.unwrap()
}

/// Everything that writing about games may change.
pub(crate) async fn everything(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    for query in [
        "SELECT 'game_stats', * FROM game_stats",
        "SELECT 'game_player_stats', * FROM game_player_stats",
        "SELECT 'leaderboard_rating', * FROM leaderboard_rating",
        "SELECT 'journal', * FROM leaderboard_rating_journal",
        "SELECT 'live_game', * FROM live_game",
        "SELECT 'game_explanation', * FROM game_explanation",
        "SELECT 'mod_stats', * FROM mod_stats",
        "SELECT 'map_version', id, times_played FROM map_version",
        "SELECT 'map', id, times_played FROM map",
        "SELECT 'game_desync', * FROM game_desync",
        "SELECT 'coop_leaderboard', * FROM coop_leaderboard",
        "SELECT 'teamkills', * FROM teamkills",
    ] {
        all.extend(rows(store, query).await);
    }
    all
}

/// The ratings that have changed, from something that must be stored.
pub(crate) async fn stored(store: &Store, game: GameId, write: GameWrite) -> Vec<RatingChange> {
    match store.store_game(game, write).await.unwrap() {
        GameStored::Durable(changes) => changes,
        GameStored::Refused(reason) => panic!("{reason}"),
    }
}

/// The reason from something that must be refused.
pub(crate) async fn refused(store: &Store, game: GameId, write: GameWrite) -> String {
    match store.store_game(game, write).await.unwrap() {
        GameStored::Refused(reason) => reason,
        GameStored::Durable(changes) => panic!("{changes:?}"),
    }
}

pub(crate) fn launch(played: &Played) -> GameWrite {
    GameWrite::Launch(Box::new(played.launched.clone()))
}

pub(crate) fn save(played: &Played) -> GameWrite {
    GameWrite::Save(Box::new(played.saved.clone()))
}

pub(crate) fn end(played: &Played) -> GameWrite {
    GameWrite::End(Box::new(played.end.clone()))
}

/// What a game must make of these ratings.
pub(crate) fn expected(
    leaderboards: &Leaderboards,
    rated: &RatedGame,
    stored: &dyn Fn(PlayerId, &str) -> Option<Rating>,
) -> Vec<RatingChange> {
    rate_game(leaderboards, START_RATING, &rated.leaderboard, &rated.teams, stored).unwrap()
}
