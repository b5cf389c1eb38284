//! From where a core gets its world.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use tokio::sync::Barrier;

use super::rig::{LONG, MemoryBackend, Running, TestGateway, options};
use crate::exit_code;
use crate::store::Store;

#[tokio::test]
async fn cores_that_begin_at_the_same_moment_have_one_world() {
    let meeting = Some(Arc::new(Barrier::new(2)));
    let backend = MemoryBackend { meeting, ..MemoryBackend::default() };
    let store = Store::in_memory();
    let one = Running::start(options("one", LONG), &backend, &store);
    let two = Running::start(options("two", LONG), &backend, &store);
    let first = one.until(|status| status.is_ready).await;
    let second = two.until(|status| status.is_ready).await;
    // Each has stored a beginning before it knew of the other.
    assert_eq!(backend.stored().len(), 2);
    assert_eq!(first.world, second.world);
    let leaders = [&one.status().await, &two.status().await].map(|status| status.role == "leads");
    assert_eq!(leaders.iter().filter(|leads| **leads).count(), 1);
    // One that comes later may find the wrong one first.
    let three = Running::start(options("three", LONG), &backend, &store);
    assert_eq!(three.until(|status| status.is_ready).await.world, first.world);
}

/// Runs a cluster until it has a player and several snapshots, and ends it without a further one.
async fn history(store: &Store) -> MemoryBackend {
    let backend = MemoryBackend::default();
    let mut often = options("one", LONG);
    often.snapshot_every = 10;
    let one = Running::start(often, &backend, store);
    one.leads().await;
    let mut gateway = TestGateway::join(&backend).await;
    gateway.log_in("Ada").await;
    tokio::select! {
        _ = async {
            while backend.stored().len() < 3 {
                one.status().await;
                tokio::task::yield_now().await;
            }
        } => {}
        () = gateway.run_until(|_| false) => {}
    }
    one.kill().await;
    backend
}

#[tokio::test]
async fn snapshot_that_is_damaged_or_newer_is_passed_over() {
    let store = Store::in_memory();
    let backend = history(&store).await;
    let positions: Vec<u64> = backend.stored().keys().copied().collect();
    let newer = Bytes::from_static(b"{\"faf_lobby_snapshot\":99,\"server\":\"9.0\"}\n{}");
    backend.stored().insert(positions[2], newer.clone());
    let mut damaged = backend.stored()[&positions[1]].to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    backend.stored().insert(positions[1], damaged.into());
    let two = Running::start(options("two", LONG), &backend, &store);
    let status = two.until(|status| status.position > positions[2]).await;
    assert_eq!((status.snapshot, status.players), (positions[0], 1));
    two.kill().await;
    // No new world begins if all are unusable.
    backend.stored().insert(positions[0], newer);
    let failure = Running::start(options("three", LONG), &backend, &store).ended().await.unwrap_err();
    assert_eq!(failure.code, exit_code::CLUSTER);
    let text = failure.to_string();
    assert!(text.contains("the version that wrote it, 9.0") && text.contains("delete the stream"), "{text}");
}

#[tokio::test]
async fn stream_that_does_not_fit_the_snapshots_is_refused() {
    let store = Store::in_memory();
    let backend = history(&store).await;
    let newest = *backend.stored().keys().next_back().unwrap();
    backend.first.store(newest + 2, Relaxed);
    let failure = Running::start(options("two", LONG), &backend, &store).ended().await.unwrap_err();
    assert_eq!(failure.code, exit_code::CLUSTER);
    assert!(failure.to_string().contains("what happened in between is lost"), "{failure}");
    backend.first.store(0, Relaxed);
    backend.nats.forget();
    let failure = Running::start(options("three", LONG), &backend, &store).ended().await.unwrap_err();
    assert_eq!(failure.code, exit_code::CLUSTER);
    assert!(failure.to_string().contains("restored from an older copy"), "{failure}");
}

#[tokio::test]
async fn world_begins_anew_with_another_stream() {
    let store = Store::in_memory();
    let backend = history(&store).await;
    backend.identity.store(77, Relaxed);
    backend.nats.forget();
    let two = Running::start(options("two", LONG), &backend, &store);
    let status = two.leads().await;
    assert_eq!((status.players, status.epoch.0), (0, 1));
    let mut gateway = TestGateway::join(&backend).await;
    gateway.log_in("Ada").await;
}

#[tokio::test]
async fn stream_that_is_away_is_waited_for() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    backend.is_away.store(true, Relaxed);
    let one = Running::start(options("one", LONG), &backend, &store);
    tokio::task::yield_now().await;
    backend.is_away.store(false, Relaxed);
    one.leads().await;
}
