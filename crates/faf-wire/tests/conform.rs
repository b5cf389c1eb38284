//! `faf-wire conform`, on the server of this repository: the worked example of
//! `docs/src/guide/conformance.md`, and everything that goes wrong.
//!
//! This program is also that server, because it is started by a shell script: called with `serve`
//! or `seed`, it does what `faf-lobby` does.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it does"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use faf_testkit::golden;
use serde_json::Value;

/// The script of the guide, which starts the server for each session.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/guide/conform-faf-lobby.sh");

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|command| command == "serve" || command == "seed") {
        return faf_lobby::cli::run(arguments);
    }
    if cfg!(not(unix)) {
        println!("conform: ignored, there is no sh");
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().unwrap();
    let example = Example::new(folder.path());
    for (name, test) in [
        ("the_example_is_equal", the_example_is_equal as fn(&Example)),
        ("a_changed_session_is_found", a_changed_session_is_found),
        ("a_session_that_cannot_be_played_is_skipped", a_session_that_cannot_be_played_is_skipped),
        ("a_file_that_is_no_session_is_named", a_file_that_is_no_session_is_named),
        ("a_server_that_does_not_start_is_reported", a_server_that_does_not_start_is_reported),
        ("a_server_that_talks_nonsense_is_reported", a_server_that_talks_nonsense_is_reported),
    ] {
        println!("test {name}");
        test(&example);
    }
    ExitCode::SUCCESS
}

/// The database that the guide prepares, with the data of the sessions.
struct Example {
    folder: PathBuf,
    seeded: PathBuf,
}

impl Example {
    fn new(folder: &Path) -> Self {
        let seeded = folder.join("seeded.sqlite");
        let mut seed = Command::new(std::env::current_exe().unwrap());
        let planted = seed.arg("seed").arg(golden::seed()).arg("--database").arg(&seeded).output().unwrap();
        assert!(planted.status.success(), "{planted:?}");
        Self { folder: folder.to_owned(), seeded }
    }

    /// Runs the tool with a command that starts the server.
    fn conform(&self, start: &str, arguments: &[&str], sessions: &[&Path]) -> Output {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_faf-wire"));
        tool.args(["conform", "--start", start]).args(arguments).args(sessions);
        // So that it can be seen whether anything is left.
        let temporary = self.folder.join("temporary");
        fs::create_dir_all(&temporary).unwrap();
        tool.env("SEEDED", &self.seeded).env("FAF_LOBBY", std::env::current_exe().unwrap());
        let output = tool.env("TMPDIR", &temporary).output().unwrap();
        let left: Vec<_> = fs::read_dir(&temporary).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        output
    }

    /// Runs the tool with the script of the guide; returns its exit code and its report.
    fn report(&self, arguments: &[&str], sessions: &[&Path]) -> (Option<i32>, Value) {
        let output = self.conform(SCRIPT, &[&["--own-differences", "--json"], arguments].concat(), sessions);
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code(), report)
    }

    /// Writes a file with a session.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// Returns the file of a golden session.
fn session(part: &str) -> PathBuf {
    let files = golden::files("sessions", "jsonl").into_iter();
    let named = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().contains(part);
    files.into_iter().find(named).unwrap_or_else(|| panic!("no session {part}"))
}

fn the_example_is_equal(example: &Example) {
    let sessions = [session("login_wrong_password"), session("login_ok_qds"), session("login_banned")];
    let sessions: Vec<&Path> = sessions.iter().map(PathBuf::as_path).collect();
    let (code, report) = example.report(&[], &sessions);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((&report["equal"], &report["listed"]), (&2.into(), &1.into()), "{report}");
    // It says which records it does not see.
    let remarks = report["sessions"][0]["remarks"].to_string();
    assert!(remarks.contains("not compared: publications"), "{remarks}");
    // Without the list, the ban has an unexplained difference.
    let banned = example.conform(SCRIPT, &[], &sessions[2..]);
    let text = String::from_utf8(banned.stdout).unwrap();
    assert_eq!(banned.status.code(), Some(9), "{text}");
    assert!(text.contains("UNEXPLAINED") && text.contains("notice.expires_at is additional"), "{text}");
}

fn a_changed_session_is_found(example: &Example) {
    let text = golden::text(&session("login_wrong_password"));
    let changed = text
        .replace("Login not found", "Login was not found")
        .replace("\"command\":\"pong\"", "\"command\":\"peng\"");
    assert_ne!(text, changed);
    let (code, report) = example.report(&[], &[&example.file("changed.jsonl", &changed)]);
    assert_eq!((code, &report["unexplained"]), (Some(9), &1.into()), "{report}");
    assert!(report["sessions"][0]["unexplained"].to_string().contains("was not found"), "{report}");
}

fn a_session_that_cannot_be_played_is_skipped(example: &Example) {
    let text = r#"{"meta":{"config_overrides":{"QUEUE_POP_TIME_MAX":4}}}
{"t_ms":0,"conn":"A","event":"connect","protocol":"json"}
{"t_ms":1,"conn":"A","dir":"c2s","msg":{"command":"ping"}}
{"t_ms":1,"conn":"A","dir":"s2c","msg":{"command":"pong"}}"#;
    let file = example.file("setting.jsonl", text);
    let (code, report) = example.report(&[], &[&file]);
    // Nothing was compared, so nothing is known to be right.
    assert_eq!((code, &report["skipped"]), (Some(9), &1.into()), "{report}");
    assert!(report.to_string().contains("it needs the setting QUEUE_POP_TIME_MAX = 4"), "{report}");
    let (code, report) = example.report(&["--applies", "QUEUE_POP_TIME_MAX"], &[&file]);
    assert_eq!((code, &report["equal"]), (Some(0), &1.into()), "{report}");
}

fn a_file_that_is_no_session_is_named(example: &Example) {
    let head = r#"{"meta":{}}"#;
    for (text, reason) in [
        ("", "line 1"),
        ("{}", "line 1: missing field `meta`"),
        (&format!("{head}\nnonsense"), "line 2"),
        (&format!("{head}\n{{\"t_ms\":1}}"), "line 2: a record of an unknown kind"),
    ] {
        let output = example.conform(SCRIPT, &[], &[&example.file("wrong.jsonl", text)]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("wrong.jsonl") && errors.contains(reason), "{reason}: {errors}");
    }
}

fn a_server_that_does_not_start_is_reported(example: &Example) {
    let file = session("login_wrong_password");
    for (start, arguments, reason) in [
        ("exit 3", &[][..], "it ended before it was ready, with exit status: 3"),
        ("sleep 100", &["--start-timeout", "0.1"], "not ready within 0.1 seconds"),
        (r#"echo '{"ready":true}'; sleep 100"#, &[], "it needs a listener"),
    ] {
        let output = example.conform(start, arguments, &[&file]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(9), "{text}");
        assert!(text.contains(reason), "{reason}: {text}");
    }
}

fn a_server_that_talks_nonsense_is_reported(example: &Example) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = "nonsense\n{\"command\":\"pong\",\"deep\":[[[1e999]]]}\n[]\n";
            let _ = std::io::Write::write_all(&mut stream.unwrap(), answer.as_bytes());
        }
    });
    let file = session("login_wrong_password");
    let output = example.conform("sleep 100", &["--to", &url, "--quiet", "0.1"], &[&file]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(9), "{text}");
    assert!(text.contains("missing session") && text.contains("no message"), "{text}");
}
