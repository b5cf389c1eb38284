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

use crate::MariaDb;
use crate::error::Result;
use crate::session::{Row, Session};
use crate::timings::Family;

impl Queues for MariaDb {
    async fn recent_maps(
        &self,
        queue: QueueId,
        players: Vec<PlayerId>,
        limit: u32,
    ) -> Result<Vec<u32>, StoreError> {
        self.read(Family::Queues, move |s| {
            let query = "SELECT mapId
                         FROM game_player_stats p JOIN game_stats g ON g.id = p.gameId
                         JOIN matchmaker_queue_game q ON q.game_stats_id = g.id
                         WHERE playerId = ? AND matchmaker_queue_id = ? AND startTime >= NOW() - INTERVAL ? SECOND
                         ORDER BY startTime DESC, g.id DESC LIMIT ?";
            let mut maps = Vec::new();
            for player in &players {
                let values = (player.0, queue.0, HISTORY_SECONDS, limit);
                let games: Vec<Option<u32>> = s.select_valid(query, values, |row| row.get(0))?;
                maps.extend(games.into_iter().flatten());
            }
            Ok(maps)
        })
        .await
    }

    async fn save_queues(&self, saved: Box<SavedQueues>) -> Result<(), StoreError> {
        // In order: an earlier state must not replace a later one.
        self.write_in_order(Family::Queues, move |s| {
            if !s.schema().has_own_tables() {
                return Ok(());
            }
            let save = "INSERT INTO faf_lobby_queues (id, state) VALUES (1, ?)
                        ON DUPLICATE KEY UPDATE state = VALUES(state)";
            s.execute(save, (serde_json::to_string(&saved)?,)).map(drop)
        })
        .await
    }

    async fn saved_queues(&self) -> Result<SavedQueues, StoreError> {
        self.read(Family::Queues, saved).await
    }
}

/// Returns what was saved last. Nothing depends on it but the comfort of a few minutes, so a text
/// that cannot be read counts as nothing.
pub(crate) fn saved(s: &mut Session) -> Result<SavedQueues> {
    if !s.schema().has_own_tables() {
        return Ok(SavedQueues::default());
    }
    let state: Option<String> = s.first("SELECT state FROM faf_lobby_queues", (), |row| row.get(0))?;
    let Some(state) = state else { return Ok(SavedQueues::default()) };
    Ok(serde_json::from_str(&state).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read the saved parties and searches, so they are not restored");
        SavedQueues::default()
    }))
}

/// Reads the enabled queues.
pub(crate) fn read(s: &mut Session) -> Result<Vec<QueueData>> {
    let query = "SELECT q.id, q.technical_name, f.gamemod, l.technical_name, team_size, params, l.id
                 FROM matchmaker_queue q JOIN game_featuredMods f ON f.id = featured_mod_id
                 JOIN leaderboard l ON l.id = leaderboard_id
                 WHERE enabled ORDER BY q.id";
    let mut queue_rows = s.select_valid(query, (), |row| Ok((queue(row)?, row.get(6)?)))?;
    for (queue, leaderboard) in &mut queue_rows {
        queue.rating_peak = peak(s, *leaderboard)?;
    }
    let vetoes = match s.schema().has_vetoes {
        true => ", veto_tokens_per_player, max_tokens_per_map, CAST(minimum_maps_after_veto AS CHAR)",
        false => "",
    };
    let brackets = format!(
        "SELECT id, matchmaker_queue_id, map_pool_id, min_rating, max_rating{vetoes}
         FROM matchmaker_queue_map_pool ORDER BY id"
    );
    let has_vetoes = !vetoes.is_empty();
    let rows = QueueRows {
        queues: queue_rows.into_iter().map(|(queue, _)| queue).collect(),
        brackets: s.select_valid(&brackets, (), |row| bracket(row, has_vetoes))?,
        // Without the pools that no enabled queue uses, so that nobody is warned of their entries.
        entries: s.select_valid(
            "SELECT e.id, map_pool_id, weight, map_params, filename, v.id, ranked <> 0
             FROM map_pool_map_version e LEFT JOIN map_version v ON v.id = map_version_id
             WHERE map_pool_id IN (SELECT b.map_pool_id FROM matchmaker_queue_map_pool b
                                   JOIN matchmaker_queue q ON q.id = b.matchmaker_queue_id WHERE q.enabled)
             ORDER BY e.id",
            (),
            entry,
        )?,
    };
    Ok(queues(rows, |Unusable { record, problem }| {
        tracing::warn!(record, problem, "the matchmaker cannot use a record of the database");
    }))
}

fn queue(row: &Row) -> Result<QueueRow> {
    Ok(QueueRow {
        id: QueueId(row.get(0)?),
        name: row.get(1)?,
        featured_mod: row.get(2)?,
        leaderboard: row.get(3)?,
        team_size: row.get(4)?,
        params: row.get(5)?,
        rating_peak: None,
    })
}

fn peak(s: &mut Session, leaderboard: u32) -> Result<Option<f64>> {
    let query = "SELECT CAST(rating_mean_before AS CHAR), CAST(rating_deviation_before AS CHAR)
                 FROM leaderboard_rating_journal WHERE leaderboard_id = ? ORDER BY id DESC LIMIT ?";
    Ok(rating_peak(s.select_valid(query, (leaderboard, PEAK_GAMES), |row| row.rating(0))?))
}

fn bracket(row: &Row, has_vetoes: bool) -> Result<BracketRow> {
    let vetoes = match has_vetoes {
        true => VetoSettings {
            veto_tokens_per_player: row.get(5)?,
            max_tokens_per_map: row.get(6)?,
            minimum_maps_after_veto: row.number(7)?,
        },
        false => VetoSettings::default(),
    };
    let (min_rating, max_rating) = (row.get(3)?, row.get(4)?);
    let bracket = Bracket { id: BracketId(row.get(0)?), min_rating, max_rating, vetoes, pool: Vec::new() };
    Ok(BracketRow { queue: QueueId(row.get(1)?), pool: row.get(2)?, bracket })
}

fn entry(row: &Row) -> Result<EntryRow> {
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
