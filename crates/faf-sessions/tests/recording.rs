//! Recordings are written, damaged in every way, and read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use faf_protocol::{Message, WireFormat};
use faf_sessions::recording::folder::NAMES;
use faf_sessions::recording::format::{End, FORMAT, Header, OpenConn};
use faf_sessions::recording::{
    Compress, Ending, Entry, FileWriter, ReadError, Reader, Recorded, RecordedConn, Side,
};
use proptest::prelude::*;
use tempfile::TempDir;

const BEGAN: &str = "20260701T120000Z";

fn header(file: u32, open: Vec<OpenConn>) -> Header {
    Header {
        faf_tap_recording: FORMAT,
        program: "test".to_owned(),
        recording: "one".to_owned(),
        file,
        at: 0,
        utc: 0,
        open,
    }
}

fn path(folder: &Path, file: u32) -> PathBuf {
    folder.join(NAMES.name(BEGAN, file).name)
}

fn begin(folder: &Path, file: u32, open: Vec<OpenConn>) -> FileWriter<fs::File> {
    let out = fs::File::create_new(path(folder, file)).unwrap();
    FileWriter::begin(out, &header(file, open), compressor()).unwrap()
}

fn compressor() -> Box<Compress> {
    let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
    Box::new(move |lines, frame| {
        frame.extend(compressor.compress(lines)?);
        Ok(())
    })
}

fn add(file: &mut FileWriter<impl std::io::Write>, entries: &[Recorded]) {
    for recorded in entries {
        file.add(recorded.at, &recorded.entry).unwrap();
    }
}

/// Returns all entries that can be read, and how it ends.
fn read(path: &Path) -> (Vec<Recorded>, Result<Ending, ReadError>) {
    let mut reader = Reader::open(path).unwrap();
    let mut entries = Vec::new();
    for entry in &mut reader {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => return (entries, Err(error)),
        }
    }
    assert_eq!(reader.entries(), entries.len() as u64);
    (entries, Ok(reader.ending().unwrap().clone()))
}

fn recorded(micros: u64, entry: Entry) -> Recorded {
    Recorded { at: Duration::from_micros(micros), entry }
}

fn opened(micros: u64, conn: u64) -> Recorded {
    let entry = Entry::Opened { conn: RecordedConn(conn), format: WireFormat::SimpleJson, address: None };
    recorded(micros, entry)
}

fn sent(micros: u64, conn: u64, text: &str) -> Recorded {
    recorded(micros, Entry::FromClient { conn: RecordedConn(conn), message: text.parse().unwrap() })
}

fn incomplete(micros: u64, conn: u64) -> Recorded {
    recorded(micros, Entry::Incomplete { conn: RecordedConn(conn) })
}

fn closed(micros: u64, conn: u64) -> Recorded {
    recorded(micros, Entry::Closed { conn: RecordedConn(conn), by: Side::Client })
}

fn open(conn: u64, is_incomplete: bool) -> OpenConn {
    OpenConn::new(RecordedConn(conn), WireFormat::SimpleJson, None, is_incomplete)
}

