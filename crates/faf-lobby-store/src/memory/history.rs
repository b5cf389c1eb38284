//! Launched games, for operators.

use faf_lobby_core::Timestamp;
use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::validity::Validity;
use faf_protocol::GameId;

use super::{Memory, MemoryGame};
use crate::facts::{GameFact, PlayerFact};
use crate::{
    GameFilter, GameRecord, LaunchedGame, ListedGame, PlayerRecord, RecordedRating, StoreError, login_key,
};

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn game_record(&mut self, id: GameId) -> Result<Option<GameRecord>, StoreError> {
        let Some(game) = self.games.get(&id) else { return Ok(None) };
        let decisions = match &game.saved {
            Some(live) => live.decisions().to_vec(),
            None => game.decisions.clone(),
        };
        let record = GameRecord {
            game: self.launched(id, game),
            players: self.players(id, game),
            decisions: Some(decisions),
        };
        Ok(Some(record))
    }

    pub fn list_games(&mut self, filter: GameFilter) -> Result<Vec<ListedGame>, StoreError> {
        let key = filter.player.as_deref().map(login_key);
        let listed = self.games.iter().rev().map(|(id, game)| ListedGame {
            game: self.launched(*id, game),
            players: self.players(*id, game).into_iter().map(|player| player.login).collect(),
        });
        let is_wanted = |listed: &ListedGame| {
            let is_of_player = |key: &String| listed.players.iter().any(|player| login_key(player) == *key);
            let is_unrated = !listed.game.is_live && listed.game.validity != Some(Validity::Valid);
            let is_match = || self.queue_games.iter().any(|played| played.game == listed.game.id);
            key.as_ref().is_none_or(is_of_player)
                && (!filter.is_unrated || is_unrated)
                && (!filter.is_match || is_match())
        };
        Ok(listed.filter(is_wanted).take(filter.limit as usize).collect())
    }
}

impl Memory {
    fn launched(&self, id: GameId, game: &MemoryGame) -> LaunchedGame {
        let GameFact { launched_at, ended_at, featured_mod, host, map_version, title, is_live, .. } =
            game.fact(id);
        let featured_mod = self.data.featured_mods.iter().find(|(_, number)| **number == featured_mod);
        let map = self.maps.iter().find(|(_, map)| Some(map.id) == map_version);
        LaunchedGame {
            id,
            title,
            host: self.name_of(host),
            featured_mod: featured_mod.map(|(name, _)| name.clone()).unwrap_or_default(),
            map: map.map(|(folder, _)| folder.clone()),
            launched_at: Timestamp::from_seconds(launched_at),
            ended_at: ended_at.map(Timestamp::from_seconds),
            validity: Validity::from_number(game.validity()),
            is_live,
        }
    }

    /// Returns the players of a game, by team and start position.
    fn players(&self, id: GameId, game: &MemoryGame) -> Vec<PlayerRecord> {
        let mut players = game.players(id);
        players.sort_by_key(|player| (player.team, player.place));
        let record = |PlayerFact { player_id, team, score, result, .. }| {
            let ratings = game.ratings.iter().filter(|change| change.player == player_id).map(|change| {
                let RatingChange { leaderboard, before, after, .. } = change.clone();
                RecordedRating { leaderboard, before, after }
            });
            let login = self.name_of(player_id);
            PlayerRecord { player: player_id, login, team, result, score, ratings: ratings.collect() }
        };
        players.into_iter().map(record).collect()
    }
}
