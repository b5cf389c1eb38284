//! The check of the database in the end: no result is lost, and no game is rated twice.

use std::collections::BTreeSet;

use faf_lobby::store::facts::{Facts, PlayerFact};
use faf_protocol::{GameId, PlayerId};

use super::players::{Pair, host_wins};

/// Checks that every game is stored with its results, and was rated once.
pub(crate) fn check_results(facts: &Facts, pairs: &[Pair]) {
    let played: BTreeSet<GameId> = pairs.iter().flat_map(|pair| pair.played.iter().copied()).collect();
    assert_eq!(facts.games.iter().map(|game| game.id).collect::<BTreeSet<_>>(), played);
    for game in &facts.games {
        assert!(game.ended_at.is_some() && !game.is_live && game.decisions.is_some(), "{game:?}");
        assert_eq!(game.validity, 0, "{game:?}");
        let won = |fact: &PlayerFact| (fact.player_id == game.host) == host_wins(game.id);
        let players: Vec<_> = facts.players.iter().filter(|fact| fact.game_id == game.id).collect();
        assert_eq!(players.len(), 2);
        for fact in players {
            let expected = if won(fact) { ("VICTORY", 10) } else { ("DEFEAT", -10) };
            assert_eq!((fact.result.as_deref().unwrap(), fact.score.unwrap()), expected, "{fact:?}");
        }
    }
    for pair in pairs {
        for player in pair.ids.map(PlayerId) {
            let changes: Vec<_> = facts.journal.iter().filter(|change| change.player_id == player).collect();
            let games: BTreeSet<GameId> = changes.iter().map(|change| change.game_id).collect();
            assert_eq!(games, pair.played.iter().copied().collect::<BTreeSet<_>>(), "of player {player}");
            assert_eq!(changes.len(), games.len(), "a game of player {player} was rated twice");
            assert!(changes.windows(2).all(|pair| pair[0].after == pair[1].before), "{changes:?}");
            let rating = facts.ratings.iter().find(|rating| rating.player_id == player);
            let stored = rating.map_or(0, |rating| rating.total_games);
            assert_eq!(stored as usize, games.len(), "player {player}");
        }
    }
}
