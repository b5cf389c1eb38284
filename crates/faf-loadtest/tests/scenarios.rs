//! Every scenario at small scale, against a server in this process, over real sockets.
//!
//! Durations are not checked: every measurement ends after a number of messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use faf_lobby::config::{Listen, Settings};
use faf_lobby::server::{Server, Service};
use faf_lobby::store::{Role, SeedFile, Store};
use faf_protocol::WireFormat;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Number of accounts.
const ACCOUNTS: u32 = 120;

/// Queues and their map.
const QUEUES: &str = include_str!("../src/server/queues.json");

/// A server that runs as long as the runtime.
struct TestServer {
    server: Server,
    _runtime: Runtime,
    folder: TempDir,
}

impl TestServer {
    fn start() -> Self {
        Self::start_with(|_| {})
    }

    fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("keys.json"), faf_testkit::token::JWKS).unwrap();
        let free = || Listen::one("127.0.0.1:0").unwrap();
        let mut settings = Settings {
            qdatastream: free(),
            simple_json: free(),
            websocket: free(),
            http: free(),
            database: file("test.sqlite").into(),
            jwks: file("keys.json").to_str().unwrap().to_owned(),
            report_interval: 0.02,
            ..Settings::default()
        };
        change(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let user = |id| json!({"id": id, "login": format!("player{id}"), "token_only": true});
        let mut data: Value = serde_json::from_str(QUEUES).unwrap();
        data["users"] = (1..=ACCOUNTS).map(user).collect();
        let seed = SeedFile::parse(&data.to_string()).unwrap();
        // A server reads its queues when it starts.
        runtime.block_on(Store::open(&settings.database()).unwrap().seed(seed)).unwrap();
        let server = runtime.block_on(Server::start(settings)).unwrap();
        let administrator = server.store().set_role("player1", Role::Administrator);
        runtime.block_on(administrator).unwrap();
        Self { server, _runtime: runtime, folder }
    }

    /// Runs a scenario against this server.
    fn load(&self, scenario: &str) -> Results {
        let mut arguments: Vec<_> = scenario.split(' ').map(str::to_owned).collect();
        arguments.extend(self.urls());
        arguments.push("--silence=0.1".to_owned());
        Results::of(&run(&arguments))
    }

    /// Returns a flag for the URL of each wire format.
    fn urls(&self) -> impl Iterator<Item = String> {
        WireFormat::ALL.into_iter().map(|format| {
            let is_it = |service: Service| service == Service::Lobby(format);
            let listening = self.server.listening().iter().find(|listening| is_it(listening.service));
            format!("--url={}://{}", format.scheme(), listening.unwrap().address)
        })
    }
}

fn run(arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faf-loadtest"));
    command.args(arguments).arg("--json=-").output().unwrap()
}

/// Results of a scenario.
struct Results(Value);

