//! Disks that fail: the lobby continues, and so does the recording as soon as it can.

use std::sync::atomic::Ordering;

use super::super::{Bounds, Recorder};
use super::rig::{Rig, replay};
use super::{LARGE, check_no_secrets, host_and_join};
use crate::ops::recorder::replay::{Ending, Replay, ReplayError};

fn ending(recording: &[u8]) -> String {
    match replay(recording).2 {
        Ending::Marked(reason) => reason,
        other => format!("{other:?}"),
    }
}

#[test]
fn a_full_disk() {
    let mut rig = Rig::new(LARGE);
    let ada = rig.log_in(1, "Ada");
    rig.ping_until(ada, "something is written", |disk| disk.recordings().iter().any(|file| !file.is_empty()));
    let interruptions = rig.recorder.interruptions();
    assert_eq!(interruptions.load(Ordering::Relaxed), 0);
    rig.disk.set(|disk| disk.is_full = true);
    // The writer tries again and again, and leaves no file of a failed attempt.
    rig.ping_until(ada, "several failures", |disk| disk.state().failures > 10);
    assert!(interruptions.load(Ordering::Relaxed) > 5, "{interruptions:?}");
    assert!(rig.disk.names().len() <= 2, "{:?}", rig.disk.names());
    rig.disk.set(|disk| disk.is_full = false);
    // After the first file, which was cut, there is one that is complete so far.
    let goes_on = |disk: &super::rig::Disk| {
        disk.recordings().iter().skip(1).any(|recording| recording.ends_with(b"\n"))
    };
    rig.ping_until(ada, "it goes on", goes_on);
    rig.send(ada, r#"{"command":"nonsense"}"#);
    let inputs = rig.effects.last().unwrap().0;
    let recordings = rig.finish().recordings();
    assert!(recordings.len() >= 2, "{}", recordings.len());
    let first = replay(&recordings[0]);
    assert!(matches!(first.2, Ending::Cut(_) | Ending::Unmarked), "{:?}", first.2);
    let last = replay(recordings.last().unwrap());
    assert!(last.0.header().first > first.1 + 1, "nothing is missing");
    assert_eq!((last.1, last.2), (inputs, Ending::Marked("the server has ended".to_owned())));
    recordings.iter().for_each(|recording| check_no_secrets(recording));
}

#[test]
fn a_folder_that_cannot_be_written() {
    let mut rig = Rig::new(LARGE);
    rig.disk.set(|disk| disk.is_read_only = true);
    let conns = host_and_join(&mut rig);
    rig.disk.set(|disk| disk.is_read_only = false);
    rig.ping_until(conns.0, "it begins", |disk| disk.recordings().iter().any(|file| !file.is_empty()));
    for recording in rig.finish().recordings() {
        replay(&recording);
    }
}

#[test]
fn a_folder_that_is_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let recorder = Recorder::start(file.path(), Bounds { size: 1_000_000, files: 2 });
    let mut rig = Rig::new(LARGE);
    rig.recorder = recorder;
    host_and_join(&mut rig);
    rig.finish();
}

#[test]
fn files_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/for/it");
    let mut rig = Rig::new(LARGE);
    rig.recorder = Recorder::start(&path, Bounds { size: 1_000_000, files: 2 });
    host_and_join(&mut rig);
    rig.finish();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    assert_eq!(mode(file), 0o600);
    replay(&std::fs::read(file).unwrap());
    assert!(matches!(Replay::open(&path), Err(ReplayError::Read(_))));
}

#[test]
fn a_disk_that_is_too_slow() {
    const LIMIT: usize = 100_000;

    let mut rig = Rig::with_queue(LARGE, LIMIT);
    let ada = rig.log_in(1, "Ada");
    rig.ping_until(ada, "it begins", |disk| disk.recordings().iter().any(|file| !file.is_empty()));
    rig.disk.set(|disk| disk.hangs = true);
    let long = format!(r#"{{"command":"IceMsg","target":"game","args":[2,"{}"]}}"#, "x".repeat(20_000));
    for _ in 0..100 {
        rig.send(ada, &long);
    }
    // Once it is blocked for good; perhaps once before, after which it has caught up.
    let interruptions = rig.recorder.interruptions().load(Ordering::Relaxed);
    assert!((1..=2).contains(&interruptions), "{interruptions}");
    rig.disk.set(|disk| disk.hangs = false);
    // At the first of these the thread catches up, and with the next it continues.
    rig.is_in_step = true;
    rig.send(ada, r#"{"command":"ping"}"#);
    rig.send(ada, r#"{"command":"ping"}"#);
    rig.send(ada, r#"{"command":"nonsense"}"#);
    let inputs = rig.effects.last().unwrap().0;
    let recordings = rig.finish().recordings();
    let [cut, .., rest] = &recordings[..] else { panic!("{}", recordings.len()) };
    assert!(cut.len() < 2 * LIMIT, "{}", cut.len());
    let (_, last, _) = replay(cut);
    let expected = format!("event {} and those after it are missing: the disk is too slow", last + 1);
    assert_eq!(ending(cut), expected);
    let (replayed, end, _) = replay(rest);
    assert!(replayed.header().first > last + 1);
    assert_eq!(end, inputs);
}
