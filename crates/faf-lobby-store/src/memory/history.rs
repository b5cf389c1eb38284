//! Launched games, for operators.

use faf_lobby_core::Timestamp;
use faf_lobby_core::validity::Validity;
use faf_protocol::GameId;

use super::{Memory, MemoryGame};
use crate::{
    GameFilter, GameRecord, LaunchedGame, ListedGame, PlayerRecord, RecordedRating, StoreError, login_key,
    place,
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
            players: self.players(game),
            decisions: Some(decisions),
        };
        Ok(Some(record))
    }

    pub fn list_games(&mut self, filter: GameFilter) -> Result<Vec<ListedGame>, StoreError> {
        let key = filter.player.as_deref().map(login_key);
        let listed = self.games.iter().rev().map(|(id, game)| ListedGame {
            game: self.launched(*id, game),
            players: self.players(game).into_iter().map(|player| player.login).collect(),
        });
        let is_wanted = |listed: &ListedGame| {
            let is_of_player = |key: &String| listed.players.iter().any(|player| login_key(player) == *key);
            let is_unrated = !listed.game.is_live && listed.game.validity != Some(Validity::Valid);
            key.as_ref().is_none_or(is_of_player) && (!filter.is_unrated || is_unrated)
        };
        Ok(listed.filter(is_wanted).take(filter.limit as usize).collect())
    }
}

impl Memory {
    fn launched(&self, id: GameId, game: &MemoryGame) -> LaunchedGame {
        let launched = &game.launched;
        let featured_mod =
            self.data.featured_mods.iter().find(|(_, number)| **number == launched.featured_mod);
        let map = self.maps.iter().find(|(_, map)| Some(map.id) == launched.map_version);
        let second = |at: Timestamp| Timestamp::from_seconds(at.0.div_euclid(1_000_000));
        LaunchedGame {
            id,
            title: launched.title.clone(),
            host: self.name_of(launched.host),
            featured_mod: featured_mod.map(|(name, _)| name.clone()).unwrap_or_default(),
            map: map.map(|(folder, _)| folder.clone()),
            launched_at: second(launched.launched_at),
            ended_at: game.end.as_ref().map(|end| second(end.ended_at)),
            validity: Validity::from_number(game.validity()),
            is_live: game.saved.is_some(),
        }
    }

    /// Returns the players of a game, by team and start position.
    fn players(&self, game: &MemoryGame) -> Vec<PlayerRecord> {
        let results = game.end.as_ref().map(|end| end.results.as_slice()).unwrap_or_default();
        let mut players: Vec<_> = game.placed().filter_map(|player| Some((place(player)?, player))).collect();
        players.sort_by_key(|(place, _)| (place.team, place.place));
        let record = |(place, player): (crate::Place, &faf_lobby_core::LivePlayer)| {
            let result = results.iter().find(|result| result.player == player.id);
            let ratings = game.ratings.iter().filter(|change| change.player == player.id);
            PlayerRecord {
                player: player.id,
                login: self.name_of(player.id),
                team: place.team,
                result: Some(result.map_or("UNKNOWN", |result| result.outcome.as_str()).to_owned()),
                score: Some(result.map_or(0, |result| i64::from(result.score))),
                ratings: ratings
                    .map(|change| RecordedRating {
                        leaderboard: change.leaderboard.clone(),
                        before: change.before,
                        after: change.after,
                    })
                    .collect(),
            }
        };
        players.into_iter().map(record).collect()
    }
}
