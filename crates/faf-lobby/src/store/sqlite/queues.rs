//! Queues of the matchmaker, and the maps of their games.

use faf_lobby_core::matchmaking::map_pool::Bracket;
use faf_lobby_core::matchmaking::queue::{QueueData, QueueId};
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::{MapVersion, SavedQueues};
use faf_lobby_store::queues::{
    BracketRow, EntryRow, HISTORY_SECONDS, PEAK_GAMES, QueueRow, QueueRows, Unusable, queues, rating_peak,
};
use faf_lobby_store::{Queues, StoreError};
use faf_protocol::{BracketId, PlayerId, PoolEntryId};
use rusqlite::{OptionalExtension, Row, Transaction};

use super::live_game::json;
use super::ratings::rating_at;
use super::{Sqlite, skip_invalid};

impl Queues for Sqlite {
    async fn recent_maps(
        &self,
        queue: QueueId,
        players: Vec<PlayerId>,
        limit: u32,
    ) -> Result<Vec<u32>, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare_cached(
                "SELECT mapId
                 FROM game_player_stats p JOIN game_stats g ON g.id = p.gameId
                 JOIN matchmaker_queue_game q ON q.game_stats_id = g.id
                 WHERE playerId = ?1 AND matchmaker_queue_id = ?2 AND startTime >= unixepoch() - ?3
                 ORDER BY startTime DESC, g.id DESC LIMIT ?4",
            )?;
            let mut maps = Vec::new();
            for player in players {
                let row = (player.0, queue.0, HISTORY_SECONDS, limit);
                let games: Vec<Option<u32>> = skip_invalid(select.query_map(row, |row| row.get(0))?)?;
                maps.extend(games.into_iter().flatten());
            }
            Ok(maps)
        })
        .await
    }

    async fn save_queues(&self, saved: Box<SavedQueues>) -> Result<(), StoreError> {
        self.write(move |t| {
            let state = json(&saved)?;
            let mut save = t.prepare_cached(
                "INSERT INTO saved_queues (id, state) VALUES (1, ?1)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state",
            )?;
            save.execute([state]).map(|_| ())
        })
        .await
    }

    async fn saved_queues(&self) -> Result<SavedQueues, StoreError> {
        self.read(saved).await
    }
}

/// Returns what was saved last. Nothing depends on it but the comfort of a few minutes, so a text
/// that cannot be read counts as nothing.
pub(super) fn saved(t: &Transaction<'_>) -> rusqlite::Result<SavedQueues> {
    let select = "SELECT state FROM saved_queues";
    let state: Option<String> = t.query_row(select, (), |row| row.get(0)).optional()?;
    let Some(state) = state else { return Ok(SavedQueues::default()) };
    Ok(serde_json::from_str(&state).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read the saved parties and searches, so they are not restored");
        SavedQueues::default()
    }))
}

/// Reads the enabled queues.
pub(super) fn read(t: &Transaction<'_>) -> rusqlite::Result<Vec<QueueData>> {
    let rows = QueueRows {
        queues: all(
            t,
            "SELECT q.id, q.technical_name, gamemod, l.technical_name, team_size, params, l.id
             FROM matchmaker_queue q JOIN game_featuredMods f ON f.id = featured_mod_id
             JOIN leaderboard l ON l.id = leaderboard_id
             WHERE enabled ORDER BY q.id",
            |row| queue(t, row),
        )?,
        brackets: all(
            t,
            "SELECT id, matchmaker_queue_id, map_pool_id, min_rating, max_rating, veto_tokens_per_player,
                    max_tokens_per_map, minimum_maps_after_veto
             FROM matchmaker_queue_map_pool ORDER BY id",
            bracket,
        )?,
        // Without the pools that no enabled queue uses, so that nobody is warned of their entries.
        entries: all(
            t,
            "SELECT e.id, map_pool_id, weight, map_params, filename, v.id, ranked <> 0
             FROM map_pool_map_version e LEFT JOIN map_version v ON v.id = map_version_id
             WHERE map_pool_id IN (SELECT map_pool_id FROM matchmaker_queue_map_pool
                                   WHERE matchmaker_queue_id IN (SELECT id FROM matchmaker_queue WHERE enabled))
             ORDER BY e.id",
            entry,
        )?,
    };
    Ok(queues(rows, |Unusable { record, problem }| {
        tracing::warn!(record, problem, "the matchmaker cannot use a record of the database");
    }))
}

fn all<T>(
    t: &Transaction<'_>,
    query: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    skip_invalid(t.prepare_cached(query)?.query_map((), read)?)
}

fn queue(t: &Transaction<'_>, row: &Row<'_>) -> rusqlite::Result<QueueRow> {
    let mut newest = t.prepare_cached(
        "SELECT rating_mean_before, rating_deviation_before FROM leaderboard_rating_journal
         WHERE leaderboard_id = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let newest = newest.query_map((row.get::<_, i64>(6)?, PEAK_GAMES), |row| rating_at(row, 0))?;
    Ok(QueueRow {
        id: QueueId(row.get(0)?),
        name: row.get(1)?,
        featured_mod: row.get(2)?,
        leaderboard: row.get(3)?,
        team_size: row.get(4)?,
        params: row.get(5)?,
        rating_peak: rating_peak(newest.collect::<Result<Vec<_>, _>>()?),
    })
}

fn bracket(row: &Row<'_>) -> rusqlite::Result<BracketRow> {
    let vetoes = VetoSettings {
        veto_tokens_per_player: row.get(5)?,
        max_tokens_per_map: row.get(6)?,
        minimum_maps_after_veto: row.get(7)?,
    };
    let (min_rating, max_rating) = (row.get(3)?, row.get(4)?);
    let bracket = Bracket { id: BracketId(row.get(0)?), min_rating, max_rating, vetoes, pool: Vec::new() };
    Ok(BracketRow { queue: QueueId(row.get(1)?), pool: row.get(2)?, bracket })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    let map = match row.get(4)? {
        Some(file) => Some((MapVersion { id: row.get(5)?, is_ranked: row.get(6)? }, file)),
        None => None,
    };
    Ok(EntryRow {
        id: PoolEntryId(row.get(0)?),
        pool: row.get(1)?,
        weight: row.get(2)?,
        map,
        params: row.get(3)?,
    })
}
