//! Snapshots.

use bytes::Bytes;
use faf_lobby_nats::{Snapshot, SnapshotError, Snapshots};
use faf_testkit::services::nats::NatsServer;

use crate::support::{connect, in_time, jetstream, settings};

/// Returns content that does not repeat.
fn content(size: usize, seed: u64) -> Bytes {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()
    });
    words.flatten().take(size).collect::<Vec<_>>().into()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn snapshots_are_stored_listed_and_removed() {
    let server = NatsServer::start();
    let settings = settings(&server);
    let (one, other) = (connect(&settings).await, connect(&settings).await);
    let snapshots = Snapshots::open_or_create(&one, None).await.unwrap();
    assert_eq!(snapshots.newest().await.unwrap(), []);
    let large = content(30_000_000, 7);
    in_time(snapshots.put(9, large.clone())).await.unwrap();
    for (sequence, size) in [(100, 1000), (20, 0), (u64::MAX, 131_072)] {
        in_time(snapshots.put(sequence, content(size, sequence))).await.unwrap();
    }
    let others = Snapshots::open_or_create(&other, None).await.unwrap();
    let list =
        async || others.newest().await.unwrap().iter().map(|s| (s.sequence, s.size)).collect::<Vec<_>>();
    assert_eq!(list().await, [(u64::MAX, 131_072), (100, 1000), (20, 0), (9, 30_000_000)]);
    assert_eq!(in_time(others.get(9)).await.unwrap(), large);
    assert_eq!(others.get(100).await.unwrap(), content(1000, 100));
    assert_eq!(others.get(20).await.unwrap(), Bytes::new());
    assert_eq!(others.get(21).await, Err(SnapshotError::Missing(21)));
    // One with the same number takes its place.
    snapshots.put(100, content(500, 1)).await.unwrap();
    assert_eq!(others.get(100).await.unwrap(), content(500, 1));
    others.keep_newest(2).await.unwrap();
    assert_eq!(list().await, [(u64::MAX, 131_072), (100, 500)]);
    assert_eq!(snapshots.get(9).await, Err(SnapshotError::Missing(9)));
    // Nothing of the others is left on the disk.
    let stream = jetstream(&server).await.get_stream(bucket(&settings.cluster)).await.unwrap();
    assert!(stream.cached_info().state.bytes < 200_000, "{:?}", stream.cached_info().state);
    server.kill();
    server.restart();
    let again = connect(&settings).await;
    let again = Snapshots::open_or_create(&again, None).await.unwrap();
    assert_eq!(again.newest().await.unwrap()[1], Snapshot { sequence: 100, size: 500 });
}

fn bucket(cluster: &str) -> String {
    format!("OBJ_FAF_LOBBY_{cluster}_SNAPSHOTS")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn damaged_snapshot_is_noticed() {
    let server = NatsServer::start();
    let settings = settings(&server);
    let connection = connect(&settings).await;
    let snapshots = Snapshots::open_or_create(&connection, None).await.unwrap();
    for sequence in 1..=3 {
        snapshots.put(sequence, content(1_000_000, sequence)).await.unwrap();
    }
    let jetstream = jetstream(&server).await;
    let stream = jetstream.get_stream(bucket(&settings.cluster)).await.unwrap();
    // The pieces of a snapshot come before its description.
    let mut pieces = Vec::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        pieces.push(stream.get_raw_message(sequence).await.unwrap());
    }
    let mut snapshots_pieces = pieces.split(|message| message.subject.contains(".M."));
    let (first, second) = (snapshots_pieces.next().unwrap(), snapshots_pieces.next().unwrap());
    // One byte of the last piece of the first one is another one.
    let last = first.last().unwrap();
    let mut payload = last.payload.to_vec();
    payload[0] ^= 1;
    stream.delete_message(last.sequence).await.unwrap();
    jetstream.publish(last.subject.clone(), payload.into()).await.unwrap().await.unwrap();
    // The second one has lost all of its pieces.
    for piece in second {
        stream.delete_message(piece.sequence).await.unwrap();
    }
    for sequence in [1, 2] {
        let error = in_time(snapshots.get(sequence)).await.unwrap_err();
        assert!(
            matches!(error, SnapshotError::Damaged { sequence: found, .. } if found == sequence),
            "{error:?}"
        );
    }
    assert_eq!(in_time(snapshots.get(3)).await.unwrap(), content(1_000_000, 3));
    let newest: Vec<_> = snapshots.newest().await.unwrap().iter().map(|snapshot| snapshot.sequence).collect();
    assert_eq!(newest, [3, 2, 1]);
}
