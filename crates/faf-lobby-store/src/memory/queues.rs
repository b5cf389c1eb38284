//! Queues of the matchmaker, and the games of their matches.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use faf_lobby_core::matchmaking::map_pool::Bracket;
use faf_lobby_core::matchmaking::queue::{QueueData, QueueId};
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::{GameData, GameLaunched, MapVersion, SavedQueues};
use faf_protocol::{BracketId, GameId, PlayerId, PoolEntryId};

use super::Memory;
use super::seed::{problem, unknown};
use crate::queues::{BracketRow, EntryRow, HISTORY_SECONDS, QueueRow, QueueRows, queues, rating_peak};
use crate::seed::{MapPool, SeedFile};
use crate::{SeedError, StoreError, is_placed};

/// A game of the matchmaker.
#[derive(Debug, Clone)]
pub(super) struct QueueGame {
    pub(super) game: GameId,
    pub(super) queue: QueueId,
    map_version: Option<u32>,
    /// Time of the launch, in Unix seconds.
    launched_at: i64,
    players: Vec<PlayerId>,
}

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn recent_maps(
        &mut self,
        queue: QueueId,
        players: Vec<PlayerId>,
        limit: u32,
    ) -> Result<Vec<u32>, StoreError> {
        let since = self.unix_now() - HISTORY_SECONDS;
        let is_recent = |played: &&QueueGame| played.queue == queue && played.launched_at >= since;
        let mut games: Vec<_> = self.queue_games.iter().filter(is_recent).collect();
        games.sort_by_key(|played| Reverse((played.launched_at, played.game)));
        let of_player = |player: PlayerId| {
            let games = games.iter().filter(move |played| played.players.contains(&player));
            games.take(limit as usize).filter_map(|played| played.map_version)
        };
        Ok(players.into_iter().flat_map(of_player).collect())
    }

    #[expect(clippy::boxed_local, reason = "the request has it in a box")]
    pub fn save_queues(&mut self, saved: Box<SavedQueues>) -> Result<(), StoreError> {
        self.saved_queues = *saved;
        self.saves_of_queues += 1;
        Ok(())
    }

    pub fn saved_queues(&mut self) -> Result<SavedQueues, StoreError> {
        Ok(self.saved_queues.clone())
    }
}

impl Memory {
    /// Takes a queue out of service, as an operator does; matches of it are still stored. Returns
    /// the queue.
    pub fn disable_queue(&mut self, id: QueueId) -> Option<QueueData> {
        let place = self.data.queues.iter().position(|queue| queue.id == id)?;
        self.queue_ids.insert(id);
        Some(self.data.queues.remove(place))
    }

    /// Returns the game data with the rating peaks of now.
    pub(super) fn current_data(&self) -> GameData {
        let mut data = self.data.clone();
        for queue in &mut data.queues {
            let of_leaderboard = self.journal.iter().filter(|change| change.leaderboard == queue.leaderboard);
            let newest = of_leaderboard.rev().map(|change| change.before);
            queue.rating_peak = rating_peak(newest).unwrap_or(queue.rating_peak);
        }
        data
    }

    /// Stores that a game was launched, if it is one of the matchmaker.
    pub(super) fn queue_launched(&mut self, game: GameId, launched: &GameLaunched) {
        // An administrator may have deleted the queue since the match was made.
        let Some(queue) = launched.queue.filter(|queue| self.has_queue(*queue)) else { return };
        let players = launched.players.iter().filter(|player| is_placed(player)).map(|player| player.id);
        self.queue_games.push(QueueGame {
            game,
            queue,
            map_version: launched.map_version,
            launched_at: launched.launched_at.0.div_euclid(1_000_000),
            players: players.collect(),
        });
    }

