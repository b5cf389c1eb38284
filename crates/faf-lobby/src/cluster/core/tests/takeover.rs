//! Takeovers from a leader that is lost, and the duties of the one that leads.

use std::time::Duration;

use faf_lobby_cluster::Snapshot;
use faf_lobby_core::Event;

use super::rig::{LONG, MemoryBackend, Running, SHORT, TestGateway, options};
use crate::lobby::input::Input;
use crate::store::Store;
use crate::store::sqlite::testing::new_sqlite;

/// Starts two cores, and returns the one that leads first.
async fn two_cores(backend: &MemoryBackend, store: &Store, lease: Duration) -> (Running, Running) {
    let one = Running::start(options("one", lease), backend, store);
    one.leads().await;
    let two = Running::start(options("two", lease), backend, store);
    two.until(|status| status.is_ready).await;
    // On a slow machine, the other one may have been faster in the meantime.
    if one.status().await.role == "leads" { (one, two) } else { (two, one) }
}

#[tokio::test]
async fn follower_takes_over_from_a_leader_that_is_killed() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let (leader, other) = two_cores(&backend, &store, SHORT).await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.log_in("Ada").await;
    leader.kill().await;
    gateway.send(ada, r#"{"command":"ping"}"#);
    gateway.run_until(|gateway| gateway.count(ada, "pong") == 1).await;
    let status = other.leads().await;
    assert_eq!((status.players, status.open_requests), (1, 0));
    let text = other.metrics.text().unwrap();
    assert!(text.contains("server_core_leads 1"), "{text}");
    assert!(!text.contains("server_core_takeovers_total 0"), "{text}");
    gateway.log_in("Bob").await;
}

#[tokio::test]
async fn requests_that_are_open_are_made_again_by_the_next_leader() {
    let backend = MemoryBackend::default();
    let (sqlite, _folder) = new_sqlite();
    let store = Store::Sqlite(sqlite);
    // The first leader's database does not answer: its login creates an account.
    let (held, held_folder) = new_sqlite();
    let blocker = rusqlite::Connection::open(held_folder.path().join("test.sqlite")).unwrap();
    let one = Running::start(options("one", SHORT), &backend, &Store::Sqlite(held));
    one.leads().await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.connect();
    gateway.run_until(|gateway| gateway.count(ada, "session") == 1).await;
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    gateway.hello(ada, "Ada");
    let is_open = async { one.until(|status| status.open_requests == 1).await };
    tokio::select! {
        _ = is_open => {}
        () = gateway.run_until(|_| false) => {}
    }
    let two = Running::start(options("two", SHORT), &backend, &store);
    two.until(|status| status.is_ready).await;
    one.kill().await;
    gateway.run_until(|gateway| gateway.count(ada, "welcome") == 1).await;
    assert_eq!(two.leads().await.players, 1);
    assert_eq!(store.count_accounts().await.unwrap(), 1);
}

#[tokio::test]
async fn leader_without_a_stream_does_nothing_until_it_is_back() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let one = Running::start(options("one", SHORT), &backend, &store);
    one.leads().await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.log_in("Ada").await;
    backend.nats.set_away(true);
    one.until(|status| status.role == "suspended").await;
    gateway.send(ada, r#"{"command":"ping"}"#);
    backend.nats.set_away(false);
    gateway.run_until(|gateway| gateway.count(ada, "pong") == 1).await;
    one.leads().await;
}

#[tokio::test]
async fn only_the_leader_executes_orders_of_operators() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let (leader, other) = two_cores(&backend, &store, LONG).await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.log_in("Ada").await;
    let order = store.kick("Ada", "Out!".to_owned()).await.unwrap();
    gateway.run_until(|gateway| gateway.sent[&ada].iter().any(|text| text.contains("Out!"))).await;
    while store.outcome_of_order(order).await.unwrap() != Some(true) {
        tokio::task::yield_now().await;
    }
    assert_eq!(leader.status().await.role, "leads");
    assert_eq!(other.status().await.role, "follows");
    // A follower drops what only a leader may tell the world.
    let kicked = Event::Kicked { player: faf_protocol::PlayerId(1), reason: String::new() };
    other.inbox.send(Input::Event(kicked)).await.unwrap();
    let (tell, settled) = tokio::sync::oneshot::channel();
    other.inbox.send(Input::Settled(tell)).await.unwrap();
    assert!(settled.await.is_err());
}

#[tokio::test]
async fn core_whose_world_differs_ends_and_says_so() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let folder = tempfile::tempdir().unwrap();
    let compared = |name: &str| {
        let mut options = options(name, LONG);
        options.evidence = folder.path().to_owned();
        options.times.compare_every = 20;
        options
    };
    let one = Running::start(compared("one"), &backend, &store);
    one.leads().await;
    // The snapshot is of another time than the message at which it stands.
    backend.change_snapshots(|replica| {
        let position = replica.position();
        replica.apply(position, faf_lobby_core::Timestamp(1_000_000), b"nothing");
    });
    let two = Running::start(compared("two"), &backend, &store);
    let mut gateway = TestGateway::join(&backend).await;
    let failure = tokio::select! {
        ended = two.ended() => ended.unwrap_err(),
        () = gateway.run_until(|_| false) => unreachable!(),
    };
    assert_eq!(failure.code, crate::exit_code::DIVERGED);
    assert!(failure.to_string().contains("cluster.clock"), "{failure}");
    let kept = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    assert!(failure.to_string().contains(&kept.display().to_string()), "{failure}");
    let [before, after] = ["before.snapshot", "after.snapshot"]
        .map(|name| Snapshot::decode(&std::fs::read(kept.join(name)).unwrap()).unwrap().replica.position());
    let messages = std::fs::read_to_string(kept.join("messages.jsonl")).unwrap();
    assert_eq!(messages.lines().count() as u64, after - before);
    assert_eq!(one.status().await.role, "leads");
}
