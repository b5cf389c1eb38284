//! The outbox.

use faf_lobby_core::{GamePublications, GameWrite, Publication};
use faf_lobby_store::{Backend, Waiting};

use super::{facts, plant_for_games, refused, store};
use crate::season::{Played, Season};

async fn launched(backend: &impl Backend) -> Played {
    plant_for_games(backend).await;
    let played = Season::default().play(1);
    store(backend, played.id, played.launch()).await.unwrap();
    played
}

/// Creates publications with these numbers; the body of each contains its number.
fn publications(numbers: std::ops::Range<u32>) -> GamePublications {
    let publication = |number| {
        let update = format!(r#"{{"Event":{{"playerId":1,"eventId":"e","count":{}}}}}"#, number + 1);
        serde_json::from_str::<Publication>(&update).unwrap()
    };
    GamePublications { first: numbers.start, list: numbers.map(publication).collect() }
}

/// Returns the numbers of the waiting publications.
async fn waiting(backend: &impl Backend) -> Vec<i64> {
    let counts = facts(backend).await.outbox.into_iter().filter_map(|(key, body)| {
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        (key == "request.event.update").then(|| body["count"].as_i64().unwrap())
    });
    counts.collect()
}

pub async fn game_end_goes_into_the_outbox(backend: &impl Backend) {
    let played = launched(backend).await;
    assert_eq!(backend.waiting_messages(10).await.unwrap(), Waiting::default());
    let changes = store(backend, played.id, played.end()).await.unwrap();
    let Waiting { count, messages } = backend.waiting_messages(10).await.unwrap();
    let keys: Vec<_> = messages.iter().map(|(_, message)| message.routing_key.as_str()).collect();
    assert_eq!(keys, ["success.gameResults.create", "success.rating.update", "success.rating.update"]);
    assert_eq!(count, 3);
    assert!(messages.iter().all(|(_, message)| message.is_persistent && message.exchange == "faf-lobby"));
    let bodies: Vec<_> = messages.into_iter().map(|(_, message)| message.body).collect();
    let expected = played.end.publications(played.id, &changes);
    assert_eq!(bodies, expected.iter().map(|publication| publication.body().unwrap()).collect::<Vec<_>>());
}

pub async fn retried_write_publishes_nothing_twice(backend: &impl Backend) {
    let played = launched(backend).await;
    for _ in 0..2 {
        backend.store_game(played.id, played.save(), publications(0..2)).await.unwrap();
        assert_eq!(waiting(backend).await, [1, 2]);
    }
    // By now there is one more publication.
    backend.store_game(played.id, played.save(), publications(0..3)).await.unwrap();
    assert_eq!(waiting(backend).await, [1, 2, 3]);
    for _ in 0..2 {
        backend.store_game(played.id, played.end(), publications(3..4)).await.unwrap();
        assert_eq!(waiting(backend).await, [1, 2, 3, 4]);
        assert_eq!(
            backend.waiting_messages(10).await.unwrap().count,
            7,
            "one game, two ratings, four events"
        );
    }
    // Each game numbers its publications separately.
    let other = faf_protocol::GameId(99);
    backend.store_game(other, GameWrite::Publish, publications(0..1)).await.unwrap();
    assert_eq!(waiting(backend).await, [1, 2, 3, 4, 1]);
}

pub async fn refused_write_publishes_nothing(backend: &impl Backend) {
    plant_for_games(backend).await;
    let played = Season::default().play(1);
    refused(backend, played.id, played.end()).await;
    assert!(backend.store_game(played.id, played.save(), publications(0..1)).await.is_err());
    assert_eq!(backend.waiting_messages(10).await.unwrap(), Waiting::default());
    // The refused numbers are still free.
    store(backend, played.id, played.launch()).await.unwrap();
    backend.store_game(played.id, played.save(), publications(0..1)).await.unwrap();
    assert_eq!(waiting(backend).await, [1]);
}

pub async fn messages_stay_until_delivered(backend: &impl Backend) {
    let played = launched(backend).await;
    backend.store_game(played.id, played.save(), publications(0..5)).await.unwrap();
    let Waiting { count, messages } = backend.waiting_messages(2).await.unwrap();
    assert_eq!((count, messages.len()), (5, 2));
    assert_eq!(backend.waiting_messages(2).await.unwrap().messages, messages);
    let (first, second) = (messages[0].0, messages[1].0);
    assert!(first < second);
    backend.messages_delivered(vec![second]).await.unwrap();
    assert_eq!(waiting(backend).await, [1, 3, 4, 5]);
    backend.messages_delivered(vec![first, second]).await.unwrap();
    let rest = backend.waiting_messages(10).await.unwrap().messages;
    backend.messages_delivered(rest.iter().map(|(number, _)| *number).collect()).await.unwrap();
    assert_eq!(backend.waiting_messages(10).await.unwrap(), Waiting::default());
    // A number is assigned only once.
    backend.store_game(played.id, played.save(), publications(5..6)).await.unwrap();
    let next = backend.waiting_messages(10).await.unwrap().messages;
    assert!(next[0].0 > rest[2].0);
}

pub async fn publications_may_follow_the_end(backend: &impl Backend) {
    let played = launched(backend).await;
    store(backend, played.id, played.end()).await.unwrap();
    let before = facts(backend).await;
    for _ in 0..2 {
        backend.store_game(played.id, GameWrite::Publish, publications(0..2)).await.unwrap();
    }
    assert_eq!(waiting(backend).await, [1, 2]);
    let mut after = facts(backend).await;
    after.outbox.clone_from(&before.outbox);
    assert_eq!(after, before);
}
