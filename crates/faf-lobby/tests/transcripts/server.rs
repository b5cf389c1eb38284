//! The server, with the recorded configuration and the seed of the sessions, and what it offers to
//! a replay.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use faf_client::Url;
use faf_conformance::needs::Circumstances;
use faf_conformance::{HookError, Offers, RowsBeforeAndNow, ServerUnderTest, http};
use faf_lobby::config::{DatabaseAddress, Listen, Settings, TrustedProxy};
use faf_lobby::server::{Listening, Server, Service};
use faf_lobby::store::facts::Facts;
use faf_lobby::store::{Message, Store, read_seed};
use faf_protocol::{Secret, WireFormat};
use faf_sessions::transcript::{Connect, Http, Record, Transcript};
use faf_testkit::geoip::country_database;
use faf_testkit::golden;
use faf_testkit::services::mariadb::{MariaServer, PASSWORD, USER};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, timeout};

use crate::database::tables;
use crate::policy::PolicyService;

/// One second in the recording; shorter here, so that the tests are fast.
const REPORT_INTERVAL: f64 = 0.01;

/// Without games a shutdown ends with the next report. The interval must leave time for the records
/// of the session before that.
const REPORT_INTERVAL_IN_SHUTDOWN: f64 = 2.0;

/// Half a minute in the recording. The session's actions in a game that starts in time must take
/// less, even on a busy machine.
const GAME_SETUP_TIMEOUT: f64 = 8.0;

/// Seconds per second of the recording, in which a login takes milliseconds.
const LOGIN_TIMEOUT: f64 = 3.0;

/// Seconds per second of the recording.
const PING_INTERVAL: f64 = 0.02;

/// Seconds per second of the recording, whose four seconds between two rounds become the shortest
/// possible time.
const QUEUE_POP_TIME: f64 = 0.25;

/// Time within which the server must settle, and end.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct TestServer {
    server: Server,
    http: String,
    /// Policy service, if the server uses one.
    policy: Option<PolicyService>,
    /// Facts in the database before the session.
    seed: Facts,
    publications: Receiver<Message>,
    /// Keeps the files of the server.
    _folder: TempDir,
}

impl TestServer {
    /// Starts a server with a database in a file.
    pub(crate) async fn start(transcript: &Transcript, change: impl FnOnce(&mut Settings)) -> Self {
        let seeded = seeded().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seeded.sqlite");
        std::fs::write(&path, &seeded.file).unwrap();
        let change = |settings: &mut Settings| {
            settings.database = path.into();
            change(settings);
        };
        Self::start_with(transcript, folder, seeded.facts.clone(), change).await
    }

    /// Starts a server with a database in the shape of FAF's.
    pub(crate) async fn start_on_mariadb(transcript: &Transcript) -> Self {
        let maria = MariaServer::shared();
        let database = maria.database(146);
        let address = format!("mysql://{USER}@127.0.0.1:{}/{}", maria.port(), database.name);
        let address = DatabaseAddress::try_from(address).unwrap();
        let password = Secret::new(PASSWORD);
        let settings = Settings {
            database: address.clone(),
            database_password: password.clone(),
            ..Settings::default()
        };
        let store = Store::open(&settings.database()).unwrap();
        store.seed(read_seed(&golden::seed()).unwrap()).await.unwrap();
        let seed = store.facts().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let change = |settings: &mut Settings| {
            settings.database = address;
            settings.database_password = password;
        };
        Self::start_with(transcript, folder, seed, change).await
    }

    async fn start_with(
        transcript: &Transcript,
        folder: TempDir,
        seed_facts: Facts,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let circumstances = Circumstances::of(transcript);
        let assumed = &seed().config_assumed;
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
        let (address, country) = assumed.located();
        let listen: Listen = serde_json::from_value(json!(["127.0.0.1:0", "127.0.0.1:0 proxy"])).unwrap();
        let default = Settings::default();
        let pop_time = overridden("QUEUE_POP_TIME_MAX")
            .map_or(default.queue_pop_time_max, |value| value.as_f64().unwrap() * QUEUE_POP_TIME);
        let mut settings = Settings {
            qdatastream: listen.clone(),
            simple_json: listen,
            websocket: Listen::one("127.0.0.1:0").unwrap(),
            http: Listen::one("127.0.0.1:0").unwrap(),
            trusted_proxies: vec![TrustedProxy("127.0.0.0/8".parse().unwrap())],
            allow_password_login: overridden("ALLOW_PASSWORD_LOGIN").is_none_or(|value| *value == true),
            jwks: text(&keys.next().unwrap_or_else(|| folder.path().join("missing.json"))),
            login_timeout: overridden("LOGIN_TIMEOUT")
                .map_or(300.0, |value| value.as_f64().unwrap() * LOGIN_TIMEOUT),
            policy_server: policy.as_ref().map(|policy| policy.base_url.clone()).unwrap_or_default(),
            geoip_database: file("country.mmdb", &country_database(address, country)),
            ping_interval: overridden("PING_INTERVAL")
                .map_or(3600.0, |value| value.as_f64().unwrap() * PING_INTERVAL),
            // Recorded clients send large messages before the login.
            login_message_limit: default.message_limit,
            game_setup_timeout: if circumstances.waits_for_games { GAME_SETUP_TIMEOUT } else { 300.0 },
            queue_pop_time_max: pop_time,
            // The recorded server had no minimum.
            queue_pop_time_min: pop_time.min(default.queue_pop_time_min),
            ladder_anti_repetition_limit: 2,
            // In the recording, games do not wait for a player whose connection is lost.
            reconnect_grace_period: 0.0,
            report_interval: match circumstances.is_shut_down {
                true => REPORT_INTERVAL_IN_SHUTDOWN,
                false => REPORT_INTERVAL,
            },
            www_url: assumed.www_url.clone(),
            content_url: assumed.content_url.clone(),
            ..default
        };
        change(&mut settings);
        let server = Server::start(settings).await.unwrap();
        let http = server.listening().iter().find(|listening| listening.service == Service::Http);
        let http = http.unwrap().address.to_string();
        let publications = server.publications();
        Self { server, http, policy, seed: seed_facts, publications, _folder: folder }
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn stop(self) {
        // The first signal may find that the server has ended already.
        self.server.shutdown().request().await;
        self.server.shutdown().request().await;
        timeout(TIME_LIMIT, self.server.wait()).await.unwrap().unwrap();
    }
}

impl ServerUnderTest for TestServer {
    fn offers(&self) -> Offers {
        Offers {
            formats: WireFormat::ALL.to_vec(),
            proxied_formats: vec![WireFormat::QDataStream, WireFormat::SimpleJson],
            settles: true,
            pages: true,
            rows: true,
            publications: true,
            policy_service: true,
            signal: true,
            settings: faf_conformance::Settings::All,
        }
    }

