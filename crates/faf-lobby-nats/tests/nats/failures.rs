//! Failures of the server, and of the stream.

use bytes::Bytes;
use faf_lobby_nats::{AppendError, Log, LogError, LogOptions, ReadError, Settings};
use faf_testkit::services::nats::NatsServer;
use faf_testkit::services::proxy::Proxy;

use crate::support::{
    append_all, assert_complete, connect, in_time, jetstream, name, new_log, next, read, settings, wait_for,
};

/// Entries of each of the lanes.
const ENTRIES: u64 = 20_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn entries_come_once_and_in_order_while_the_server_is_killed() {
    let server = NatsServer::start();
    let settings = settings(&server);
    let (writing, reading) = (connect(&settings).await, connect(&settings).await);
    let (log, state) = Log::open_or_create(&writing, LogOptions::default()).await.unwrap();
    let (other_log, same) = Log::open(&reading).await.unwrap();
    assert_eq!(same.identity, state.identity);
    let mut reader = other_log.read_from(state.identity, 1);
    let lanes: Vec<_> = ["a", "b"]
        .map(|lane| {
            let log = log.clone();
            tokio::spawn(async move { append_all(&log, lane, 0..ENTRIES).await })
        })
        .into();
    let mut entries = Vec::new();
    for part in 1..=4 {
        // In the middle of it all.
        entries.extend(read(&mut reader, ENTRIES as usize * part / 4 * 2 - entries.len() - 1000).await);
        if part < 4 {
            server.kill();
            server.restart();
        }
    }
    entries.extend(read(&mut reader, 1000).await);
    for lane in lanes {
        in_time(lane).await.unwrap();
    }
    assert_complete(&entries, 1);
    assert_eq!(entries.len() as u64, 2 * ENTRIES);
    assert_eq!(log.state().await.unwrap().last, 2 * ENTRIES, "nothing is stored twice");
    assert_eq!((writing.counters().reconnects(), reading.counters().reconnects()), (3, 3));
    // All that was read is still there.
    let again = read(&mut log.read_from(state.identity, 1), entries.len()).await;
    assert!(
        again
            .iter()
            .zip(&entries)
            .all(|(a, b)| (a.sequence, a.time, &a.payload) == (b.sequence, b.time, &b.payload))
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn frozen_server_is_noticed_and_used_again() {
    let server = NatsServer::start();
    let (connection, log, state) = new_log(&server).await;
    let mut reader = log.read_from(state.identity, 1);
    append_all(&log, "g", 0..100).await;
    read(&mut reader, 100).await;
    server.pause();
    // They are in the socket of the server, which reads them when it goes on: beside the same ones
    // over the next connection.
    let mut writer = log.writer(name("g"));
    let pending: Vec<_> =
        (100..600).map(|number| writer.append(&format!("g-{number}"), number.to_string().into())).collect();
    let state = wait_for(&connection, |state| !state.is_connected()).await;
    assert!(state.problem().unwrap().contains("is away"), "{state:?}");
    for pending in pending {
        let error = in_time(pending).await.unwrap_err();
        assert!(matches!(error, AppendError::Away(_)), "{error:?}");
    }
    for pending in [writer.append("x", Bytes::new()), log.append(&name("g"), "x", Bytes::new())] {
        let error = in_time(pending).await.unwrap_err();
        assert!(matches!(error, AppendError::Away(_)), "{error:?}");
    }
    let error = log.state().await.unwrap_err();
    assert!(matches!(error, LogError::Away(_)), "{error:?}");
    server.resume();
    wait_for(&connection, faf_lobby_nats::State::is_connected).await;
    // A later entry must not overtake those that failed.
    let error = in_time(writer.append("y", Bytes::new())).await.unwrap_err();
    assert!(matches!(&error, AppendError::Away(text) if text.contains("earlier")), "{error:?}");
    append_all(&log, "g", 100..1000).await;
    let mut entries = read(&mut log.read_from(reader_identity(&log).await, 1), 100).await;
    entries.extend(read(&mut reader, 900).await);
    assert_complete(&entries, 1);
    assert_eq!(log.state().await.unwrap().last, 1000);
}

async fn reader_identity(log: &Log) -> u64 {
    log.state().await.unwrap().identity
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn server_is_waited_for_however_long_it_is_away() {
    let server = NatsServer::start();
    let (connection, log, state) = new_log(&server).await;
    let mut reader = log.read_from(state.identity, 1);
    append_all(&log, "g", 0..10).await;
    read(&mut reader, 10).await;
    server.kill();
    let state =
        wait_for(&connection, |state| state.problem().is_some_and(|problem| problem.contains("reached")))
            .await;
    assert!(!state.is_connected());
    let reading = tokio::spawn(async move { read(&mut reader, 10).await });
    server.restart();
    wait_for(&connection, faf_lobby_nats::State::is_connected).await;
    append_all(&log, "h", 0..10).await;
    assert_complete(&in_time(reading).await.unwrap(), 11);
    assert_eq!(connection.counters().reconnects(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn another_stream_of_the_same_name_is_not_read() {
    let server = NatsServer::start();
    let (connection, log, state) = new_log(&server).await;
    append_all(&log, "g", 0..10).await;
    let mut reader = log.read_from(state.identity, 1);
    let entries = read(&mut reader, 10).await;
    let stream = format!("FAF_LOBBY_{}", cluster(&connection));
    let jetstream = jetstream(&server).await;
    jetstream.delete_stream(&stream).await.unwrap();
    let error = in_time(log.append(&name("g"), "x", Bytes::new())).await.unwrap_err();
    assert_eq!(error, AppendError::NoStream(stream.clone()));
    let error = next(&mut reader).await.unwrap_err();
    assert_eq!(error, ReadError::NoStream(stream.clone()));
    let (log, replaced) = Log::open_or_create(&connection, LogOptions::default()).await.unwrap();
    assert_ne!(replaced.identity, state.identity);
    let error = next(&mut reader).await.unwrap_err();
    assert_eq!(error, ReadError::Replaced(stream.clone()));
    // Without regard to the identity, its end is before what was read, or it has other entries.
    let last = entries[9].clone();
    let rolled_back = |last| Err(ReadError::RolledBack { read: 10, last });
    assert_eq!(next(&mut log.read_from(replaced.identity, 11)).await, rolled_back(0));
    append_all(&log, "other", 0..20).await;
    assert_eq!(next(&mut log.read_after(replaced.identity, 10, last.time)).await, rolled_back(20));
    assert_eq!(next(&mut log.read_from(replaced.identity, 11)).await.unwrap().sequence, 11);
    let tenth = read(&mut log.read_from(replaced.identity, 10), 1).await.remove(0);
    assert_eq!(next(&mut log.read_after(replaced.identity, 10, tenth.time)).await.unwrap().sequence, 11);
}

fn cluster(connection: &faf_lobby_nats::Connection) -> String {
    connection.settings().cluster.clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn consumer_that_was_removed_is_created_again() {
    let server = NatsServer::start();
    let (connection, log, state) = new_log(&server).await;
    append_all(&log, "g", 0..10).await;
    let mut reader = log.read_from(state.identity, 1);
    read(&mut reader, 10).await;
    let jetstream = jetstream(&server).await;
    let stream = jetstream.get_stream(format!("FAF_LOBBY_{}", cluster(&connection))).await.unwrap();
    let names = tokio_stream::StreamExt::collect::<Vec<_>>(stream.consumer_names()).await;
    for name in names {
        stream.delete_consumer(&name.unwrap()).await.unwrap();
    }
    append_all(&log, "h", 0..10).await;
    assert_complete(&read(&mut reader, 10).await, 11);
    assert_eq!(reader.consumers(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn closed_connection_ends_what_was_made_from_it() {
    let (connection, log, state) = new_log(NatsServer::shared()).await;
    append_all(&log, "g", 0..1).await;
    let mut reader = log.read_from(state.identity, 1);
    next(&mut reader).await.unwrap();
    let mut subscription = connection.subscribe(vec![faf_lobby_nats::Subject::All]).await.unwrap();
    connection.clone().close(std::time::Duration::from_secs(5)).await;
    assert_eq!(next(&mut reader).await, Err(ReadError::Closed));
    assert!(in_time(subscription.next()).await.is_none());
    let error = in_time(log.append(&name("g"), "x", Bytes::new())).await.unwrap_err();
    assert!(matches!(error, AppendError::Away(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn entries_keep_their_order_while_connections_are_cut() {
    let server = NatsServer::start();
    let proxy = Proxy::start(server.port());
    let settings = Settings { url: format!("nats://127.0.0.1:{}", proxy.port()), ..settings(&server) };
    let connection = connect(&settings).await;
    let (log, state) = Log::open_or_create(&connection, LogOptions::default()).await.unwrap();
    let mut reader = log.read_from(state.identity, 1);
    let mut entries = Vec::new();
    for round in 0..10 {
        proxy.cut_after(1 + round % 3);
        append_all(&log, "g", round as u64 * 5000..(round as u64 + 1) * 5000).await;
        // The library had more in its queue than was sent.
        assert!(proxy.has_cut());
        entries.extend(read(&mut reader, 5000).await);
    }
    assert_complete(&entries, 1);
    assert_eq!(log.state().await.unwrap().last, 50_000);
    assert!(connection.counters().reconnects() >= 10);
}