/// Entries as a tap could have written them: connections begin, say things, and end.
fn entries() -> impl Strategy<Value = Vec<Recorded>> {
    let text = prop_oneof!["[ -~é😀\\n]{0,40}", "x{3000}"];
    let step = (0_u8..9, 1_u64..6, 0_u64..2_000_000, text, any::<u32>());
    proptest::collection::vec(step, 0..60).prop_map(|steps| {
        let (mut at, mut open) = (0, std::collections::BTreeMap::new());
        let mut entries = Vec::new();
        for (kind, number, pause, text, any) in steps {
            at += pause;
            let conn = RecordedConn(number);
            let message =
                Message::from_value(&std::collections::BTreeMap::from([("command", &text)])).unwrap();
            let entry = match (kind, open.get(&number)) {
                (0, _) => Entry::Clock { utc: i64::from(any) },
                (_, None) => {
                    let format = WireFormat::ALL[any as usize % 3];
                    let address = (any % 2 == 0).then(|| std::net::Ipv4Addr::from_bits(any).into());
                    open.insert(number, false);
                    Entry::Opened { conn, format, address }
                }
                (1, Some(_)) => {
                    open.remove(&number);
                    let by = if any % 2 == 0 { Side::Client } else { Side::Server };
                    Entry::Closed { conn, by }
                }
                (_, Some(true)) => continue,
                (2, Some(false)) => {
                    open.insert(number, true);
                    Entry::Incomplete { conn }
                }
                (3, _) => Entry::BytesFromClient { conn, bytes: text.into_bytes() },
                (4..6, _) => Entry::FromServer { conn, message },
                _ => Entry::FromClient { conn, message },
            };
            entries.push(recorded(at, entry));
        }
        entries
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same entries come back, however they are divided into files and frames.
    #[test]
    fn what_is_written_is_read(entries in entries(), flush in 1_usize..20, per_file in 1_usize..40) {
        let folder = TempDir::new().unwrap();
        let mut file = begin(folder.path(), 1, Vec::new());
        let mut number = 1;
        for (index, entry) in entries.iter().enumerate() {
            add(&mut file, std::slice::from_ref(entry));
            if index % flush == 0 {
                file.flush().unwrap();
            }
            if index % per_file == per_file - 1 {
                file.finish(End::Next).unwrap();
                number += 1;
                file = begin(folder.path(), number, Vec::new());
            }
        }
        file.finish(End::Finished).unwrap();
        let (found, ending) = read(folder.path());
        prop_assert_eq!(found, entries);
        prop_assert_eq!(ending.unwrap(), Ending::Finished);
    }

    /// A file that is cut off anywhere gives entries up to some point, and says that it is cut off.
    #[test]
    fn a_file_that_is_cut_off(entries in entries(), flush in 1_usize..20, cut in any::<prop::sample::Index>()) {
        let folder = TempDir::new().unwrap();
        let mut file = begin(folder.path(), 1, Vec::new());
        let mut whole = vec![(file.written(), 0)];
        for (index, entry) in entries.iter().enumerate() {
            add(&mut file, std::slice::from_ref(entry));
            if index % flush == 0 {
                file.flush().unwrap();
                whole.push((file.written(), index + 1));
            }
        }
        file.finish(End::Finished).unwrap();
        let path = path(folder.path(), 1);
        let bytes = fs::read(&path).unwrap();
        let cut = cut.index(bytes.len());
        fs::write(&path, &bytes[..cut]).unwrap();
        let (found, ending) = read(folder.path());
        prop_assert_eq!(&found, &entries[..found.len()]);
        let at_least = whole.iter().filter(|(written, _)| *written <= cut as u64).map(|(_, count)| *count).max();
        prop_assert!(found.len() >= at_least.unwrap_or(0));
        let entries = found.len() as u64;
        prop_assert_eq!(ending.unwrap(), Ending::CutOff { file: path, entries });
    }

    /// No change of a byte changes an entry, and nothing before it is lost.
    #[test]
    fn a_file_that_is_damaged(entries in entries(), at in any::<prop::sample::Index>(), change in 1_u8..) {
        let folder = TempDir::new().unwrap();
        let mut file = begin(folder.path(), 1, Vec::new());
        let mut whole = vec![(file.written(), 0)];
        for (index, entry) in entries.iter().enumerate() {
            add(&mut file, std::slice::from_ref(entry));
            file.flush().unwrap();
            whole.push((file.written(), index + 1));
        }
        file.finish(End::Finished).unwrap();
        let path = path(folder.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        fs::write(&path, &bytes).unwrap();
        let (found, ending) = read(folder.path());
        let before = whole.iter().filter(|(written, _)| *written <= at as u64).map(|(_, count)| *count).max();
        // If the length is damaged, the entries of the same frame may still be right.
        prop_assert!(found.len() >= before.unwrap_or(0));
        prop_assert_eq!(&found[..], &entries[..found.len()]);
        match ending {
            // A bit of a frame's header means nothing.
            Ok(Ending::Finished) => prop_assert_eq!(found, entries),
            // A damaged length is more than the file has.
            Ok(ending) => prop_assert!(matches!(ending, Ending::CutOff { .. }), "{ending:?}"),
            Err(ReadError::Damaged { entries, .. }) => prop_assert_eq!(entries, found.len() as u64),
            Err(other) => prop_assert!(matches!(other, ReadError::NotARecording { .. }), "{other}"),
        }
    }
}

/// Of a large frame that was cut off, the lines before the cut are returned.
#[test]
fn a_large_frame_that_is_cut_off() {
    let folder = TempDir::new().unwrap();
    let mut file = begin(folder.path(), 1, Vec::new());
    // Texts that hardly get smaller.
    let mut random = 1_u64;
    let mut entries = vec![opened(0, 1)];
    for at in 0..15 {
        let mut text = String::new();
        while text.len() < 16_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("{random:016x}"));
        }
        entries.push(sent(at, 1, &format!(r#"{{"text":"{text}"}}"#)));
    }
    add(&mut file, &entries);
    file.finish(End::Finished).unwrap();
    let path = path(folder.path(), 1);
    let bytes = fs::read(&path).unwrap();
    for (missing, least) in [(1, 16), (4, 16), (5, 8), (20_000, 8)] {
        fs::write(&path, &bytes[..bytes.len() - missing]).unwrap();
        let (found, ending) = read(&path);
        assert!(found.len() >= least && found == entries[..found.len()], "{missing}: {}", found.len());
        assert!(matches!(ending, Ok(Ending::CutOff { .. })), "{missing}");
    }
}

#[test]
fn a_newer_format_and_other_files() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    let error = |content: &[u8]| {
        fs::write(&file, content).unwrap();
        read(&file).1.unwrap_err().to_string()
    };
    let newer = error(b"{\"faf_tap_recording\":7,\"all\":\"new\"}\n");
    assert!(newer.ends_with("has version 7 of the format; this program reads version 1"), "{newer}");
    for other in
        [&b"{\"faf_lobby_recording\":2}\n"[..], b"text\n", b"\0\0\0\0", b"{\"faf_tap_recording\":0}\n"]
    {
        assert!(error(other).contains("is not a recording of `faf-wire tap`: "));
    }
    fs::write(&file, b"").unwrap();
    assert_eq!(read(&file).1.unwrap(), Ending::CutOff { file: file.clone(), entries: 0 });
    assert!(matches!(
        Reader::open(&folder.path().join("nothing")),
        Err(ReadError::Io { .. }) | Err(ReadError::Nothing(_))
    ));
    assert!(matches!(Reader::open(folder.path()), Err(ReadError::Nothing(_))));
}

/// Lines without compression are a recording, too, with members in any order.
#[test]
fn lines_that_are_not_compressed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(format!("tap-{BEGAN}-0001.jsonl"));
    let head = serde_json::to_string(&header(1, Vec::new())).unwrap();
    let line = |text: &str| {
        fs::write(&file, format!("{head}\n{text}")).unwrap();
        read(folder.path())
    };
    let opening = "{\"opened\":\"simple-json\",\"of_tomorrow\":1,\"conn\":1,\"at\":5}\n";
    let (found, ending) = line(&format!("{opening}{{\"end\":\"finished\"}}\n"));
    assert_eq!((found, ending.unwrap()), (vec![opened(5, 1)], Ending::Finished));
    let (found, ending) = line(&format!("{opening}{{\"at\":6,\"conn\":1,\"clo"));
    assert!(found.len() == 1 && matches!(ending, Ok(Ending::CutOff { entries: 1, .. })));
    for (wrong, why) in [
        ("{\"at\":6,\"conn\":2,\"closed\":\"client\"}\n", "connection 2 has not begun"),
        ("{\"at\":6,\"conn\":1,\"opened\":\"websocket\"}\n", "connection 1 begins twice"),
        ("{\"at\":6,\"conn\":1,\"client\":[]}\n", "object"),
        ("{\"at\":6,\"conn\":1,\"dances\":true}\n", "a line of an unknown kind"),
        ("{\"conn\":1,\"incomplete\":true}\n", "a line without `at`"),
        ("{\"at\":6,\"conn\":1,\"bytes\":\"?\"}\n", "`bytes`"),
        ("not JSON\n", "expected"),
        ("{\"end\":\"finished\"}\n{\"at\":6,\"utc\":1}\n", "lines after the end"),
    ] {
        let (found, ending) = line(&format!("{opening}{wrong}"));
        let error = ending.unwrap_err().to_string();
        assert!(found.len() == 1 && error.contains(why), "{error}");
        assert!(error.contains("is damaged after entry 1 of the recording"), "{error}");
    }
}

#[test]
fn a_time_that_runs_backwards_counts_as_the_one_before() {
    let folder = TempDir::new().unwrap();
    let mut file = begin(folder.path(), 1, Vec::new());
    add(&mut file, &[opened(10, 1), closed(5, 1), opened(20, 2)]);
    file.finish(End::Finished).unwrap();
    let mut reader = Reader::open(folder.path()).unwrap();
    let times: Vec<u128> = reader.by_ref().map(|entry| entry.unwrap().at.as_micros()).collect();
    assert_eq!((times, reader.clock_steps()), (vec![10, 10, 20], 1));
}

/// Connections of files that were removed are incomplete, and so are those of a gap.
#[test]
fn files_that_are_missing() {
    let folder = TempDir::new().unwrap();
    let mut first = begin(folder.path(), 1, Vec::new());
    add(&mut first, &[opened(1, 1), opened(2, 2), opened(3, 3)]);
    first.finish(End::Next).unwrap();
    let mut third = begin(folder.path(), 3, vec![open(2, false), open(3, true), open(4, false)]);
    add(&mut third, &[sent(6, 2, "{}"), opened(7, 5), sent(8, 5, "{}"), closed(9, 2)]);
    third.finish(End::Finished).unwrap();

    let (found, ending) = read(folder.path());
    let gap =
        [incomplete(3, 1), closed(3, 1), incomplete(3, 2), incomplete(3, 3), opened(3, 4), incomplete(3, 4)];
    let before = [opened(1, 1), opened(2, 2), opened(3, 3)];
    let after = [opened(7, 5), sent(8, 5, "{}"), closed(9, 2)];
    assert_eq!(found, [&before[..], &gap, &after].concat());
    assert_eq!(ending.unwrap(), Ending::Finished);

    fs::remove_file(path(folder.path(), 1)).unwrap();
    let mut reader = Reader::open(folder.path()).unwrap();
    let found: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    let gap = [2, 3, 4].map(|conn| [opened(0, conn), incomplete(0, conn)]).concat();
    assert_eq!((found, reader.gaps()), ([&gap[..], &after].concat(), 1));
    // One file of several can be read as well.
    assert_eq!(read(&path(folder.path(), 3)).0.len(), 9);
}

/// The next file was begun after the disk had been full.
#[test]
fn a_file_in_the_middle_that_is_cut_off() {
    let folder = TempDir::new().unwrap();
    let mut first = begin(folder.path(), 1, Vec::new());
    add(&mut first, &[opened(1, 1), opened(2, 2)]);
    first.flush().unwrap();
    add(&mut first, &[sent(2, 1, "{}")]);
    drop(first);
    let mut second = begin(folder.path(), 2, vec![open(1, true), open(2, true)]);
    add(&mut second, &[closed(9, 1)]);
    second.finish(End::Finished).unwrap();
    let (found, ending) = read(folder.path());
    assert_eq!(found, [opened(1, 1), opened(2, 2), incomplete(2, 1), incomplete(2, 2), closed(9, 1)]);
    assert_eq!(ending.unwrap(), Ending::Finished);
}

#[test]
fn several_recordings_in_a_folder() {
    let folder = TempDir::new().unwrap();
    begin(folder.path(), 1, Vec::new()).finish(End::Finished).unwrap();
    fs::copy(path(folder.path(), 1), folder.path().join("tap-20270701T120000Z-0001.jsonl.zst")).unwrap();
    fs::write(folder.path().join("notes.txt"), "other files do not disturb").unwrap();
    let error = Reader::open(folder.path()).unwrap_err().to_string();
    let named = folder.path().join(format!("tap-{BEGAN}"));
    assert!(error.contains(&named.display().to_string()), "{error}");
    assert_eq!(read(&named).1.unwrap(), Ending::Finished);
}

/// A reader that follows sees everything once, in two files, and knows the end.
#[test]
fn a_recording_that_is_followed() {
    let folder = TempDir::new().unwrap();
    let mut first = begin(folder.path(), 1, Vec::new());
    let mut reader = Reader::follow(folder.path()).unwrap();
    assert!(reader.next().is_none() && reader.ending().is_none());
    add(&mut first, &[opened(1, 1)]);
    assert!(reader.next().is_none());
    first.flush().unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), opened(1, 1));
    assert!(reader.next().is_none());
    add(&mut first, &[opened(2, 2)]);
    first.finish(End::Next).unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), opened(2, 2));
    assert!(reader.next().is_none() && reader.ending().is_none());

    // A file whose beginning is not written yet.
    let whole = TempDir::new().unwrap();
    let mut second = begin(whole.path(), 2, vec![open(1, false), open(2, false)]);
    add(&mut second, &[closed(3, 1)]);
    second.finish(End::Finished).unwrap();
    let bytes = fs::read(path(whole.path(), 2)).unwrap();
    for length in 0..bytes.len() {
        fs::write(path(folder.path(), 2), &bytes[..length]).unwrap();
        // Bytes that were read must not change, so each length has a reader of its own.
        let mut fresh = Reader::follow(folder.path()).unwrap();
        let count = fresh.by_ref().map(Result::unwrap).count();
        assert!((2..=3).contains(&count) && fresh.ending().is_none(), "{length}");
        fs::write(path(folder.path(), 2), &bytes).unwrap();
        assert_eq!(count + fresh.by_ref().map(Result::unwrap).count(), 3, "{length}");
        assert_eq!(fresh.ending(), Some(&Ending::Finished));
    }
    assert_eq!(reader.next().unwrap().unwrap(), closed(3, 1));
    assert!(reader.next().is_none());
    assert_eq!((reader.ending(), reader.gaps()), (Some(&Ending::Finished), 0));

    let mut stopped = Reader::follow(folder.path()).unwrap();
    fs::remove_file(path(folder.path(), 2)).unwrap();
    assert_eq!(stopped.by_ref().count(), 2);
    stopped.stop_following();
    assert!(stopped.next().is_none() && matches!(stopped.ending(), Some(Ending::CutOff { .. })));
}

/// A frame may announce any size. Nothing is allocated for it.
#[test]
fn a_frame_that_announces_too_much() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    let head = format!("{}\n", serde_json::to_string(&header(1, Vec::new())).unwrap());
    // A window of many gigabytes; a block of more than 128 KiB.
    let window = b"\x28\xB5\x2F\xFD\x00\xF0\x01\x00\x00".as_slice();
    let block = b"\x28\xB5\x2F\xFD\x00\x58\xF5\xFF\xFF".as_slice();
    for frame in [window, block] {
        fs::write(&file, [zstd_frame(&head), frame.to_vec()].concat()).unwrap();
        let error = read(&file).1.unwrap_err();
        assert!(matches!(error, ReadError::Damaged { entries: 0, .. }), "{error}");
    }
}

fn zstd_frame(text: &str) -> Vec<u8> {
    zstd::bulk::compress(text.as_bytes(), 1).unwrap()
}