    /// Plants the queues, their map pools and past games, after featured mods and leaderboards.
    pub(super) fn plant_queues(&mut self, file: &SeedFile) -> Result<(), SeedError> {
        let mut rows = QueueRows::default();
        let mut pools = BTreeSet::new();
        for pool in &file.map_pools {
            if !pools.insert(pool.id) {
                return Err(problem("map pool", &pool.name, "there is one already".to_owned()));
            }
            plant_pool(pool, file, &mut rows.entries)?;
        }
        for queue in &file.queues {
            let name = &queue.technical_name;
            let missing = |wanted: &str| unknown("queue", name, wanted);
            let featured_mod = queue.featured_mod.to_lowercase();
            self.data.featured_mods.get(&featured_mod).ok_or_else(|| missing(&queue.featured_mod))?;
            self.data.leaderboards.get(&queue.leaderboard).ok_or_else(|| missing(&queue.leaderboard))?;
            let id = QueueId(queue.id);
            for bracket in &queue.pools {
                pools.get(&bracket.pool).ok_or_else(|| missing(&bracket.pool.to_string()))?;
                let vetoes = VetoSettings {
                    veto_tokens_per_player: bracket.veto_tokens_per_player.into(),
                    max_tokens_per_map: bracket.max_tokens_per_map.into(),
                    minimum_maps_after_veto: bracket.minimum_maps_after_veto,
                };
                if vetoes.minimum_maps_after_veto <= 0.0 {
                    return Err(problem(
                        "queue",
                        name,
                        "`minimum_maps_after_veto` is not above 0".to_owned(),
                    ));
                }
                let (number, pool) = (rows.brackets.len() as i64 + 1, bracket.pool);
                let bracket = Bracket {
                    id: BracketId(number),
                    min_rating: bracket.min_rating.map(i64::from),
                    max_rating: bracket.max_rating.map(i64::from),
                    vetoes,
                    pool: Vec::new(),
                };
                rows.brackets.push(BracketRow { queue: id, pool, bracket });
            }
            self.queue_ids.insert(id);
            if queue.enabled {
                rows.queues.push(QueueRow {
                    id,
                    name: name.clone(),
                    featured_mod,
                    leaderboard: queue.leaderboard.clone(),
                    team_size: queue.team_size.into(),
                    params: queue.params.text(),
                    rating_peak: None,
                });
            }
        }
        rows.queues.sort_by_key(|queue| queue.id);
        self.data.queues = queues(rows, |_| {});
        self.plant_queue_games(file)
    }

    fn plant_queue_games(&mut self, file: &SeedFile) -> Result<(), SeedError> {
        for past in &file.past_games {
            let Some(queue) = past.queue else { continue };
            if !self.has_queue(QueueId(queue)) {
                return Err(unknown("past game", &past.id.to_string(), &queue));
            }
            self.queue_games.push(QueueGame {
                game: GameId(past.id),
                queue: QueueId(queue),
                map_version: past.map_version,
                launched_at: self.unix_now() + (-past.started_minutes_ago * 60.0) as i64,
                players: past.players.iter().copied().map(PlayerId).collect(),
            });
        }
        Ok(())
    }

    fn has_queue(&self, id: QueueId) -> bool {
        self.queue_ids.contains(&id) || self.data.queues.iter().any(|queue| queue.id == id)
    }
}

fn plant_pool(pool: &MapPool, file: &SeedFile, entries: &mut Vec<EntryRow>) -> Result<(), SeedError> {
    for map in &pool.maps {
        let version = map.version_id.map(|wanted| -> Result<_, SeedError> {
            let version = file.maps.iter().find(|version| version.version_id == wanted);
            let version = version.ok_or_else(|| unknown("map pool", &pool.name, &wanted))?;
            let is_ranked = version.ranked;
            Ok((MapVersion { id: wanted, is_ranked }, version.filename.clone()))
        });
        entries.push(EntryRow {
            id: PoolEntryId(entries.len() as i64 + 1),
            pool: pool.id,
            weight: map.weight.into(),
            map: version.transpose()?,
            params: map.params.text(),
        });
    }
    Ok(())
}
