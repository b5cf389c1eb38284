//! The sessions of the original server, judged as if they were recordings of evenings.

use std::fmt::Write as _;

use faf_testkit::golden::sessions;

use crate::rig;

#[tokio::test]
async fn the_recorded_sessions_are_equal_or_listed() {
    let wanted = std::env::var("FAF_SESSION").ok();
    let mut failures = String::new();
    for (name, transcript) in sessions::all() {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let (entries, _) = transcript.entries();
        let report = rig::judge(&rig::settings(&transcript.overrides), rig::seeded().await, entries).await;
        if !report.is_equal() {
            writeln!(failures, "== {name}").unwrap();
            for kind in report.kinds.iter().filter(|kind| kind.reason.is_none()) {
                writeln!(failures, "  {} x {}", kind.count, kind.example).unwrap();
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
