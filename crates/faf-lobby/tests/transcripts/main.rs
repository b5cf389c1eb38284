//! Replays recorded sessions of the original server against this one, over real sockets, and
//! compares the messages to every client, the stored rows, and the publications to other services.
//!
//! This is the conformance kit, [`faf_conformance`], run on our server, which offers it everything
//! that it can compare. [`faf_sessions`] has the rules of comparison, and the list of deliberate
//! differences. The test fails for any other difference, and for a listed kind that no longer
//! occurs in the repository's own sessions. `unrecorded.toml` lists the differences that no
//! session shows.
//!
//! The sessions are in `golden/sessions` of the repository, or of the folder that `FAF_GOLDEN`
//! names, or in the folder that `FAF_SESSIONS` names; a relative path starts at the root of the
//! repository. `FAF_SESSION=34` replays only the sessions that have `34` in their names.
//!
//! * [`server`] is the server, and [`policy`] the policy service.
//! * [`database`] shows what was stored.
//! * [`real_broker`] replays one session with a broker.
//!
//! Nothing here waits for a fixed time: the server says when it has settled. Not compared are the
//! bytes of messages to clients, which have vectors of their own in `golden/wire`; the number and
//! the time of broadcasts, and the order of those about players and those about games, which a law
//! of the simulated lobby checks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod database;
mod policy;
mod real_broker;
mod server;
mod unrecorded;

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use faf_conformance::report::{Report, SessionReport, Verdict};
use faf_conformance::sessions::{self, Session};
use faf_conformance::{Options, Replayed, needs, replay};
use faf_lobby::config::Settings;
use faf_protocol::WireFormat;
use faf_sessions::differences::{self, Used};
use faf_sessions::transcript::Transcript;
use faf_testkit::golden;

use server::TestServer;

/// Number of sessions replayed at the same time, per processor: they wait for each other most of
/// the time.
const AT_ONCE: usize = 2;

/// Environment variable that names the folder with the sessions.
const FOLDER: &str = "FAF_SESSIONS";

/// The wire format of the clients, and the database of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The format of the recording.
    Recorded,
    /// WebSocket, whatever the recording has.
    WebSocket,
    /// The format of the recording, with a database server instead of a file.
    RecordedOnMariaDb,
}

#[test]
fn sessions_match_their_recordings() {
    let used = replay_all(Over::Recorded, |_| true);
    if golden::is_own() && folder().is_none() && wanted().is_none() {
        let unused = differences::OWN.unused(&used);
        assert!(unused.is_empty(), "differences.toml has lines that explain nothing:\n{}", unused.join("\n"));
    }
}

/// Replays the sessions in which no bytes of clients were recorded.
#[test]
fn sessions_match_over_websocket() {
    replay_all(Over::WebSocket, needs::suits_any_format);
}

/// Replays the sessions with FAF's MariaDB as the database, rows included.
#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn sessions_match_on_mariadb() {
    replay_all(Over::RecordedOnMariaDb, |_| true);
}

/// Replays sessions, and returns the lines of `differences.toml` that have explained a finding.
fn replay_all(over: Over, is_suitable: impl Fn(&Transcript) -> bool) -> Used {
    let wanted = wanted();
    let is_wanted = |name: &String| wanted.as_ref().is_none_or(|wanted| name.contains(wanted));
    let mut sessions = all();
    sessions.retain(|session| is_wanted(&session.name) && is_suitable(&session.transcript));
    // Those that wait for time limits take longest, so they begin first.
    sessions.sort_by_key(|session| Reverse(session.transcript.longest_pause));
    let (queue, used, report) =
        (Mutex::new(sessions.iter()), Mutex::new(Used::new()), Mutex::new(Report::default()));
    let threads = thread::available_parallelism().map_or(1, usize::from) * AT_ONCE;
    let work = || {
        while let Some(Session { name, transcript }) = { queue.lock().unwrap().next() } {
            let played = match replay_one(transcript, over) {
                Ok(replayed) => {
                    let used = &mut used.lock().unwrap();
                    SessionReport::played(name, transcript, replayed, &differences::OWN, used)
                }
                Err(panic) => SessionReport::failed(name, panic),
            };
            report.lock().unwrap().0.push(played);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let Report(mut sessions) = report.into_inner().unwrap();
    sessions.retain(|session| session.verdict == Verdict::Unexplained);
    let unexplained: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    used.into_inner().unwrap()
}

/// Replays a session in a separate thread; returns the text of its panic, if the server panics.
fn replay_one(transcript: &Transcript, over: Over) -> Result<Replayed, String> {
    let replayed = thread::scope(|scope| {
        let replay = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(replay_with(transcript, over, |_| {}))
        };
        scope.spawn(replay).join()
    });
    replayed.map_err(|panic| match panic.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => panic.downcast_ref::<&str>().copied().unwrap_or("the replay has failed").to_owned(),
    })
}

/// Replays a session on a server with other settings.
async fn replay_with(transcript: &Transcript, over: Over, change: impl FnOnce(&mut Settings)) -> Replayed {
    let mut server = match over {
        Over::Recorded | Over::WebSocket => TestServer::start(transcript, change).await,
        Over::RecordedOnMariaDb => TestServer::start_on_mariadb(transcript).await,
    };
    let format = (over == Over::WebSocket).then_some(WireFormat::WebSocket);
    let replayed = replay(transcript, &mut server, &Options { format, ..Options::default() }).await;
    server.stop().await;
    replayed
}

/// Returns all sessions.
fn all() -> Vec<Session> {
    match folder() {
        Some(folder) => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            // Joining an absolute path drops the root.
            sessions::read(&root.join(folder)).unwrap_or_else(|error| panic!("{FOLDER}: {error}"))
        }
        None => {
            let golden = golden::sessions::all().into_iter();
            golden.map(|(name, transcript)| Session { name, transcript }).collect()
        }
    }
}

/// The folder with the sessions to replay, if it is not that of the golden data.
fn folder() -> Option<std::ffi::OsString> {
    std::env::var_os(FOLDER)
}

/// Part of the names of the sessions to replay.
fn wanted() -> Option<String> {
    std::env::var("FAF_SESSION").ok()
}
