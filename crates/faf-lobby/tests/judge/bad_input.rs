//! Recordings that are incomplete, or of a server with another database or clock.

use std::time::Duration;

use faf_lobby::config::Settings;
use faf_sessions::recording::{Entry, Recorded, RecordedConn};
use faf_testkit::recorded_evening::{RecordedEvening, record};

use crate::{evening, rig};

fn short() -> RecordedEvening {
    record(5, 24, Duration::from_secs(6 * 60))
}

#[tokio::test]
async fn a_database_of_another_server_is_noticed_at_once() {
    let RecordedEvening { entries, .. } = short();
    // The accounts of the sessions have other names.
    let report = rig::judge(&Settings::default(), rig::seeded().await, entries).await;
    let stopped = report.stopped.unwrap();
    assert!(stopped.contains("none of the first 20 players"), "{stopped}");
    assert!(report.seconds < 60.0, "{}", report.seconds);
}

#[tokio::test]
async fn the_calendar_may_jump() {
    let RecordedEvening { database, mut entries, .. } = short();
    for (place, utc) in [(400, 0), (700, i64::MAX), (1000, i64::MIN), (1300, 1_782_907_200_000_000)] {
        let at = entries[place].at;
        entries.insert(place, Recorded { at, entry: Entry::Clock { utc } });
    }
    let report = evening::judge(&database, entries).await;
    assert!(report.is_equal(), "{report}");
}

#[tokio::test]
async fn a_clock_that_goes_back_stands_still() {
    let RecordedEvening { database, mut entries, .. } = short();
    let place = entries.len() / 2;
    entries[place].at = Duration::ZERO;
    entries[place + 1].at = Duration::ZERO;
    let report = evening::judge(&database, entries).await;
    assert!(report.is_equal(), "{report}");
}

#[tokio::test]
async fn what_could_be_recorded_is_judged() {
    let RecordedEvening { database, entries, .. } = short();
    // The tap could not keep up with the fifth connection, from the middle on.
    let (conn, from) = (RecordedConn(5), entries.len() / 2);
    let is_of = |entry: &Entry| match entry {
        Entry::FromClient { conn: of, .. } | Entry::FromServer { conn: of, .. } => *of == conn,
        _ => false,
    };
    let mut incomplete: Vec<Recorded> = Vec::new();
    for (place, recorded) in entries.into_iter().enumerate() {
        if place == from {
            incomplete.push(Recorded { at: recorded.at, entry: Entry::Incomplete { conn } });
        }
        if place < from || !is_of(&recorded.entry) {
            incomplete.push(recorded);
        }
    }
    let report = evening::judge(&database, incomplete).await;
    assert_eq!(report.remarks["connections whose recording is incomplete"], 1, "{report}");
    // The others are told that this player has left, which they were not; most of it is equal.
    assert!(report.unexplained() * 20 < report.recorded(), "{report}");
}
