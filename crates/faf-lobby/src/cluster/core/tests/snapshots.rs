//! Snapshots while cores run.

use std::sync::atomic::Ordering::Relaxed;

use super::rig::{LONG, MemoryBackend, Running, options};
use crate::cluster::core::CoreOptions;
use crate::store::Store;

#[tokio::test]
async fn the_first_follower_writes_them_and_the_stream_is_purged() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let often = |name: &str| CoreOptions { snapshot_every: 100, ..options(name, LONG) };
    let leader = Running::start(often("leader"), &backend, &store);
    let begun = leader.leads().await.snapshot;
    backend.append(100);
    let alone = leader.until(|status| status.snapshot > begun).await.snapshot;
    let [first, second] = ["a", "b"].map(|name| Running::start(often(name), &backend, &store));
    for follower in [&first, &second] {
        follower.until(|status| status.is_ready && status.followers.len() == 2).await;
    }
    leader.until(|status| status.followers.len() == 2).await;
    backend.append(100);
    let written = first.until(|status| status.snapshot >= alone + 100).await.snapshot;
    assert!(backend.stored().contains_key(&written));
    let text = second.metrics.text().unwrap();
    assert!(text.contains("server_core_snapshots_total 0"), "{text}");
    backend.append(100);
    let last = first.until(|status| status.snapshot >= written + 100).await.snapshot;
    let stored: Vec<u64> = backend.stored().keys().copied().collect();
    assert_eq!(stored, [alone, written, last]);
    assert_eq!(backend.first.load(Relaxed), alone + 1);
}
