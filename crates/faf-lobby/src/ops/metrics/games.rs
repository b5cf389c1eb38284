//! Games by featured mod, leaderboard and state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use faf_lobby_core::{Game, GameData, GameState};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::LABEL_VALUES;

/// Games by featured mod, by leaderboard, and by state.
#[derive(Debug, Default)]
pub(super) struct ActiveGames {
    by_mode: Family<GameLabels, Gauge>,
    by_rating_type: Family<RatingTypeLabels, Gauge>,
    /// Featured mods seen so far, and those of the database.
    modes: Mutex<BTreeSet<String>>,
    /// Leaderboards seen so far, and those of the database.
    rating_types: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GameLabels {
    game_mode: String,
    game_state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RatingTypeLabels {
    rating_type: String,
    game_state: &'static str,
}

/// States of games by the names dashboards know.
const GAME_STATES: [(GameState, &str); 4] = [
    (GameState::Initializing, "INITIALIZING"),
    (GameState::Lobby, "LOBBY"),
    (GameState::Live, "LIVE"),
    (GameState::Ended, "ENDED"),
];

impl ActiveGames {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let games = Self::default();
        let (by_mode, by_rating_type) = (games.by_mode.clone(), games.by_rating_type.clone());
        registry.register("server_game_active_games_total", "Games by featured mod and state", by_mode);
        let name = "server_game_active_games_by_rating_type_total";
        registry.register(name, "Games by leaderboard and state", by_rating_type);
        games
    }

    pub(super) fn expect(&self, data: &GameData) {
        let modes = data.featured_mods.keys().cloned();
        self.modes.lock().unwrap_or_else(PoisonError::into_inner).extend(modes);
        let leaderboards = data.leaderboards.iter().map(|leaderboard| leaderboard.name.clone());
        self.rating_types.lock().unwrap_or_else(PoisonError::into_inner).extend(leaderboards);
    }

    pub(super) fn count<'a>(&self, games: impl Iterator<Item = &'a Game>) {
        let (mut by_mode, mut by_rating_type) = (BTreeMap::new(), BTreeMap::new());
        for game in games {
            *by_mode.entry((game.featured_mod().to_owned(), game.state())).or_insert(0) += 1;
            *by_rating_type.entry((game.leaderboard().to_owned(), game.state())).or_insert(0) += 1;
        }
        for (game_mode, game_state, count) in all_combinations(&self.modes, &by_mode) {
            self.by_mode.get_or_create(&GameLabels { game_mode, game_state }).set(count);
        }
        for (rating_type, game_state, count) in all_combinations(&self.rating_types, &by_rating_type) {
            self.by_rating_type.get_or_create(&RatingTypeLabels { rating_type, game_state }).set(count);
        }
    }
}

/// Returns counts for all names seen so far, in all states. Names come from the database, not from
/// clients, so there are few; those beyond the limit count as `other`.
fn all_combinations(
    known: &Mutex<BTreeSet<String>>,
    counts: &BTreeMap<(String, GameState), i64>,
) -> Vec<(String, &'static str, i64)> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, _) in counts.keys() {
        if known.len() < LABEL_VALUES {
            known.insert(name.clone());
        }
    }
    let mut all = Vec::new();
    for (state, name_of_state) in GAME_STATES {
        let of_state = counts.iter().filter(|((_, other), _)| *other == state);
        let others = of_state.filter(|((name, _), _)| !known.contains(name)).map(|(_, count)| count).sum();
        all.push(("other".to_owned(), name_of_state, others));
        all.extend(known.iter().map(|name| {
            let count = counts.get(&(name.clone(), state)).copied().unwrap_or(0);
            (name.clone(), name_of_state, count)
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_count_together() {
        let known = Mutex::new((0..LABEL_VALUES).map(|number| number.to_string()).collect());
        let counts = ["x", "y", "5"].map(|name| ((name.to_owned(), GameState::Live), 2)).into();
        let all = all_combinations(&known, &counts);
        assert_eq!(all.len(), (LABEL_VALUES + 1) * GAME_STATES.len());
        for (name, count) in [("other", 4), ("5", 2), ("6", 0)] {
            assert!(all.contains(&(name.to_owned(), "LIVE", count)));
        }
    }
}
