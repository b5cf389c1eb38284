//! The server, with the recorded configuration and the seed of the sessions.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use faf_lobby::server::{Server, Service};
use faf_lobby::settings::{Listen, Settings, TrustedProxy};
use faf_lobby::store::{SeedFile, Store};
use faf_protocol::WireFormat;
use faf_testkit::geoip::country_database;
use faf_testkit::golden::path;
use faf_testkit::golden::sessions::{Connect, Record, Transcript};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::client::PATIENCE;
use crate::http;
use crate::policy::PolicyService;

/// In the recording a second; nobody wants to wait for that.
const REPORT_INTERVAL: f64 = 0.01;

/// Without games a shutdown ends with the next report. It must leave time for what the session does before.
const REPORT_INTERVAL_IN_SHUTDOWN: f64 = 1.0;

/// In the recording half a minute, in sessions that wait for it.
const GAME_SETUP_TIMEOUT: f64 = 1.0;

/// For every second of the recording.
const PING_INTERVAL: f64 = 0.02;

#[derive(Debug)]
pub(crate) struct TestServer {
    server: Server,
    http: SocketAddr,
    /// The policy service, if the server uses one.
    pub(crate) policy: Option<PolicyService>,
    folder: TempDir,
}

impl TestServer {
    pub(crate) async fn start(session: &str, transcript: &Transcript) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let overridden = |name: &str| transcript.overrides.get(name);
        let policy = match overridden("USE_POLICY_SERVER") {
            Some(Value::Bool(true)) => Some(PolicyService::start().await),
            _ => None,
        };
        let mut keys = transcript.records.iter().filter_map(|record| match record {
            Record::Keys(keys) => Some(file("keys.json", keys.to_string().as_bytes())),
            _ => None,
        });
        let listen: Listen = serde_json::from_value(json!(["127.0.0.1:0", "127.0.0.1:0 proxy"])).unwrap();
        let settings = Settings {
            qdatastream: listen.clone(),
            simple_json: listen,
            websocket: Listen::default(),
            http: Listen::one("127.0.0.1:0").unwrap(),
            trusted_proxies: vec![TrustedProxy("127.0.0.0/8".parse().unwrap())],
            database: file("seeded.sqlite", seeded().await),
            allow_password_login: overridden("ALLOW_PASSWORD_LOGIN").is_none_or(|value| *value == true),
            jwks: text(&keys.next().unwrap_or_else(|| folder.path().join("missing.json"))),
            login_timeout: overridden("LOGIN_TIMEOUT").map_or(300.0, |value| value.as_f64().unwrap()),
            policy_server: policy.as_ref().map(|policy| policy.base_url.clone()).unwrap_or_default(),
            geoip_database: file("country.mmdb", &country_database([1, 1, 1, 1], "US")),
            ping_interval: overridden("PING_INTERVAL")
                .map_or(3600.0, |value| value.as_f64().unwrap() * PING_INTERVAL),
            // What was recorded says large things before any login.
            login_message_limit: Settings::default().message_limit,
            game_setup_timeout: if waits_for_time_limits(session) { GAME_SETUP_TIMEOUT } else { 300.0 },
            // In the recording nobody waits for a player whose connection is lost.
            reconnect_grace_period: match session {
                "48_disconnect_mid_game" => 0.0,
                _ => Settings::default().reconnect_grace_period,
            },
            report_interval: match session {
                "30_graceful_shutdown" => REPORT_INTERVAL_IN_SHUTDOWN,
                _ => REPORT_INTERVAL,
            },
            www_url: "https://www.example.org".to_owned(),
            content_url: "http://content.example.org".to_owned(),
            ..Settings::default()
        };
        let server = Server::start(settings).await.unwrap();
        let http = server.listening().iter().find(|listening| listening.service == Service::Http);
        let http = http.unwrap().address;
        Self { server, http, policy, folder }
    }

    /// Where to connect.
    pub(crate) fn address(&self, connect: &Connect) -> SocketAddr {
        let of_format = |format: WireFormat| {
            let all = self.server.listening().iter();
            all.filter(move |listening| listening.service == Service::Lobby(format))
        };
        // In the order of the setting.
        of_format(connect.format).nth(usize::from(connect.proxy)).unwrap().address
    }

    /// Asks over HTTP.
    pub(crate) async fn get(&self, path: &str) -> http::Answer {
        http::get(self.http, path).await
    }

    /// Waits until nothing is going on: no command is being carried out, and everybody has been told of all changes.
    pub(crate) async fn settled(&self) {
        let begin = Instant::now();
        loop {
            let status: Value = serde_json::from_str(&self.get("/status").await.body).unwrap();
            if status["is_settled"] == true {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "the server does not settle");
        }
    }

    /// What a signal does.
    pub(crate) async fn signal(&self) {
        self.server.shutdown().request().await;
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("seeded.sqlite")
    }

    /// Ends the server and waits for that.
    pub(crate) async fn stop(self) {
        // The first one may find that it has ended already.
        self.signal().await;
        self.signal().await;
        timeout(PATIENCE, self.server.wait()).await.unwrap().unwrap();
    }
}

/// Whether a session is about game processes that do not start in time.
pub(crate) fn waits_for_time_limits(session: &str) -> bool {
    matches!(session, "46_host_never_opens" | "47_guest_never_opens")
}

/// A database with the seed of the sessions. It is made once: to hash all the passwords takes a second.
pub(crate) async fn seeded() -> &'static [u8] {
    static SEEDED: OnceCell<Vec<u8>> = OnceCell::const_new();
    SEEDED
        .get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("seed.sqlite");
            let store = Store::open(&file).unwrap();
            store.seed(SeedFile::read(&path("seed-data.json")).unwrap()).await.unwrap();
            store.settle().await.unwrap();
            std::fs::read(&file).unwrap()
        })
        .await
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
