//! `faf-lobby judge` as an operator runs it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use faf_protocol::Message;
use faf_sessions::recording::format::{End, FORMAT, Header};
use faf_sessions::recording::{Entry, FileWriter, Recorded};
use faf_sessions::transcript::{Record, Transcript};
use faf_testkit::golden::{self, sessions};
use serde_json::Value;
use tempfile::TempDir;

/// The settings of the recorded server.
const CONFIG: &str = "
    login_timeout = 300.0
    ladder_anti_repetition_limit = 2
    reconnect_grace_period = 0.0
    www_url = 'https://www.example.org'
    content_url = 'http://content.example.org'
";

struct Operator(TempDir);

impl Operator {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("judge.toml"), CONFIG).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, recording: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        command.current_dir(self.0.path()).args(["--config", "judge.toml", "judge"]).arg(recording);
        command.arg("--database").arg(golden::seed()).args(more);
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn judge(&self, recording: &Path, more: &[&str]) -> Output {
        self.command(recording, more).output().unwrap()
    }

    /// Writes a recording as `faf-wire tap` does.
    fn record(&self, name: &str, entries: &[Recorded]) -> PathBuf {
        let path = self.path(name);
        let mut file = begin(&path);
        entries.iter().for_each(|Recorded { at, entry }| file.add(*at, entry).unwrap());
        file.finish(End::Finished).unwrap();
        path
    }
}

