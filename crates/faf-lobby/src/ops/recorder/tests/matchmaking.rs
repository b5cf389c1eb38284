//! The searches of a recording.

use std::time::Duration;

use faf_laboratory::{Change, TraceEvent, play};
use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::ratings::GLOBAL;
use faf_testkit::queues;

use super::super::replay::Replay;
use super::rig::{NAMES, Rig};
use super::{LARGE, SMALL};
use crate::cli::matchmaking::extract;

fn queue(id: u32, name: &str) -> QueueData {
    QueueData { leaderboard: GLOBAL.to_owned(), ..queues::queue(id, name, 1) }
}

/// Ada, Bob and Cem search in two queues for twelve minutes; matches fail, because no game starts.
fn evening(mut rig: Rig) -> Vec<Vec<u8>> {
    rig.store.data.queues = vec![queue(1, "ladder1v1"), queue(2, "other")];
    // The lobby reads its queues every ten minutes.
    rig.advance(Duration::from_secs(601));
    let conns = [1, 2, 3].map(|conn| rig.log_in(conn, NAMES[conn as usize - 1]));
    for turn in 0..12 {
        for (player, queue) in [(turn % 3, "ladder1v1"), ((turn + 1) % 3, "ladder1v1"), (turn % 3, "other")] {
            rig.send(
                conns[player],
                &format!(
                    r#"{{"command":"game_matchmaking","queue_name":"{queue}","state":"start","faction":1}}"#
                ),
            );
            rig.advance(Duration::from_millis(1700));
        }
        if turn % 4 == 3 {
            rig.send(conns[0], r#"{"command":"game_matchmaking","queue_name":"ladder1v1","state":"stop"}"#);
        }
        rig.advance(Duration::from_secs(55));
    }
    rig.finish().recordings()
}

#[test]
fn the_searches_of_a_recording_are_matched_as_they_were() {
    let recordings = evening(Rig::new(LARGE));
    let [recording] = &recordings[..] else { panic!("{} recordings", recordings.len()) };
    let trace = extract(Replay::read(&recording[..]).unwrap()).unwrap();
    let recorded = trace.recorded_matches();
    assert!(recorded.len() >= 2, "{recorded:?}");
    assert_eq!(play(&trace, &Change::default()).matches, recorded);
    let change = Change::read(["queue_pop_time_max=20"]).unwrap();
    assert_ne!(play(&trace, &change).matches, recorded);
}

#[test]
fn a_recording_may_begin_when_searches_go_on() {
    let mut found = 0;
    for recording in evening(Rig::new(SMALL)) {
        let trace = extract(Replay::read(&recording[..]).unwrap()).unwrap();
        assert_eq!(play(&trace, &Change::default()).matches, trace.recorded_matches());
        let has_past = trace
            .steps
            .iter()
            .any(|step| matches!(&step.event, TraceEvent::Search(search) if search.past.is_some()));
        found += usize::from(has_past && trace.is_recorded());
    }
    assert!(found > 0, "no file begins with a search and has a round");
}
