//! Launched games, for operators: lists, and everything that is stored about one game.

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{Game, Timestamp};
use faf_lobby_store::{
    GameFilter, GameRecord, History, LaunchedGame, ListedGame, PlayerRecord, RecordedRating, StoreError,
};
use faf_protocol::{GameId, PlayerId};
use mysql::Value;

use crate::MariaDb;
use crate::error::Result;
use crate::live_game::decisions;
use crate::ratings::CHANGE;
use crate::session::{Row, Session, parameters};
use crate::timings::Family;

impl History for MariaDb {
    async fn game_record(&self, id: GameId) -> Result<Option<GameRecord>, StoreError> {
        self.snapshot(Family::History, move |s| {
            let query = format!("{} WHERE g.id = ?", select(s));
            let Some(game) = s.first(&query, (id.0,), launched_game)? else { return Ok(None) };
            let mut kept = None;
            if s.schema().has_own_tables() {
                let query = "SELECT state FROM faf_lobby_live_game WHERE id = ?";
                let state: Option<String> = s.first(query, (id.0,), |row| row.get(0))?;
                kept = match state {
                    Some(state) => {
                        serde_json::from_str(&state).ok().map(|game: Game| game.decisions().to_vec())
                    }
                    None => decisions(s, id)?,
                };
            }
            Ok(Some(GameRecord { game, players: players(s, id)?, decisions: kept }))
        })
        .await
    }

    async fn list_games(&self, filter: GameFilter) -> Result<Vec<ListedGame>, StoreError> {
        self.snapshot(Family::History, move |s| {
            let (mut conditions, mut values) = (vec!["TRUE"], Vec::new());
            if let Some(player) = &filter.player {
                conditions.push(
                    "g.id IN (SELECT gameId FROM game_player_stats p JOIN login l ON l.id = playerId
                              WHERE l.login = ?)",
                );
                values.push(Value::from(player.trim()));
            }
            if filter.is_unrated {
                conditions.push("validity <> 0");
                conditions.push(match s.schema().has_own_tables() {
                    true => "NOT EXISTS (SELECT 1 FROM faf_lobby_live_game WHERE id = g.id)",
                    false => "endTime IS NOT NULL",
                });
            }
            if filter.is_match {
                conditions.push("EXISTS (SELECT 1 FROM matchmaker_queue_game WHERE game_stats_id = g.id)");
            }
            let query =
                format!("{} WHERE {} ORDER BY g.id DESC LIMIT ?", select(s), conditions.join(" AND "));
            values.push(filter.limit.into());
            let games = s.select_valid(&query, parameters(values), launched_game)?;
            let with_players = |game: LaunchedGame| {
                let query = "SELECT login FROM game_player_stats p JOIN login l ON l.id = playerId
                             WHERE gameId = ? ORDER BY team, place, p.id";
                let players = s.select_valid(query, (game.id.0,), |row| row.get(0))?;
                Ok(ListedGame { game, players })
            };
            games.into_iter().map(with_players).collect()
        })
        .await
    }
}

/// Selects games for [`launched_game`]. A condition may be appended; `g` is the table of games.
fn select(s: &Session) -> String {
    let folder = s.schema().folder_of_map();
    let is_live = match s.schema().has_own_tables() {
        true => "EXISTS (SELECT 1 FROM faf_lobby_live_game WHERE id = g.id)",
        false => "endTime IS NULL",
    };
    format!(
        "SELECT g.id, gameName, h.login, COALESCE(f.gamemod, ''), {folder}, UNIX_TIMESTAMP(startTime),
                NULLIF(UNIX_TIMESTAMP(endTime), 0), validity, {is_live}
         FROM game_stats g JOIN login h ON h.id = g.host JOIN game_featuredMods f ON f.id = g.gameMod
         LEFT JOIN map_version m ON m.id = g.mapId"
    )
}

fn launched_game(row: &Row) -> Result<LaunchedGame> {
    let validity: i64 = row.get(7)?;
    Ok(LaunchedGame {
        id: GameId(row.get(0)?),
        title: row.get(1)?,
        host: row.get(2)?,
        featured_mod: row.get(3)?,
        map: row.get(4)?,
        launched_at: Timestamp::from_seconds(row.get(5)?),
        ended_at: row.get::<Option<i64>>(6)?.map(Timestamp::from_seconds),
        validity: validity.try_into().ok().and_then(Validity::from_number),
        is_live: row.get(8)?,
    })
}

fn players(s: &mut Session, id: GameId) -> Result<Vec<PlayerRecord>> {
    let query = "SELECT p.id, playerId, login, team, result, score
                 FROM game_player_stats p JOIN login l ON l.id = playerId
                 WHERE gameId = ? ORDER BY team, place, p.id";
    let rows = s.select(query, (id.0,), |row| {
        let player = PlayerRecord {
            player: PlayerId(row.get(1)?),
            login: row.get(2)?,
            team: row.get(3)?,
            result: row.get(4)?,
            score: row.get(5)?,
            ratings: Vec::new(),
        };
        Ok((row.get::<u64>(0)?, player))
    })?;
    let with_ratings = |(number, player): (u64, PlayerRecord)| {
        let query = format!(
            "SELECT technical_name, {CHANGE} FROM leaderboard_rating_journal j
             JOIN leaderboard l ON l.id = j.leaderboard_id WHERE game_player_stats_id = ? ORDER BY j.id"
        );
        let ratings = s.select(&query, (number,), |row| {
            Ok(RecordedRating { leaderboard: row.get(0)?, before: row.rating(1)?, after: row.rating(3)? })
        })?;
        Ok(PlayerRecord { ratings, ..player })
    };
    rows.into_iter().map(with_ratings).collect()
}
