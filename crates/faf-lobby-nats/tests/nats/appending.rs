//! The stream: order, ids, sizes, bounds, purging.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use bytes::Bytes;
use faf_lobby_nats::{AppendError, Connection, Limits, Log, LogError, LogOptions, ReadError, Stored};
use faf_testkit::services::nats::{NatsServer, Options};

use crate::support::{
    append_all, assert_complete, connect, in_time, jetstream, limits, name, new_log, next, read, settings,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn a_thousand_appends_under_way_keep_their_order() {
    let (_connection, log, state) = new_log(NatsServer::shared()).await;
    assert_eq!((state.first, state.last), (1, 0));
    let mut reader = log.read_from(state.identity, 1);
    let lane = name("gateway-1");
    let pending: Vec<_> =
        (0..1000).map(|number| log.append(&lane, &format!("{number}"), number.to_string().into())).collect();
    // Acknowledgements may be awaited in any order.
    for (number, pending) in pending.into_iter().enumerate().rev() {
        let stored = in_time(pending).await.unwrap();
        assert_eq!(stored, Stored { sequence: number as u64 + 1, is_repeat: false });
    }
    let entries = read(&mut reader, 1000).await;
    assert_complete(&entries, 1);
    assert!(
        entries
            .iter()
            .all(|entry| entry.lane.as_ref() == Some(&lane) && entry.pending <= 1000 - entry.sequence)
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let minute = Duration::from_secs(60).as_nanos() as u64;
    assert!(entries.iter().all(|entry| (now - minute..=now).contains(&entry.time)));
    assert!(entries.is_sorted_by_key(|entry| entry.time));
    let state = log.state().await.unwrap();
    assert_eq!((state.first, state.last), (1, 1000));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn messages_of_others_in_the_stream_are_read_like_entries() {
    let server = NatsServer::start();
    let settings = settings(&server);
    let connection = connect(&settings).await;
    let (log, state) = Log::open_or_create(&connection, LogOptions::default()).await.unwrap();
    append_all(&log, "g", 0..1).await;
    // More words than the subject of a lane has, and a lane that is no name.
    let others = jetstream(&server).await;
    for lane in ["a.b.c", "ä"] {
        let subject = format!("faf.{}.in.{lane}", settings.cluster);
        others.publish(subject, "rubbish".into()).await.unwrap().await.unwrap();
    }
    append_all(&log, "g", 1..2).await;
    let entries = read(&mut log.read_from(state.identity, 1), 4).await;
    let lanes: Vec<_> = entries.iter().map(|entry| entry.lane.clone()).collect();
    assert_eq!(lanes, [Some(name("g")), None, None, Some(name("g"))]);
    assert_eq!(entries[1].payload, "rubbish");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn an_id_is_stored_once() {
    let (_connection, log, state) = new_log(NatsServer::shared()).await;
    let append = async |id: &str, payload: &'static str| {
        in_time(log.append(&name("g"), id, Bytes::from(payload))).await.unwrap()
    };
    assert_eq!(append("one", "first").await, Stored { sequence: 1, is_repeat: false });
    assert_eq!(append("two", "second").await, Stored { sequence: 2, is_repeat: false });
    assert_eq!(append("one", "third").await, Stored { sequence: 1, is_repeat: true });
    let entries = read(&mut log.read_from(state.identity, 1), 2).await;
    assert_eq!(entries[0].payload, "first");
    assert_eq!(entries[1].payload, "second");
    assert_eq!((entries[1].pending, log.state().await.unwrap().last), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn large_entries_pass_and_larger_ones_are_refused() {
    let (connection, log, state) = new_log(NatsServer::shared()).await;
    let limit = connection.max_payload();
    assert_eq!(limit, 1 << 20);
    let lane = name("g");
    let content = |number: usize| Bytes::from(vec![number as u8; 512 * 1024]);
    let pending: Vec<_> =
        (0..100).map(|number| log.append(&lane, &format!("{number}"), content(number))).collect();
    for pending in pending {
        in_time(pending).await.unwrap();
    }
    let mut reader = log.read_from(state.identity, 1);
    for (number, entry) in read(&mut reader, 100).await.into_iter().enumerate() {
        assert_eq!(entry.sequence, number as u64 + 1);
        assert_eq!(entry.payload, content(number));
    }
    assert_eq!(reader.consumers(), 1, "a large backlog is read without interruption");
    let refused = in_time(log.append(&lane, "large", vec![0; limit].into())).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    for id in ["", "a b", "a\r\nb", &"x".repeat(129)] {
        let refused = in_time(log.append(&lane, id, Bytes::new())).await;
        assert!(matches!(refused, Err(AppendError::Refused(_))), "{id}: {refused:?}");
    }
    // The largest entry does pass.
    let stored = in_time(log.append(&lane, &"x".repeat(128), vec![0; limit - 192].into())).await.unwrap();
    assert_eq!(stored.sequence, 101);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn queue_is_bounded() {
    let server = NatsServer::start();
    let (connection, log, _) = new_log(&server).await;
    let lane = name("g");
    server.pause();
    let mut pending = Vec::new();
    let refused = loop {
        let append = log.append(&lane, &pending.len().to_string(), vec![0; 256 * 1024].into());
        if format!("{append:?}").contains("failed") {
            break append;
        }
        pending.push(append);
        assert!(pending.len() < 10_000, "it takes everything");
    };
    assert_eq!(refused.await, Err(AppendError::Busy));
    assert!(pending.len() >= 256, "only {} wait", pending.len());
    server.resume();
    for pending in pending {
        in_time(pending).await.unwrap();
    }
    assert_eq!(connection.counters().reconnects(), 0);
    in_time(log.append(&lane, "later", Bytes::new())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn full_stream_refuses_and_keeps_what_it_has() {
    let connection = connect(&settings(NatsServer::shared())).await;
    let options = LogOptions { max_bytes: Some(100_000), max_entry_bytes: Some(50_000) };
    let (log, state) = Log::open_or_create(&connection, options).await.unwrap();
    let append = async |number: u64, size: usize| {
        in_time(log.append(&name("g"), &number.to_string(), vec![0; size].into())).await
    };
    let large = append(0, 60_000).await;
    assert!(matches!(large, Err(AppendError::Refused(_))), "{large:?}");
    let mut stored = 0;
    let refused = loop {
        match append(stored + 1, 10_000).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 20, "it has no bound");
    };
    assert!(matches!(refused, AppendError::Full(_)), "{refused:?}");
    assert_eq!(stored, 9);
    assert_eq!(read(&mut log.read_from(state.identity, 1), 9).await.len(), 9, "nothing is dropped");
    log.purge_before(5).await.unwrap();
    assert_eq!(append(100, 10_000).await.unwrap().sequence, 10, "it has a place again");
    // A new bound counts for the stream that is there.
    let options = LogOptions { max_bytes: Some(1_000_000), ..options };
    Log::open_or_create(&connection, options).await.unwrap();
    for number in 11..=20 {
        assert_eq!(append(number + 100, 10_000).await.unwrap().sequence, number);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn full_server_is_named() {
    let server = NatsServer::start_with(Options { max_store: Some(1 << 20), ..Options::default() });
    let connection = connect(&settings(&server)).await;
    let options = LogOptions { max_bytes: Some(2 << 20), max_entry_bytes: None };
    let refused = Log::open_or_create(&connection, options).await.unwrap_err();
    assert!(matches!(refused, LogError::Full(_)), "{refused:?}");
    let options = LogOptions { max_bytes: None, max_entry_bytes: None };
    let (log, _) = Log::open_or_create(&connection, options).await.unwrap();
    let mut number = 0;
    let refused = loop {
        number += 1;
        match in_time(log.append(&name("g"), &number.to_string(), vec![0; 100_000].into())).await {
            Ok(_) => assert!(number < 20, "it has no bound"),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn purged_entries_are_named() {
    let (_connection, log, state) = new_log(NatsServer::shared()).await;
    append_all(&log, "g", 0..100).await;
    let mut reader = log.read_from(state.identity, 1);
    read(&mut reader, 10).await;
    log.purge_before(51).await.unwrap();
    let state = log.state().await.unwrap();
    assert_eq!((state.first, state.last), (51, 100));
    let purged = |wanted| Err(ReadError::Purged { wanted, first: 51 });
    assert_eq!(next(&mut log.read_from(state.identity, 50)).await, purged(50));
    let entries = read(&mut log.read_from(state.identity, 51), 50).await;
    assert_eq!((entries[0].sequence, entries[49].sequence), (51, 100));
    // Without entries, the stream still knows the last number.
    log.purge_before(101).await.unwrap();
    log.purge_before(1).await.unwrap();
    let state = log.state().await.unwrap();
    assert_eq!((state.first, state.last), (101, 100));
    // There is no later entry that would show it.
    let purged = Err(ReadError::Purged { wanted: 50, first: 101 });
    assert_eq!(next(&mut log.read_from(state.identity, 50)).await, purged);
    append_all(&log, "h", 0..1).await;
    assert_eq!(next(&mut log.read_from(state.identity, 101)).await.unwrap().sequence, 101);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn two_clusters_do_not_meet() {
    let server = NatsServer::shared();
    let (_one, log, state) = new_log(server).await;
    let (_other, other_log, other_state) = new_log(server).await;
    append_all(&log, "g", 0..10).await;
    append_all(&other_log, "g", 0..5).await;
    assert_complete(&read(&mut log.read_from(state.identity, 1), 10).await, 1);
    assert_complete(&read(&mut other_log.read_from(other_state.identity, 1), 5).await, 1);
    assert_eq!(log.state().await.unwrap().last, 10);
    assert_eq!(other_log.state().await.unwrap().last, 5);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn stream_of_another_kind_is_not_used() {
    let server = NatsServer::shared();
    let settings = settings(server);
    let connection = connect(&settings).await;
    let missing = Log::open(&connection).await.unwrap_err();
    assert!(matches!(missing, LogError::NoStream(_)), "{missing:?}");
    let jetstream = jetstream(server).await;
    let config = |discard| Config {
        name: format!("FAF_LOBBY_{}", settings.cluster),
        subjects: vec![format!("faf.{}.in.>", settings.cluster)],
        discard,
        ..Config::default()
    };
    jetstream.create_stream(config(DiscardPolicy::Old)).await.unwrap();
    let differs = Log::open_or_create(&connection, LogOptions::default()).await.unwrap_err();
    assert!(
        matches!(&differs, LogError::Differs { what, .. } if what.contains("drops old entries")),
        "{differs:?}"
    );
    jetstream.update_stream(config(DiscardPolicy::New)).await.unwrap();
    Log::open_or_create(&connection, LogOptions::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn no_entry_overtakes_one_that_failed() {
    let (_connection, log, state) = new_log(NatsServer::shared()).await;
    let mut writer = log.writer(name("g"));
    in_time(writer.append("0", "0".into())).await.unwrap();
    let error = in_time(writer.append("not an id", "1".into())).await.unwrap_err();
    assert!(matches!(error, AppendError::Refused(_)), "{error:?}");
    let error = in_time(writer.append("2", "2".into())).await.unwrap_err();
    assert!(matches!(&error, AppendError::Away(text) if text.contains("earlier")), "{error:?}");
    writer.resume().await.unwrap();
    // One that the server refuses.
    let too_large = writer.append("1", vec![0; (1 << 20) - 192].into());
    in_time(too_large).await.unwrap();
    let options = LogOptions { max_bytes: Some(1 << 20), max_entry_bytes: None };
    Log::open_or_create(log.connection(), options).await.unwrap();
    let error = in_time(writer.append("2", vec![0; 1000].into())).await.unwrap_err();
    assert!(matches!(error, AppendError::Full(_)), "{error:?}");
    let error = in_time(writer.append("3", Bytes::new())).await.unwrap_err();
    assert!(matches!(&error, AppendError::Away(text) if text.contains("earlier")), "{error:?}");
    assert_eq!(log.state().await.unwrap().last, 2);
    assert_eq!(read(&mut log.read_from(state.identity, 1), 2).await[0].payload, "0");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn entries_that_were_lost_on_their_way_are_read_again() {
    let settings = settings(NatsServer::shared());
    let limits = Limits { subscription_messages: 100, ..limits() };
    let connection = Connection::open(settings, limits).await.unwrap();
    let (log, state) = Log::open_or_create(&connection, LogOptions::default()).await.unwrap();
    let mut reader = log.read_from(state.identity, 1);
    append_all(&log, "g", 0..1).await;
    let mut entries = read(&mut reader, 1).await;
    // The library drops the entries for which its queue has no place, and takes later ones.
    append_all(&log, "g", 1..300).await;
    entries.extend(read(&mut reader, 50).await);
    append_all(&log, "g", 300..310).await;
    entries.extend(read(&mut reader, 259).await);
    assert_complete(&entries, 1);
    // No later one shows that these are dropped.
    append_all(&log, "h", 0..300).await;
    assert_complete(&read(&mut reader, 300).await, 311);
    assert!(reader.consumers() > 1);
}
