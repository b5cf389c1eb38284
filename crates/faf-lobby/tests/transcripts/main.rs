//! Replays recorded sessions of the original server against this one, over real sockets, and
//! compares the messages to every client, the stored rows, and the publications to other services.
//!
//! The sessions are in `golden/sessions` of the repository, or of the folder that `FAF_GOLDEN`
//! names, and are compared by the rules of the README there. `differences.toml` of [`faf_sessions`]
//! lists the kinds of deliberate differences. The test fails for any other difference, and for a
//! listed kind that no longer occurs in the repository's own sessions. `unrecorded.toml` lists the
//! differences that no session shows. `FAF_SESSION=34` replays only the sessions that have `34` in
//! their names.
//!
//! * [`replay`] goes through the records; [`faf_sessions`] has the rules of comparison, and the
//!   list of deliberate differences.
//! * [`database`] and [`broker`] show what was stored and published.
//! * [`client`], [`server`], [`http`] and [`policy`] are the players, the server, a browser and the
//!   policy service.
//!
//! Nothing here waits for a fixed time. A client has received everything when its ping has been
//! answered, the server has reported that it has settled, and another ping has been answered;
//! before a comparison, it also waits for the answer to a request, which nothing overtakes. The
//! exceptions are the server's pings and the end of connections that do not log in, which are
//! waited for.
//!
//! Publications are compared as subscribers within the process receive them; [`real_broker`]
//! replays one session with a broker. Not compared are the bytes of messages to clients, which have
//! vectors of their own in `golden/wire`; the number and the time of broadcasts, and the order of
//! those about players and those about games, which a law of the simulated lobby checks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod client;
mod database;
mod http;
mod policy;
mod real_broker;
mod replay;
mod server;
mod unrecorded;

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;

use faf_sessions::compare::Finding;
use faf_sessions::differences::{self, History, Used};
use faf_sessions::transcript::{Record, Sent, Transcript};
use faf_testkit::golden;
use faf_testkit::golden::sessions;

use replay::Over;

/// Number of sessions replayed at the same time, per processor: they wait for each other most of
/// the time.
const AT_ONCE: usize = 2;

#[test]
fn sessions_match_their_recordings() {
    let used = replay_all(Over::Recorded, |_| true);
    if golden::is_own() && wanted().is_none() {
        let unused = differences::OWN.unused(&used);
        assert!(unused.is_empty(), "differences.toml has lines that explain nothing:\n{}", unused.join("\n"));
    }
}

/// Replays the sessions in which no bytes of clients were recorded.
#[test]
fn sessions_match_over_websocket() {
    let is_free_of_bytes = |transcript: &Transcript| {
        transcript.records.iter().all(|record| match record {
            Record::Send(_, sent) => matches!(sent, Sent::Message(_)),
            Record::Connect(connect) => !connect.proxy,
            _ => true,
        })
    };
    replay_all(Over::WebSocket, is_free_of_bytes);
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
    let mut sessions: Vec<(String, Transcript)> = sessions::all()
        .into_iter()
        .filter(|(name, transcript)| is_wanted(name) && is_suitable(transcript))
        .collect();
    // Those that wait for time limits take longest, so they begin first.
    sessions.sort_by_key(|(_, transcript)| Reverse(transcript.longest_pause));
    let (queue, used, report) =
        (Mutex::new(sessions.iter()), Mutex::new(Used::new()), Mutex::new(String::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from) * AT_ONCE;
    let work = || {
        while let Some((name, transcript)) = { queue.lock().unwrap().next() } {
            let failure = match replay_one(transcript, over) {
                Ok(findings) => {
                    let history = History::of(transcript);
                    let left = differences::OWN.unexplained(&history, &findings, &mut used.lock().unwrap());
                    left.iter().fold(String::new(), |text, finding| format!("{text}\n  {finding}"))
                }
                Err(panic) => format!("\n  {panic}"),
            };
            if !failure.is_empty() {
                writeln!(report.lock().unwrap(), "{name} has unexplained differences:{failure}").unwrap();
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let report = report.into_inner().unwrap();
    assert!(report.is_empty(), "{report}");
    used.into_inner().unwrap()
}

/// Replays a session in a separate thread; returns its findings, or the text of its panic.
fn replay_one(transcript: &Transcript, over: Over) -> Result<Vec<Finding>, String> {
    let replayed = thread::scope(|scope| {
        let replay = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(replay::replay(transcript, over))
        };
        scope.spawn(replay).join()
    });
    replayed.map_err(|panic| match panic.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => panic.downcast_ref::<&str>().copied().unwrap_or("the replay has failed").to_owned(),
    })
}

/// Part of the names of the sessions to replay.
fn wanted() -> Option<String> {
    std::env::var("FAF_SESSION").ok()
}