fn begin(path: &Path) -> FileWriter<File> {
    let header = Header {
        faf_tap_recording: FORMAT,
        program: "test".to_owned(),
        recording: "20260701T120000Z".to_owned(),
        file: 1,
        at: 0,
        utc: 1_782_907_200_000_000,
        open: Vec::new(),
    };
    let compress = |lines: &[u8], frame: &mut Vec<u8>| {
        frame.extend(zstd::bulk::compress(lines, 1)?);
        Ok(())
    };
    FileWriter::begin(File::create(path).unwrap(), &header, Box::new(compress)).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A session with a match from the search to the ratings.
fn ladder() -> Vec<Recorded> {
    let (_, transcript) = sessions::all().into_iter().find(|(name, _)| name.contains("60_ladder")).unwrap();
    transcript.entries().0
}

/// The same, in which the title of the match is another one.
fn changed() -> Vec<Recorded> {
    let change = |mut recorded: Recorded| {
        if let Entry::FromServer { message, .. } = &mut recorded.entry
            && message.command().as_deref() == Some("game_launch")
        {
            message.set("name", "Another title").unwrap();
        }
        recorded
    };
    ladder().into_iter().map(change).collect()
}

#[test]
fn an_equal_recording_is_reported_in_three_forms() {
    let operator = Operator::new();
    let recording = operator.record("evening.jsonl.zst", &ladder());
    let output = operator.judge(&recording, &["--json", "r.json", "--html", "r.html"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(
        shown.contains("everything is equal, but for") && shown.contains("rounds of queues: "),
        "{shown}"
    );
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(operator.path("r.json")).unwrap()).unwrap();
    assert_eq!(report["connections"], 3);
    assert_eq!(report["commands"]["game_launch"]["recorded"], 2);
    assert_eq!(report["commands"]["game_launch"]["unexplained"], 0);
    assert_eq!(report["rounds"]["same"], 1);
    let page = std::fs::read_to_string(operator.path("r.html")).unwrap();
    assert!(page.contains("Nothing is unexplained") && !page.contains("<script"), "{page}");
}

#[test]
fn an_example_of_a_difference_becomes_a_session() {
    let operator = Operator::new();
    let recording = operator.record("evening.jsonl.zst", &changed());
    let output = operator.judge(&recording, &["--transcript", "1", "--output", "example.jsonl"]);
    let (shown, problem) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(6), "{shown}{problem}");
    assert!(shown.contains(r#"game_launch.name is "Harbor Vs Iris", was "Another title""#), "{shown}");
    assert!(problem.contains("differences are unexplained"), "{problem}");
    // The session has the two players of the match, and not the bystander.
    let session =
        Transcript::read(&std::fs::read_to_string(operator.path("example.jsonl")).unwrap()).unwrap();
    let connects = session.records.iter().filter(|record| matches!(record, Record::Connect(_)));
    assert_eq!(connects.count(), 2);
    let is_it =
        |record: &Record| matches!(record, Record::Receive(_, message) if message["name"] == "Another title");
    assert!(session.records.iter().any(is_it));
    assert!(session.records.iter().any(|record| matches!(record, Record::Barrier)));
    // It shows the same difference.
    let output = operator.judge(&operator.path("example.jsonl"), &[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(6), "{shown}{}", text(&output.stderr));
    assert!(shown.contains(r#"was "Another title""#), "{shown}");
}

#[test]
fn another_list_of_differences_explains_others() {
    let operator = Operator::new();
    let recording = operator.record("evening.jsonl.zst", &changed());
    let own = "[[difference]]\nreason = \"Titles.\"\nfound = ['game_launch.name is *']\n";
    let builtin = include_str!("../../../faf-sessions/src/differences/differences.toml");
    std::fs::write(operator.path("own.toml"), format!("{builtin}\n{own}")).unwrap();
    let output = operator.judge(&recording, &["--differences", "own.toml"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("because: Titles."));
    std::fs::write(operator.path("own.toml"), "[[difference]]\nfound = 'x'\n").unwrap();
    let output = operator.judge(&recording, &["--differences", "own.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("own.toml: "), "{}", text(&output.stderr));
}

#[test]
fn a_recording_that_is_cut_off_is_judged_up_to_there() {
    let operator = Operator::new();
    let recording = operator.record("evening.jsonl.zst", &ladder());
    let bytes = std::fs::read(&recording).unwrap();
    for length in [bytes.len() - 1, bytes.len() * 2 / 3, bytes.len() / 3] {
        let cut = operator.path("cut.jsonl.zst");
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let output = operator.judge(&cut, &[]);
        let shown = text(&output.stdout);
        assert!(shown.contains("is cut off after entry"), "{length}: {shown}{}", text(&output.stderr));
        assert!(shown.contains("messages of clients"), "{shown}");
    }
    std::fs::write(operator.path("other.zst"), "something else").unwrap();
    let output = operator.judge(&operator.path("other.zst"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("is not a recording of `faf-wire tap`"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_recording_is_judged_while_it_is_written() {
    let operator = Operator::new();
    let path = operator.path("tap-20260701T120000Z-0001.jsonl.zst");
    let entries = ladder();
    let (first, rest) = entries.split_at(entries.len() / 2);
    let mut file = begin(&path);
    first.iter().for_each(|Recorded { at, entry }| file.add(*at, entry).unwrap());
    file.flush().unwrap();
    let judge = operator.command(&path, &["--follow"]).spawn().unwrap();
    rest.iter().for_each(|Recorded { at, entry }| file.add(*at, entry).unwrap());
    // A minute in which nothing happens.
    let last = entries.last().unwrap().at;
    file.add(last + Duration::from_secs(60), &Entry::Clock { utc: 1_782_907_300_000_000 }).unwrap();
    file.finish(End::Finished).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("everything is equal, but for"), "{}", text(&output.stdout));
}

#[test]
fn the_database_must_be_named() {
    let operator = Operator::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
    let output = command.current_dir(operator.0.path()).args(["judge", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--database"), "{}", text(&output.stderr));
    // A file of another program is no database, and is not made one.
    std::fs::write(operator.path("other.sqlite"), "no database").unwrap();
    let recording = operator.record("evening.jsonl.zst", &ladder());
    let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
    command.current_dir(operator.0.path()).arg("judge").arg(&recording).args(["--database", "other.sqlite"]);
    assert_eq!(command.output().unwrap().status.code(), Some(4));
    assert_eq!(std::fs::read_to_string(operator.path("other.sqlite")).unwrap(), "no database");
}

/// `Message` is what both sides of a recording consist of.
#[test]
fn a_judge_reads_what_a_tap_writes() {
    let operator = Operator::new();
    let entries = ladder();
    let path = operator.record("evening.jsonl.zst", &entries);
    let read: Vec<Recorded> =
        faf_sessions::recording::Reader::open(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(read, entries);
    let _: &dyn Fn(&Message) -> &str = &Message::as_str;
}
