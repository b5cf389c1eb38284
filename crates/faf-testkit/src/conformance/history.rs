//! Launched games, for operators.

use faf_lobby_core::Game;
use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_store::{Backend, GameFilter};
use faf_protocol::GameId;

use super::{plant_for_games, store};
use crate::season::Season;

pub async fn game_record_is_complete(backend: &impl Backend) {
    plant_for_games(backend).await;
    let played = Season::default().play(1);
    assert_eq!(backend.game_record(played.id).await.unwrap(), None);
    store(backend, played.id, played.launch()).await.unwrap();
    let live = backend.game_record(played.id).await.unwrap().unwrap();
    assert!(live.game.is_live && live.game.ended_at.is_none());
    assert_eq!(live.decisions.as_deref(), Some(Game::decisions(&played.launched.game)));
    store(backend, played.id, played.end()).await.unwrap();
    let ended = backend.game_record(played.id).await.unwrap().unwrap();
    assert_eq!((ended.game.title.as_str(), ended.game.host.as_str()), ("Ada's game", "Ada"));
    assert_eq!(ended.game.map.unwrap().to_lowercase(), "scmp_007");
    assert_eq!(ended.decisions, Some(played.end.decisions));
    let players: Vec<_> = ended
        .players
        .iter()
        .map(|player| {
            let result = player.result.as_deref();
            (player.player.0, player.team, result, player.score, player.ratings.len())
        })
        .collect();
    assert_eq!(players, [(1, 2, Some("VICTORY"), Some(10), 1), (2, 3, Some("DEFEAT"), Some(-10), 1)]);
    assert_eq!(backend.game_record(GameId(99)).await.unwrap(), None);
}

pub async fn games_are_listed_by_player_validity_and_kind(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut season = Season::default();
    let (rated, mut unrated) = (season.play(1), season.play(2));
    unrated.launched.queue = Some(QueueId(4));
    unrated.end.validity = faf_lobby_core::validity::Validity::UnknownResult;
    unrated.end.rated = None;
    let list = async |player: Option<&str>, is_unrated| {
        let filter =
            GameFilter { player: player.map(str::to_owned), is_unrated, limit: 10, ..GameFilter::default() };
        backend.list_games(filter).await.unwrap()
    };
    for played in [&rated, &unrated] {
        store(backend, played.id, played.launch()).await.unwrap();
    }
    assert!(list(None, false).await[0].game.is_live && list(None, true).await.is_empty());
    for played in [&rated, &unrated] {
        store(backend, played.id, played.end()).await.unwrap();
    }
    let all = list(None, false).await;
    assert_eq!(all.iter().map(|listed| listed.game.id).collect::<Vec<_>>(), [unrated.id, rated.id]);
    assert_eq!(
        (all[0].players.as_slice(), all[0].game.is_live),
        (&["Ada", "Bob"].map(str::to_owned)[..], false)
    );
    assert_eq!(list(None, true).await, all[..1]);
    assert_eq!(list(Some("ADA"), false).await, all);
    assert!(list(Some("nobody"), false).await.is_empty());
    let matches = GameFilter { is_match: true, limit: 10, ..GameFilter::default() };
    assert_eq!(backend.list_games(matches).await.unwrap(), all[..1]);
    let newest = GameFilter { limit: 1, ..GameFilter::default() };
    assert_eq!(backend.list_games(newest).await.unwrap(), all[..1]);
}
