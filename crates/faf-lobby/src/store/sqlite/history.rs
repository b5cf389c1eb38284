//! Launched games, for operators: lists, and everything that is stored about one game.

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{Game, Timestamp};
use faf_lobby_store::{
    GameFilter, GameRecord, History, LaunchedGame, ListedGame, PlayerRecord, RecordedRating, StoreError,
    login_key,
};
use faf_protocol::{GameId, PlayerId};
use rusqlite::{OptionalExtension, Row, Transaction, named_params};

use super::live_game::{decisions, live_state};
use super::ratings::rating_at;
use super::{Sqlite, skip_invalid};

/// Selects games for [`launched_game`]. A condition may be appended; `g` is the table of games.
const SELECT: &str = "SELECT g.id, gameName, h.login, f.gamemod, folder_name, startTime, endTime, validity,
            EXISTS (SELECT 1 FROM live_game WHERE game_id = g.id) AS is_live
     FROM game_stats g JOIN login h ON h.id = g.host JOIN game_featuredMods f ON f.id = g.gameMod
     LEFT JOIN map_version m ON m.id = g.mapId";

impl History for Sqlite {
    async fn game_record(&self, id: GameId) -> Result<Option<GameRecord>, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare(&format!("{SELECT} WHERE g.id = ?1"))?;
            let Some(game) = select.query_row([id.0], launched_game).optional()? else { return Ok(None) };
            let decisions = match live_state(t, id)? {
                Some(state) => serde_json::from_str(&state).ok().map(|game: Game| game.decisions().to_vec()),
                None => decisions(t, id)?,
            };
            Ok(Some(GameRecord { game, players: players(t, id)?, decisions }))
        })
        .await
    }

    async fn list_games(&self, filter: GameFilter) -> Result<Vec<ListedGame>, StoreError> {
        let key = filter.player.as_deref().map(login_key);
        self.read(move |t| {
            let mut players = t.prepare(
                "SELECT login FROM game_player_stats p JOIN login l ON l.id = playerId WHERE gameId = ?1
                 ORDER BY team, place, p.id",
            )?;
            let mut select = t.prepare(&format!(
                "{SELECT}
                 WHERE (:player IS NULL OR g.id IN (
                         SELECT gameId FROM game_player_stats p JOIN login l ON l.id = playerId
                         WHERE login_key = :player))
                   AND (NOT :unrated OR validity <> 0 AND NOT is_live)
                   AND (NOT :match OR EXISTS (
                         SELECT 1 FROM matchmaker_queue_game WHERE game_stats_id = g.id))
                 ORDER BY g.id DESC LIMIT :limit",
            ))?;
            let values = named_params! {
                ":player": key, ":unrated": filter.is_unrated, ":match": filter.is_match,
                ":limit": filter.limit
            };
            let rows = select.query_map(values, |row| {
                let game = launched_game(row)?;
                let players = players.query_map([game.id.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok(ListedGame { game, players })
            })?;
            skip_invalid(rows)
        })
        .await
    }
}

fn launched_game(row: &Row<'_>) -> rusqlite::Result<LaunchedGame> {
    let validity: i64 = row.get(7)?;
    Ok(LaunchedGame {
        id: GameId(row.get(0)?),
        title: row.get(1)?,
        host: row.get(2)?,
        featured_mod: row.get(3)?,
        map: row.get(4)?,
        launched_at: Timestamp::from_seconds(row.get(5)?),
        ended_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_seconds),
        validity: validity.try_into().ok().and_then(Validity::from_number),
        is_live: row.get(8)?,
    })
}

fn players(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Vec<PlayerRecord>> {
    let mut ratings = t.prepare(
        "SELECT technical_name, rating_mean_before, rating_deviation_before, rating_mean_after,
                rating_deviation_after
         FROM leaderboard_rating_journal j JOIN leaderboard l ON l.id = j.leaderboard_id
         WHERE game_player_stats_id = ?1 ORDER BY j.id",
    )?;
    let change = |row: &Row<'_>| {
        Ok(RecordedRating { leaderboard: row.get(0)?, before: rating_at(row, 1)?, after: rating_at(row, 3)? })
    };
    let mut players = t.prepare(
        "SELECT p.id, playerId, login, team, result, score FROM game_player_stats p JOIN login l ON l.id = playerId
         WHERE gameId = ?1 ORDER BY team, place, p.id",
    )?;
    let read = |row: &Row<'_>| {
        let number: i64 = row.get(0)?;
        Ok(PlayerRecord {
            player: PlayerId(row.get(1)?),
            login: row.get(2)?,
            team: row.get(3)?,
            result: row.get(4)?,
            score: row.get(5)?,
            ratings: ratings.query_map([number], change)?.collect::<Result<_, _>>()?,
        })
    };
    players.query_map([id.0], read)?.collect()
}