    fn url(&self, connect: &Connect) -> Option<Url> {
        let of_format = |listening: &&Listening| listening.service == Service::Lobby(connect.format);
        // Listeners are in the order of the setting.
        let listening = self.server.listening().iter().filter(of_format).nth(usize::from(connect.proxy));
        listening.map(|listening| Url::new(connect.format, listening.address))
    }

    async fn settle(&mut self) -> Result<(), HookError> {
        let begin = Instant::now();
        while begin.elapsed() < TIME_LIMIT {
            if self.page("/status").await?.body["is_settled"] == true {
                return Ok(());
            }
        }
        Err(HookError::new("the server does not settle"))
    }

    async fn page(&mut self, path: &str) -> Result<Http, HookError> {
        http::get(&self.http, path).await
    }

    async fn rows(&mut self) -> Result<RowsBeforeAndNow, HookError> {
        let now = self.server.store().facts().await.map_err(|error| HookError::new(error.to_string()))?;
        Ok(RowsBeforeAndNow { before: tables(&self.seed), now: tables(&now) })
    }

    fn publications(&mut self) -> Result<Vec<Value>, HookError> {
        let mut published = Vec::new();
        while let Ok(message) = self.publications.try_recv() {
            published.push(record(&message)?);
        }
        Ok(published)
    }

    async fn policy_request(&mut self) -> Result<Value, HookError> {
        let policy = self.policy.as_mut().ok_or_else(|| HookError::new("there is no policy service"))?;
        let request = timeout(TIME_LIMIT, policy.next_request()).await.ok().flatten();
        request.ok_or_else(|| HookError::new("the policy service is not asked"))
    }

    async fn stop_policy_service(&mut self) -> Result<(), HookError> {
        let policy = self.policy.as_ref().ok_or_else(|| HookError::new("there is no policy service"))?;
        policy.stop();
        Ok(())
    }

    async fn signal(&mut self) -> Result<(), HookError> {
        self.server.shutdown().request().await;
        Ok(())
    }
}

/// Returns a publication in the form that is compared.
pub(crate) fn record(Message { routing_key, body, is_persistent, .. }: &Message) -> Result<Value, HookError> {
    faf_conformance::publication(routing_key, *is_persistent, body)
}

/// The seed's assumptions about the configuration of the recording.
#[derive(Debug, Deserialize)]
struct Assumed {
    www_url: String,
    content_url: String,
    /// Countries by address; one key, which is not an address, stands for all others.
    geoip: BTreeMap<String, String>,
}

impl Assumed {
    /// Returns the one address whose country is known.
    fn located(&self) -> ([u8; 4], &str) {
        let mut known = self.geoip.iter().filter_map(|(address, country)| {
            Some((address.parse::<Ipv4Addr>().ok()?.octets(), country.as_str()))
        });
        known.next().unwrap()
    }
}

#[derive(Debug, Deserialize)]
struct Seed {
    config_assumed: Assumed,
}

fn seed() -> &'static Seed {
    static SEED: LazyLock<Seed> =
        LazyLock::new(|| serde_json::from_str(&golden::text(&golden::seed())).unwrap());
    &SEED
}

/// A database with the seed of the sessions.
#[derive(Debug)]
pub(crate) struct Seeded {
    /// Its file.
    pub(crate) file: Vec<u8>,
    /// The facts in it.
    pub(crate) facts: Facts,
}

/// A database with the seed of the sessions, made once, because hashing all passwords is slow.
pub(crate) async fn seeded() -> &'static Seeded {
    static SEEDED: OnceCell<Seeded> = OnceCell::const_new();
    SEEDED
        .get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("seed.sqlite");
            let store = Store::open_file(&path).unwrap();
            store.seed(read_seed(&golden::seed()).unwrap()).await.unwrap();
            let facts = store.facts().await.unwrap();
            store.checkpoint().await.unwrap();
            Seeded { file: std::fs::read(&path).unwrap(), facts }
        })
        .await
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
