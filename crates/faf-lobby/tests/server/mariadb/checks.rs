//! What must hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby::store::facts::{Facts, PlayerFact};
use faf_protocol::{GameId, PlayerId};
use faf_testkit::services::rabbitmq;
use serde_json::Value;

use super::Services;
use super::players::{Pair, host_wins};

/// Checks that every game is stored with its results, and was rated once.
pub(super) fn check_results(facts: &Facts, pairs: &[Pair]) {
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

/// Checks the messages of the queue, and returns the number of those that came before.
pub(super) async fn check_messages(services: &Services, facts: &Facts) -> usize {
    let client = rabbitmq::Client::connect(services.rabbit, &services.vhost).await;
    let count = client.waiting("theirs").await;
    let mut messages = client.consume("theirs", true).await;
    let mut by_game: BTreeMap<u64, Vec<Option<u64>>> = BTreeMap::new();
    let mut by_player: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut repeated = 0;
    for _ in 0..count {
        let body: Value = serde_json::from_str(&messages.next().await.body).unwrap();
        let (game, player) = (body["game_id"].as_u64().unwrap(), body["player_id"].as_u64());
        let of_game = by_game.entry(game).or_default();
        if of_game.contains(&player) {
            repeated += 1;
            continue;
        }
        of_game.push(player);
        by_player.entry(player.unwrap_or_default()).or_default().push(game);
    }
    assert_eq!(by_game.len(), facts.games.len());
    for game in &facts.games {
        // The results, and both ratings.
        let host = u64::from(game.host.0);
        assert_eq!(by_game[&u64::from(game.id.0)], [None, Some(host), Some(host + 1)], "game {}", game.id);
    }
    for (player, games) in by_player.iter().filter(|(player, _)| **player > 0) {
        assert!(games.is_sorted(), "player {player}: {games:?}");
    }
    repeated
}