impl Results {
    fn of(output: &Output) -> Self {
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn number(&self, key: &str) -> f64 {
        self.0["results"][key]["value"].as_f64().unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }

    fn is_known(&self, key: &str) -> bool {
        !self.0["results"][key]["value"].is_null()
    }
}

#[test]
fn idle() {
    let server = TestServer::start();
    let pid = std::process::id();
    let results = server.load(&format!("idle --clients 30 --seconds 0 --pid {pid}"));
    assert_eq!(results.number("connections"), 29.0);
    assert!(results.is_known("user_memory") && results.is_known("kernel_slab"));
    let results = server.load("idle --clients 6 --seconds 0 --threads 2");
    assert!(!results.is_known("user_memory"));
}

#[test]
fn login() {
    let results = TestServer::start().load("login --online 20 --at-once 4 --logins 40");
    assert!(results.number("logins") >= 40.0);
    assert!(results.is_known("welcome_p99") && results.is_known("lists_p99"));
    assert_eq!(results.number("lost"), 0.0);
}

#[test]
fn broadcast() {
    let server = TestServer::start();
    for format in ["tcp", "qdatastream", "ws", "mix"] {
        let scenario = format!(
            "broadcast --clients 30 --rate 100 --deliveries 300 --ping-interval 0.01 --format {format}"
        );
        let results = server.load(&scenario);
        assert!(results.number("deliveries") >= 300.0);
        assert!(results.is_known("delivery_p99") && results.is_known("pong_p99"), "{format}");
        let size = if format == "qdatastream" { 2000.0 } else { 1000.0 };
        if format != "mix" {
            assert!((results.number("message_size") - size).abs() < 100.0, "{format}");
        }
        assert_eq!(results.number("lost"), 0.0);
    }
}

#[test]
fn broadcast_of_games() {
    let server = TestServer::start();
    for format in ["tcp", "qdatastream", "ws"] {
        let scenario =
            format!("broadcast --clients 30 --joined 8 --ping-clients 2 --deliveries 2000 --format {format}");
        let results = server.load(&scenario);
        assert!(results.number("deliveries") >= 2000.0);
        assert!(results.is_known("delivery_p50"));
        assert_eq!(results.number("lost"), 0.0);
    }
}

#[test]
fn storm() {
    let server = TestServer::start();
    for scenario in ["storm --clients 40 --calm 0", "storm --clients 40 --calm 0 --cold --ping-clients 2"] {
        let results = server.load(scenario);
        assert!(results.number("first") <= results.number("half"));
        assert!(results.number("half") <= results.number("last"));
        assert_eq!(results.number("lost"), 0.0);
    }
}

#[test]
fn slow() {
    let server = TestServer::start_with(|settings| settings.stall_timeout = 0.5);
    let load = "--clients 6 --stalled 33% --rate 50 --size 10000 --deliveries 600 --format tcp";
    let results = server.load(&format!("slow {load}"));
    assert_eq!(results.number("stalled"), 2.0);
    assert_eq!(results.number("lost"), 0.0);
    assert!(results.is_known("read_delivery_p99") && results.is_known("stalled_delivery_p99"));
    assert_eq!(results.number("disconnected"), 2.0, "what waits for a client is bounded");
    let results = server.load(&format!("slow {load} --trickle"));
    assert_eq!((results.number("lost"), results.number("disconnected")), (0.0, 2.0));
}

#[test]
fn flood() {
    let server = TestServer::start();
    let results =
        server.load("flood --clients 6 --honest 10 --ping-interval 0.02 --pongs 100 --attempts 200");
    assert_eq!(results.number("honest_lost"), 0.0);
    assert_eq!(results.number("honest_online"), 10.0);
    let kinds = ["slowloris", "half-open", "garbage", "huge", "pipeline"];
    let shares = ["relay", "big-reports", "unfinished", "unauthenticated", "reconnects"];
    for kind in kinds.into_iter().chain(shares) {
        assert!(results.number(&format!("{kind}_connected")) > 0.0, "{kind}");
        assert!(results.is_known(&format!("{kind}_pong_p99")), "{kind}");
    }
    assert!(results.number("connects_connected") > 0.0);
    assert!(results.number("relay_sent") > 0.0 && results.number("big-reports_sent") > 0.0);
    assert!(results.number("unauthenticated_logins") > 0.0);
    assert!(results.number("connects_attempts") >= 200.0);
    assert!(results.number("huge_sent") > 0.0 && results.number("pipeline_sent") > 0.0);
}

#[test]
fn evening() {
    let times = "--chatter 0.02 --lobby 0.5 --game 0.1 --visit 0.1";
    let scenario =
        format!("evening --clients 40 --games 4 --guests 2 --visitors 20 {times} --deliveries 5000");
    let results = TestServer::start().load(&scenario);
    assert!(results.number("deliveries") >= 5000.0 && results.number("games") > 0.0);
    assert!(results.number("logins") > 0.0, "visitors come back");
    assert_eq!(results.number("lost"), 0.0);
}

#[test]
fn bots_play_an_evening_in_all_formats() {
    let server = TestServer::start();
    let file = server.folder.path().join("tokens");
    // The logins of some bots are known before they log in.
    let line = |id: u32| match faf_testkit::token::token_of(id) {
        token if id.is_multiple_of(2) => format!("player{id}\t{token}\n"),
        token => format!("{token}\n"),
    };
    std::fs::write(&file, (1..=16).map(line).collect::<String>()).unwrap();
    let mut arguments: Vec<_> = "bots --players 12 --pace 60 --connect-rate 1000 --games 3 --duration 10m"
        .split(' ')
        .map(str::to_owned)
        .collect();
    arguments.push(format!("--tokens={}", file.display()));
    arguments.extend(server.urls());
    let results = Results::of(&run(&arguments));
    assert!(results.number("ended") >= 3.0 && results.number("launched") >= results.number("ended"));
    assert!(results.number("logins") >= 12.0 && results.number("sent: auth") >= 12.0);
    assert!(results.number("sent by games: GameResult") > 0.0);
    assert_eq!((results.number("refused"), results.number("not_connected")), (0.0, 0.0));
    assert_eq!(results.number("lost"), 0.0);
}

#[test]
fn bots_that_cannot_play_say_why() {
    let server = TestServer::start();
    let file = server.folder.path().join("accounts");
    std::fs::write(&file, "player1\tno such password\n").unwrap();
    let arguments = |accounts: &str| {
        let mut arguments = vec!["bots".to_owned(), "--duration=2s".to_owned(), accounts.to_owned()];
        arguments.extend(server.urls());
        arguments
    };
    let output = run(&arguments(&format!("--passwords={}", file.display())));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("no bot could log in"), "{complaint}");
    let output = run(&arguments("--passwords=no/such/file"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot read no/such/file"));
    assert_eq!(run(&arguments("--players=2")).status.code(), Some(2));
}

#[test]
fn a_share_searches() {
    let server = TestServer::start_with(|settings| settings.queue_pop_time_max = 3600.0);
    let pid = std::process::id();
    let results = server.load(&format!("idle --clients 21 --seconds 0 --searching 50% --pid {pid}"));
    assert_eq!((results.number("connections"), results.number("searchers")), (20.0, 10.0));
    assert!(results.is_known("searching_memory") && results.is_known("search_memory"));
    let results = server.load("login --online 20 --at-once 4 --logins 40 --searching 8");
    assert_eq!(results.number("searchers"), 8.0);
    let server = TestServer::start_with(|settings| {
        (settings.queue_pop_time_max, settings.queue_pop_time_min) = (1.0, 1.0);
    });
    let times = "--chatter 0.02 --lobby 0.5 --game 0.1 --visit 0.1";
    let scenario = format!(
        "evening --clients 60 --games 4 --guests 2 --visitors 0 --searching 20 {times} --deliveries 20000"
    );
    let results = server.load(&scenario);
    assert_eq!((results.number("searchers"), results.number("lost")), (20.0, 0.0));
    assert!(results.number("searches") > 0.0 && results.number("matched") > 0.0);
}

#[test]
fn floor() {
    for write in ["each", "joined"] {
        let scenario = format!("floor --clients 20 --joined 8 --write {write} --rate 100 --deliveries 1600");
        let arguments: Vec<_> = scenario.split(' ').map(str::to_owned).collect();
        let results = Results::of(&run(&arguments));
        assert!(results.number("deliveries") >= 1600.0);
        assert!(results.is_known("delivery_p99"));
        assert_eq!(results.number("message_size").round(), 1000.0);
    }
}

#[test]
fn a_plot_shows_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("idle.svg");
    TestServer::start().load(&format!("idle --clients 4 --seconds 0 --plot {}", plot.display()));
    assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg"));
}

#[test]
fn a_failed_login_is_reported_with_its_reason() {
    let complaint = |arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    // Nothing can listen on port 0.
    let nobody = complaint(&["idle", "--clients=5", "--url=tcp://127.0.0.1:0"]);
    assert!(nobody.contains("could not connect") && nobody.contains("refused"), "{nobody}");
    let server = TestServer::start_with(|settings| settings.jwks = String::new());
    for format in WireFormat::ALL {
        let listening =
            server.server.listening().iter().find(|listening| listening.service == Service::Lobby(format));
        let url = format!("--url={}://{}", format.scheme(), listening.unwrap().address);
        let rejected = complaint(&["idle", "--clients=5", &url]);
        assert!(rejected.contains("could not connect or log in"), "{format}: {rejected}");
    }
}

#[test]
fn a_limit_of_open_files_that_is_too_low_is_reported() {
    let line = r#"ulimit -n 64 && exec "$0" idle --clients 100 --url=tcp://127.0.0.1:0"#;
    let output = Command::new("sh").args(["-c", line, env!("CARGO_BIN_EXE_faf-loadtest")]).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("100 clients need") && complaint.contains("ulimit -Hn"), "{complaint}");
}
