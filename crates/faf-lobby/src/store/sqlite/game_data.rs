//! Initial state of the lobby: game data, and the games that were live.

use std::collections::BTreeSet;

use faf_lobby_core::ratings::{Leaderboard, Leaderboards};
use faf_lobby_core::{Game, GameData, InitialState};
use faf_lobby_store::{Startup, StoreError, read_live_game};
use faf_protocol::GameId;
use rusqlite::Transaction;

use super::{Sqlite, profile, queues, skip_invalid};

impl Startup for Sqlite {
    async fn game_data(&self) -> Result<GameData, StoreError> {
        self.read(game_data).await
    }

    async fn beginning(&self) -> Result<InitialState, StoreError> {
        self.read(|t| {
            // Numbers of games that were launched, and of those that were only hosted or joined.
            // Clients read game numbers as 32-bit integers; a larger number was not assigned by a
            // lobby.
            let last = "SELECT coalesce(max(id), 0) FROM
                (SELECT id FROM game_stats UNION ALL SELECT game_id FROM game_join_log)
                WHERE id BETWEEN 0 AND 2147483647";
            let last_game = t.query_row(last, (), |row| row.get(0).map(GameId))?;
            Ok(InitialState {
                last_game,
                data: game_data(t)?,
                games: live_games(t)?,
                queues: queues::saved(t)?,
                ..InitialState::default()
            })
        })
        .await
    }
}

fn game_data(t: &Transaction<'_>) -> rusqlite::Result<GameData> {
    let mut select = t.prepare_cached("SELECT gamemod, id FROM game_featuredMods ORDER BY id")?;
    let featured_mods =
        select.query_map((), |row| Ok((row.get::<_, String>(0)?.to_lowercase(), row.get(1)?)))?;
    let featured_mods = skip_invalid(featured_mods)?.into_iter().collect();
    let mut select = t.prepare_cached("SELECT uid FROM table_mod WHERE ranked = 1")?;
    let ranked_mods: BTreeSet<String> =
        select.query_map((), |row| Ok(row.get::<_, String>(0)?.to_lowercase()))?.collect::<Result<_, _>>()?;
    Ok(GameData { featured_mods, ranked_mods, leaderboards: leaderboards(t)?, queues: queues::read(t)? })
}

pub(super) fn leaderboards(t: &Transaction<'_>) -> rusqlite::Result<Leaderboards> {
    let mut select =
        t.prepare_cached("SELECT id, technical_name, initializer_id FROM leaderboard ORDER BY id")?;
    let rows = select.query_map((), |row| {
        Ok(Leaderboard { id: row.get(0)?, name: row.get(1)?, initializer: row.get(2)? })
    })?;
    Ok(skip_invalid(rows)?.into())
}

fn live_games(t: &Transaction<'_>) -> rusqlite::Result<Vec<Game>> {
    let mut select = t.prepare("SELECT game_id, state FROM live_game ORDER BY game_id")?;
    let rows = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(u32, String)> = skip_invalid(rows)?;
    let games = rows.into_iter().filter_map(|(id, state)| read_live(id, &state));
    let with_lists = |mut game: Game| {
        let (friends, foes) = profile::friends_and_foes(t, game.host())?;
        game.set_lists_of_host(friends, foes);
        Ok(game)
    };
    games.map(with_lists).collect()
}

/// Reads a saved live game; `None` if that is impossible.
fn read_live(id: u32, state: &str) -> Option<Game> {
    match read_live_game(GameId(id), state, "live_game") {
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
