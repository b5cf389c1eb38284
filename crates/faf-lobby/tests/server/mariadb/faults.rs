//! A database that is killed, frozen, restarted, slow, or away at the start: players are served
//! meanwhile, live games go on, and what was reported is stored as soon as that is possible.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use faf_testkit::services::mariadb::{MariaServer, PASSWORD};
use faf_testkit::services::proxy::Proxy;
use faf_testkit::serving::Serving;
use tempfile::NamedTempFile;
use tokio::sync::watch;

use super::parts::Parts;

use crate::pairs::{Pair, Player, check_results, name};
use crate::support::{get, soon};

/// The log says this once all connections that have failed are used again.
const OVER: &str = "the database can be used again";

/// Longest time to wait for that between two faults.
const PATIENCE: Duration = Duration::from_secs(15);

/// A fault of the database while a game ends.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed,
    Frozen,
    ShutDown,
}

impl Fault {
    fn begin(self, maria: &MariaServer) {
        match self {
            Self::Killed => maria.kill(),
            Self::Frozen => maria.freeze(),
            Self::ShutDown => maria.shut_down(),
        }
    }

    fn end(self, maria: &MariaServer) {
        match self {
            Self::Frozen => maria.thaw(),
            Self::Killed | Self::ShutDown => maria.restart(),
        }
    }
}

/// A server with a short time limit for the database, and its log.
struct Watched {
    server: Serving,
    http: SocketAddr,
    log: NamedTempFile,
}

impl Watched {
    fn start(parts: &Parts) -> Self {
        Self::start_with_log(parts, NamedTempFile::new().unwrap())
    }

    fn start_with_log(parts: &Parts, log: NamedTempFile) -> Self {
        let mut command = parts.command();
        command.args(["--http", "127.0.0.1:0", "--log", "trace", "--database-timeout", "1"]);
        command.args(["--database-connections", "2"]);
        let server = Serving::start(command.stderr(File::create(log.path()).unwrap()));
        let http = server.address("http://").parse().unwrap();
        Self { server, http, log }
    }

    async fn log_in(&self, player: u32) -> Player {
        Player::log_in(&self.server.address("tcp://"), &name(player)).await.unwrap()
    }

    /// Waits until `/health` has this status.
    async fn wait_for_health(&self, status: u16) {
        let health = async { while get(self.http, "/health").await.0 != status {} };
        soon("health", health).await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Ends the server; returns its log. Nothing of it shows the password of the database.
    async fn end(self) -> String {
        let metrics = get(self.http, "/metrics").await.1;
        for _ in 0..2 {
            self.server.signal("-TERM");
        }
        let Self { server, log, .. } = self;
        assert_eq!(server.wait().1, Some(0));
        let log = std::fs::read_to_string(log.path()).unwrap();
        assert!(log.contains(" DEBUG ") && !log.contains(PASSWORD) && !metrics.contains(PASSWORD));
        log
    }
}

fn pairs<const COUNT: usize>() -> [Pair; COUNT] {
    let acknowledged = Arc::new(watch::Sender::new(0));
    std::array::from_fn(|number| Pair::new(number as u32, Arc::clone(&acknowledged)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "needs mariadbd; .ci/run runs it"]
async fn games_end_and_go_on_while_the_database_is_away() {
    let maria = Arc::new(MariaServer::start(&[]));
    let parts = Parts::new(&maria, 2).await;
    let server = Watched::start(&parts);
    let [mut ends, mut lives] = pairs();
    let (mut host, mut guest) = (server.log_in(1).await, server.log_in(2).await);
    let (mut other_host, mut other_guest) = (server.log_in(3).await, server.log_in(4).await);
    lives.begin(&mut other_host, &mut other_guest).await.unwrap();
    for (faults, fault) in (1..).zip([Fault::Killed, Fault::Frozen, Fault::ShutDown]) {
        ends.begin(&mut host, &mut guest).await.unwrap();
        fault.begin(&maria);
        let meanwhile = async {
            server.wait_for_health(503).await;
            assert_eq!(get(server.http, "/ready").await.0, 200);
            for _ in 0..20 {
                other_host.send(r#"{"command":"ping"}"#).await.unwrap();
                other_host.receive("pong").await.unwrap();
                other_host.play(("IceMsg", r#"4,"candidate""#)).await.unwrap();
                other_guest.receive("IceMsg").await.unwrap();
            }
            fault.end(&maria);
        };
        let (ended, ()) = tokio::join!(ends.finish([&mut host, &mut guest]), meanwhile);
        ended.unwrap();
        server.wait_for_health(200).await;
        // It is over when every connection has been used again, which may take longer than the next
        // fault takes to come.
        let is_over = async {
            while server.log().matches(OVER).count() < faults {
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, is_over).await;
    }
    lives.finish([&mut other_host, &mut other_guest]).await.unwrap();
    drop((host, guest, other_host, other_guest));
    let log = server.end().await;
    check_results(&parts.store().facts().await.unwrap(), &[ends, lives]);
    // Operators are told at most once a fault that something is wrong, and once that it is over.
    for words in [
        "the database cannot be used; the server goes on",
        OVER,
        "a write about a game is not stored yet",
        "writes about games are stored again",
        "the database works again",
    ] {
        assert!((1..=3).contains(&log.matches(words).count()), "{words}\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "needs mariadbd; .ci/run runs it"]
async fn database_that_is_away_at_the_start_is_waited_for() {
    let maria = Arc::new(MariaServer::start(&[]));
    let parts = Parts::new(&maria, 1).await;
    maria.kill();
    let log = NamedTempFile::new().unwrap();
    let path = log.path().to_owned();
    let starting = tokio::task::spawn_blocking(move || Watched::start_with_log(&parts, log));
    let waits = async {
        while !std::fs::read_to_string(&path).unwrap().contains("waiting for the database") {
            tokio::task::yield_now().await;
        }
    };
    soon("the server waits", waits).await;
    maria.restart();
    let server = soon("the server starts", starting).await.unwrap();
    server.log_in(1).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "needs mariadbd; .ci/run runs it"]
async fn slow_database_delays_only_what_needs_it() {
    let maria = MariaServer::shared();
    let proxy = Proxy::start(maria.port());
    let mut parts = Parts::new(&maria, 2).await;
    parts.port = proxy.port();
    let server = Watched::start(&parts);
    let [mut pair] = pairs();
    let (mut host, mut guest) = (server.log_in(1).await, server.log_in(2).await);
    let mut other = server.log_in(3).await;
    pair.begin(&mut host, &mut guest).await.unwrap();
    // Nearly half of the time limit, as five seconds are of FAF's ten.
    proxy.delay(Duration::from_millis(400));
    let mut pongs = 0;
    let pings = async {
        loop {
            other.send(r#"{"command":"ping"}"#).await.unwrap();
            other.receive("pong").await.unwrap();
            pongs += 1;
        }
    };
    tokio::select! {
        (ended, _) = async { tokio::join!(pair.finish([&mut host, &mut guest]), server.log_in(4)) } => ended.unwrap(),
        () = pings => {}
    }
    assert!(pongs > 100, "{pongs}");
    proxy.delay(Duration::ZERO);
    let log = server.end().await;
    assert!(!log.contains("the database cannot be used"), "{log}");
    check_results(&parts.store().facts().await.unwrap(), &[pair]);
}
