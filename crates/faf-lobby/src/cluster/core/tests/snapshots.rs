//! Snapshots while cores run.

use std::sync::atomic::Ordering::Relaxed;

use super::rig::{LONG, MemoryBackend, Running, options};
use crate::cluster::core::CoreOptions;
use crate::store::Store;

#[tokio::test]
async fn the_first_follower_writes_them_and_the_stream_is_purged() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let often = |name: &str| CoreOptions { snapshot_every: 10, ..options(name, LONG) };
    let leader = Running::start(often("leader"), &backend, &store);
    let alone = leader.leads().await.position;
    leader.until(|status| status.snapshot > alone).await;
    let [first, second] = ["a", "b"].map(|name| Running::start(often(name), &backend, &store));
    for follower in [&first, &second] {
        follower.until(|status| status.is_ready).await;
    }
    leader.until(|status| status.followers.len() == 2).await;
    let both = second.until(|status| status.followers.len() == 2).await.position;
    let written = first.until(|status| status.snapshot > both).await.snapshot;
    assert!(backend.stored().contains_key(&written));
    let text = second.metrics.text().unwrap();
    assert!(text.contains("server_core_snapshots_total 0"), "{text}");
    first.until(|status| status.snapshot > written + 40).await;
    let oldest = *backend.stored().keys().next().unwrap();
    assert_eq!(backend.stored().len(), 3);
    // It is purged right after a snapshot is stored.
    first.until(|_| backend.first.load(Relaxed) > 1).await;
    assert!(backend.first.load(Relaxed) <= oldest + 1 + 20);
}
