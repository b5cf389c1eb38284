//! Initial state of the lobby: game data, and the games that were live.

use faf_lobby_core::ratings::{Leaderboard, Leaderboards};
use faf_lobby_core::{Game, GameData, InitialState};
use faf_lobby_store::{Startup, StoreError, read_live_game};
use faf_protocol::GameId;

use crate::error::Result;
use crate::session::Session;
use crate::timings::Family;
use crate::{MariaDb, profile, queues};

impl Startup for MariaDb {
    async fn game_data(&self) -> Result<GameData, StoreError> {
        self.snapshot(Family::Startup, game_data).await
    }

    async fn beginning(&self) -> Result<InitialState, StoreError> {
        self.snapshot(Family::Startup, |s| {
            Ok(InitialState {
                last_game: last_game(s)?,
                data: game_data(s)?,
                games: live_games(s)?,
                queues: queues::saved(s)?,
                ..InitialState::default()
            })
        })
        .await
    }
}

/// Returns the highest number of a game that was launched, hosted or joined. Clients read the
/// numbers as 32-bit integers; a larger one was not assigned by a lobby.
fn last_game(s: &mut Session) -> Result<GameId> {
    let mut columns = vec![("game_stats", "id")];
    if s.schema().has_join_log {
        columns.push(("game_join_log", "game_id"));
    }
    if s.schema().has_own_tables() {
        columns.push(("faf_lobby_join", "game_id"));
    }
    let mut last = GameId(0);
    for (table, column) in columns {
        let query = format!("SELECT COALESCE(MAX({column}), 0) FROM {table} WHERE {column} <= 2147483647");
        last = last.max(GameId(s.one(&query, (), |row| row.get(0))?));
    }
    Ok(last)
}

fn game_data(s: &mut Session) -> Result<GameData> {
    let query = "SELECT gamemod, id FROM game_featuredMods WHERE gamemod IS NOT NULL ORDER BY id";
    let featured_mods =
        s.select_valid(query, (), |row| Ok((row.get::<String>(0)?.to_lowercase(), row.get(1)?)))?;
    let query = "SELECT uid FROM table_mod WHERE ranked = 1";
    let ranked_mods = s.select_valid(query, (), |row| Ok(row.get::<String>(0)?.to_lowercase()))?;
    Ok(GameData {
        featured_mods: featured_mods.into_iter().collect(),
        ranked_mods: ranked_mods.into_iter().collect(),
        leaderboards: leaderboards(s)?,
        queues: queues::read(s)?,
    })
}

pub(crate) fn leaderboards(s: &mut Session) -> Result<Leaderboards> {
    let query = "SELECT id, technical_name, initializer_id FROM leaderboard ORDER BY id";
    let rows = s.select_valid(query, (), |row| {
        Ok(Leaderboard { id: row.get(0)?, name: row.get(1)?, initializer: row.get(2)? })
    })?;
    Ok(rows.into())
}

fn live_games(s: &mut Session) -> Result<Vec<Game>> {
    if !s.schema().has_own_tables() {
        return Ok(Vec::new());
    }
    let query = "SELECT id, state FROM faf_lobby_live_game ORDER BY id";
    let rows: Vec<(u32, String)> = s.select_valid(query, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let games = rows.into_iter().filter_map(|(id, state)| read_live(id, &state));
    let with_lists = |mut game: Game| {
        let (friends, foes) = profile::friends_and_foes(s, game.host())?;
        game.set_lists_of_host(friends, foes);
        Ok(game)
    };
    games.map(with_lists).collect()
}

/// Reads a saved live game; `None` if that is impossible.
fn read_live(id: u32, state: &str) -> Option<Game> {
    match read_live_game(GameId(id), state, "faf_lobby_live_game") {
        Ok(game) => Some(game),
        Err(problem) => {
            tracing::error!(
                game = id,
                problem,
                "cannot read a saved live game, so its players are not expected back"
            );
            None
        }
    }
}
