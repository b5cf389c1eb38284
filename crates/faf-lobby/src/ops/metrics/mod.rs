//! Counters and gauges for Prometheus, under the names that dashboards know.

#[cfg(feature = "rabbitmq")]
mod broker;
#[cfg(feature = "nats")]
mod core;
mod games;
#[cfg(feature = "nats")]
mod gateway;
#[cfg(feature = "mariadb")]
mod mariadb;
mod process;
mod queues;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faf_connection::{LargeMessages, SentMessages};
use faf_lobby_core::{ClientProgram, Count, Game, GameData, LoginMethod, Queue, QueueEvent, World, escaped};
use faf_lobby_store::Failures;
use faf_protocol::{GameId, WireFormat};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

#[cfg(feature = "nats")]
pub(crate) use self::core::{CoreFigures, CoreState, role_name};
use self::games::ActiveGames;
#[cfg(feature = "nats")]
pub(crate) use self::gateway::{GatewayFigures, GatewayState};
use self::process::Process;
use self::queues::QueueFigures;
use super::health::Findings;
use crate::clock::utc_now;
use crate::version;

/// Number of different values of labels that clients or the database choose. Further values become
/// `other`, so that they cannot fill the memory.
const LABEL_VALUES: usize = 100;

/// Longest value of such a label, in bytes; longer ones become `other`.
const LABEL_LENGTH_BYTES: usize = 64;

/// Upper bounds of the time a message takes, in seconds: the defaults of Prometheus libraries.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The labels of one time series.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Labels whose values clients or the database choose.
type FreeLabels<const N: usize> = [(&'static str, String); N];

/// Declares the series: a field is registered as `server_` and its name, and its doc comment is the
/// help text.
macro_rules! series {
    ($( $(#[doc = $help:literal])+ $name:ident: $metric:ty $(= $initial:expr)?, )+) => {
        struct Series {
            $( $(#[doc = $help])+ $name: $metric, )+
        }

        impl Series {
            fn register(registry: &mut Registry) -> Self {
                let series = Self { $( $name: series!(@initial $($initial)?), )+ };
                $(
                    let (name, help) = (concat!("server_", stringify!($name)), concat!($($help),+).trim());
                    registry.register(name, help, series.$name.clone());
                )+
                series
            }
        }
    };
    (@initial) => { Default::default() };
    (@initial $initial:expr) => { $initial };
}

series! {
    /// Connections by the client program and its version
    user_connections: Family<FreeLabels<2>, Gauge>,
    /// Logins by outcome and method
    user_logins: Family<Labels<2>, Counter>,
    /// Version checks of clients, by client version
    user_agent_version_checks: Family<FreeLabels<1>, Counter>,
    /// Players who are online
    user_online: Gauge,
    /// Connections made
    lobbyconnections: Counter,
    /// Rejected logins, by reason
    logins_failed: Family<Labels<1>, Counter>,
    /// Commands refused before login
    messages_unauthenticated: Family<Labels<1>, Counter>,
    /// Logins that were queued until others were signed in
    user_logins_waited: Counter,
    /// Logins in the queue now
    user_logins_waiting: Gauge,
    /// Messages after which the server slowed down reading from the connection, by class
    messages_paced: Family<Labels<1>, Counter>,
    /// Logins, hosted games, wrong passwords and rated games beyond a limit, by limit
    limits_met: Family<Labels<1>, Counter>,
    /// Notices, pings and player reports sent to everyone
    broadcasts: Counter,
    /// Time from reading a message until it is handled, in seconds
    on_message_received_seconds: Histogram = Histogram::new(BUCKETS),
    /// Connections that have ended, by reason
    connections_ended: Family<Labels<1>, Counter>,
    /// Connections that were rejected or closed during their handshake, by reason
    connections_refused: Family<Labels<1>, Counter>,
    /// Clients with a backlog: messages that they have not read yet
    clients_behind: Gauge,
    /// Bytes queued for slow clients, as limited by outbox_memory
    bytes_behind: Gauge,
    /// Queued states of games, players and queues, and pings, that a newer one replaced
    messages_merged: Counter,
    /// Messages between players' games that were dropped, by reason
    relay_dropped: Family<Labels<1>, Counter>,
    /// Messages between players' games that were held until the receiver had room
    relay_held: Counter,
    /// Times the lobby paused because outbox_memory was in use and no client was slow
    delivery_held_back: Counter,
    /// Connections without a login
    connections_unauthenticated: Gauge,
    /// Most connections at the same time, after the limit of open files
    connection_limit: Gauge,
    /// Games that were rated, by leaderboard
    game_rated_games: Family<FreeLabels<1>, Counter>,
    /// Failures to store something about a game, each of which is retried
    games_not_stored: Counter,
    /// Messages for other services, by routing key
    publications: Family<FreeLabels<1>, Counter>,
    /// Messages for other services that are stored and not delivered
    outbox_waiting: Gauge,
}

/// All metrics of the server. The rest of the server reports to it.
pub(crate) struct Metrics {
    registry: Registry,
    series: Series,
    active_games: ActiveGames,
    queues: QueueFigures,
    #[cfg(feature = "rabbitmq")]
    broker: broker::BrokerFigures,
    /// Messages sent, which connections count themselves.
    pub(crate) sent: Arc<SentMessages>,
    clients: Mutex<BTreeSet<FreeLabels<2>>>,
    versions: Mutex<BTreeSet<FreeLabels<1>>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let (series, active_games) = (Series::register(&mut registry), ActiveGames::register(&mut registry));
        let queues = QueueFigures::register(&mut registry);
        let sent = Arc::<SentMessages>::default();
        registry.register_collector(Box::new(Sent(Arc::clone(&sent))));
        registry.register_collector(Box::new(Process::new()));
        #[cfg(feature = "rabbitmq")]
        let broker = broker::BrokerFigures::default();
        #[cfg(feature = "rabbitmq")]
        registry.register_collector(Box::new(broker.clone()));
        let (clients, versions) = Default::default();
        Self {
            registry,
            series,
            active_games,
            queues,
            #[cfg(feature = "rabbitmq")]
            broker,
            sent,
            clients,
            versions,
        }
    }

    /// Shows the version of the server, when it was started (UTC), and the last game before that.
    pub(crate) fn show_build(&mut self, last_game: GameId) {
        // As FAF's server writes it: month, day, hour and minute.
        let started = utc_now().to_string();
        let started = started.get(5..16).unwrap_or_default().replace('T', " ");
        let labels = [
            ("version", version::of_image()),
            ("start_time", started),
            ("game_uid", last_game.0.to_string()),
        ];
        self.registry.register("build", "The running version", Info::new(labels));
    }

    /// Shows how much memory large messages of players take.
    pub(crate) fn observe_large_messages(&mut self, large_messages: Arc<LargeMessages>) {
        self.registry.register_collector(Box::new(LargeMessageMemory(large_messages)));
    }

    /// Shows failed operations of the database, by reason.
    pub(crate) fn observe_database_failures(&mut self, failures: Arc<Failures>) {
        self.registry.register_collector(Box::new(DatabaseFailures(failures)));
    }

    /// Shows how long operations of MariaDB take.
    #[cfg(feature = "mariadb")]
    pub(crate) fn observe_database_timings(&mut self, timings: Arc<faf_lobby_mariadb::Timings>) {
        self.registry.register_collector(Box::new(mariadb::DatabaseTimings(timings)));
    }

    /// Shows the state of a core.
    #[cfg(feature = "nats")]
    pub(crate) fn observe_core(&mut self, figures: Arc<CoreFigures>) {
        self.registry.register_collector(Box::new(core::CoreCollector(figures)));
    }

    /// Shows the state of a gateway.
    #[cfg(feature = "nats")]
    pub(crate) fn observe_gateway(&mut self, figures: Arc<GatewayFigures>) {
        self.registry.register_collector(Box::new(gateway::GatewayCollector(figures)));
    }

    /// Shows how often the recording was interrupted.
    pub(crate) fn observe_recording(&mut self, interruptions: Arc<AtomicU64>) {
        self.registry.register_collector(Box::new(RecordingInterruptions(interruptions)));
    }

    /// Shows whether the database works.
    pub(crate) fn observe_health(&mut self, findings: watch::Receiver<Findings>) {
        self.registry.register_collector(Box::new(DatabaseUp(findings)));
    }

    /// Shows the connection to the broker and its messages.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn observe_broker(
        &self,
        state: watch::Receiver<faf_lobby_rabbitmq::State>,
        counters: Arc<faf_lobby_rabbitmq::Counters>,
    ) {
        self.broker.show(state, counters);
    }

    /// Counts an event that the lobby reports.
    pub(crate) fn count(&self, count: Count) {
        let series = &self.series;
        match count {
            Count::Connection => drop(series.lobbyconnections.inc()),
            Count::ClientProgram { before, after } => {
                if let Some(labels) = before.map(|client| self.client_labels(&client)) {
                    series.user_connections.get_or_create(&labels).dec();
                }
                if let Some(labels) = after.map(|client| self.client_labels(&client)) {
                    series.user_connections.get_or_create(&labels).inc();
                }
            }
            Count::Version(version) => {
                let labels = bounded(&self.versions, [("version", escaped(&version).to_string())]);
                series.user_agent_version_checks.get_or_create(&labels).inc();
            }
            Count::LoginAccepted(method) => self.count_login("success", method),
            Count::LoginFailed(method) => self.count_login("failure", method),
            Count::NotLoggedIn(command) => {
                series.messages_unauthenticated.get_or_create(&[("command", command)]).inc();
            }
            Count::Busy => self.count_login("busy", LoginMethod::Password),
            Count::LoginWaits => drop(series.user_logins_waited.inc()),
            Count::Paced(class) => {
                series.messages_paced.get_or_create(&[("class", class.name())]).inc();
            }
            Count::Limited(limit) => {
                series.limits_met.get_or_create(&[("limit", limit.name())]).inc();
            }
            Count::Broadcast => drop(series.broadcasts.inc()),
            Count::RelayTooLong => self.count_relay_dropped("too long"),
            Count::GameNotStored => drop(series.games_not_stored.inc()),
            Count::RatedGame(leaderboard) => {
                series.game_rated_games.get_or_create(&[("leaderboard", leaderboard)]).inc();
            }
        }
    }

    pub(crate) fn count_failed_login(&self, reason: &'static str) {
        self.series.logins_failed.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn count_publication(&self, routing_key: &str) {
        self.series.publications.get_or_create(&[("routing_key", routing_key.to_owned())]).inc();
    }

    pub(crate) fn set_outbox_waiting(&self, messages: u32) {
        self.series.outbox_waiting.set(messages.into());
    }

    /// Shows featured mods and leaderboards even while they have no games.
    pub(crate) fn expect_games(&self, data: &GameData) {
        self.active_games.expect(data);
    }

    /// Counts all games again.
    pub(crate) fn count_games<'a>(&self, games: impl Iterator<Item = &'a Game>) {
        self.active_games.count(games);
    }

    /// Counts an event in the queues of the matchmaker.
    pub(crate) fn count_queue_event(&self, event: &QueueEvent, world: &World) {
        self.queues.count(event, world);
    }

    /// Shows the present queues, and no longer those that are gone.
    pub(crate) fn show_queues<'a>(&self, queues: impl Iterator<Item = &'a Queue>) {
        self.queues.show(queues);
    }

    pub(crate) fn set_online(&self, players: usize) {
        set(&self.series.user_online, players);
    }

    pub(crate) fn set_logins_waiting(&self, logins: usize) {
        set(&self.series.user_logins_waiting, logins);
    }

    pub(crate) fn observe_message(&self, duration: Duration) {
        self.series.on_message_received_seconds.observe(duration.as_secs_f64());
    }

    pub(crate) fn count_ended(&self, reason: &'static str) {
        self.series.connections_ended.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn set_behind(&self, clients: usize, bytes: usize) {
        set(&self.series.clients_behind, clients);
        set(&self.series.bytes_behind, bytes);
    }

    pub(crate) fn count_merged(&self, messages: u64) {
        self.series.messages_merged.inc_by(messages);
    }

    pub(crate) fn count_relay_dropped(&self, reason: &'static str) {
        self.series.relay_dropped.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn count_relay_held(&self) {
        self.series.relay_held.inc();
    }

    pub(crate) fn count_held_back(&self) {
        self.series.delivery_held_back.inc();
    }

    pub(crate) fn count_refused(&self, reason: &'static str) {
        self.series.connections_refused.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn set_unauthenticated(&self, connections: usize) {
        set(&self.series.connections_unauthenticated, connections);
    }

    pub(crate) fn set_connection_limit(&self, connections: usize) {
        set(&self.series.connection_limit, connections);
    }

    /// Returns all series in the text format of Prometheus.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn client_labels(&self, client: &ClientProgram) -> FreeLabels<2> {
        // Terminals show these labels as well, so control characters are escaped.
        let or_none = |text: &Option<String>| escaped(text.as_deref().unwrap_or("None")).to_string();
        let labels = [("user_agent", or_none(&client.user_agent)), ("version", or_none(&client.version))];
        bounded(&self.clients, labels)
    }

    fn count_login(&self, status: &'static str, method: LoginMethod) {
        let method = match method {
            LoginMethod::Password => "password",
            LoginMethod::Token => "token",
        };
        self.series.user_logins.get_or_create(&[("status", status), ("method", method)]).inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}

/// Returns the labels, or `other` in place of every value if there are too many or they are
/// too long.
///
/// Labels that became `other` once always do, and none are forgotten. A count that goes up under
/// some labels therefore goes down under the same ones.
fn bounded<const N: usize>(known: &Mutex<BTreeSet<FreeLabels<N>>>, labels: FreeLabels<N>) -> FreeLabels<N> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.contains(&labels) {
        return labels;
    }
    if known.len() >= LABEL_VALUES || labels.iter().any(|(_, value)| value.len() > LABEL_LENGTH_BYTES) {
        return labels.map(|(name, _)| (name, "other".to_owned()));
    }
    known.insert(labels.clone());
    labels
}

/// Messages sent, by wire format.
#[derive(Debug)]
struct Sent(Arc<SentMessages>);

impl Collector for Sent {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut messages =
            encoder.encode_descriptor("server_messages", "Messages sent", None, MetricType::Counter)?;
        for format in WireFormat::ALL {
            let labels = [("protocol", format.properties().metric_label)];
            ConstCounter::new(self.0.count(format)).encode(messages.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct DatabaseFailures(Arc<Failures>);

impl Collector for DatabaseFailures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Database operations that failed";
        let mut failures = encoder.encode_descriptor("db_exceptions", help, None, MetricType::Counter)?;
        for (reason, count) in self.0.counts() {
            let labels = [("class", "StoreError"), ("code", reason.name())];
            ConstCounter::new(count).encode(failures.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct RecordingInterruptions(Arc<AtomicU64>);

impl Collector for RecordingInterruptions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Times the recording was interrupted, and failed attempts to go on with it";
        let name = "server_recording_interrupted";
        let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(self.0.load(Ordering::Relaxed)).encode(encoder)
    }
}

/// Health of the database, as `/health` reports it.
#[derive(Debug)]
struct DatabaseUp(watch::Receiver<Findings>);

impl Collector for DatabaseUp {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Whether the database works: 1 if the last check found no problem, otherwise 0";
        let encoder = encoder.encode_descriptor("server_database_up", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(self.0.borrow().problem().is_none())).encode(encoder)
    }
}

#[derive(Debug)]
struct LargeMessageMemory(Arc<LargeMessages>);

impl Collector for LargeMessageMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Memory used for large messages of players";
        let encoder =
            encoder.encode_descriptor("server_large_message_bytes", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::try_from(self.0.taken()).unwrap_or(i64::MAX)).encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::{CommandClass, Limit};
    use faf_testkit::lobby::SimulatedLobby;
    use faf_testkit::store::FakeStore;

    use faf_lobby_store::Reason;

    use super::*;

    fn client(name: &str) -> Option<Arc<ClientProgram>> {
        Some(Arc::new(ClientProgram { user_agent: Some(name.to_owned()), version: None }))
    }

    #[test]
    fn series_have_the_names_dashboards_know() {
        let mut metrics = Metrics::new();
        metrics.show_build(GameId(4711));
        metrics.count(Count::Connection);
        metrics.count(Count::ClientProgram { before: None, after: client("x") });
        metrics.count(Count::Version("1.0".to_owned()));
        metrics.count(Count::ClientProgram { before: None, after: client("\u{1b}[31m") });
        metrics.count(Count::Version("\u{202e}".to_owned()));
        metrics.count(Count::LoginAccepted(LoginMethod::Password));
        metrics.count(Count::LoginFailed(LoginMethod::Token));
        metrics.count(Count::NotLoggedIn("game_host"));
        metrics.count(Count::LoginWaits);
        metrics.count(Count::Paced(CommandClass::Game));
        metrics.count(Count::Limited(Limit::Passwords));
        metrics.count(Count::Broadcast);
        metrics.set_online(7);
        metrics.set_logins_waiting(3);
        metrics.observe_message(Duration::from_millis(20));
        let text = metrics.text().unwrap();
        for line in [
            "server_lobbyconnections_total 1",
            "server_user_connections{user_agent=\"x\",version=\"None\"} 1",
            "server_user_agent_version_checks_total{version=\"1.0\"} 1",
            "server_user_connections{user_agent=\"\\\\u{1b}[31m\",version=\"None\"} 1",
            "server_user_agent_version_checks_total{version=\"\\\\u{202e}\"} 1",
            "server_user_logins_total{status=\"success\",method=\"password\"} 1",
            "server_user_logins_total{status=\"failure\",method=\"token\"} 1",
            "server_messages_unauthenticated_total{command=\"game_host\"} 1",
            "server_user_logins_waited_total 1",
            "server_messages_paced_total{class=\"game\"} 1",
            "server_limits_met_total{limit=\"passwords\"} 1",
            "server_broadcasts_total 1",
            "server_user_online 7",
            "server_user_logins_waiting 3",
            "server_on_message_received_seconds_bucket{le=\"0.025\"} 1",
            "server_messages_total{protocol=\"QDataStreamProtocol\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        let build = text.lines().find_map(|line| line.strip_prefix("build_info{version=\"")).unwrap();
        let (_, start) = build.split_once("\",start_time=\"").unwrap();
        assert!(start.ends_with("\",game_uid=\"4711\"} 1"), "{build}");
        // For instance 06-21 09:30.
        let shape: String = start[..11].chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "00-00 00:00");
        assert!(text.contains("# HELP server_user_online Players who are online.\n"));
    }

    #[test]
    fn observed_figures_are_read_at_each_request() {
        let mut metrics = Metrics::new();
        let failures = Arc::<Failures>::default();
        metrics.observe_database_failures(Arc::clone(&failures));
        failures.count(Reason::Busy);
        failures.count(Reason::Busy);
        let line = "db_exceptions_total{class=\"StoreError\",code=\"busy\"} 2\n";
        assert!(metrics.text().unwrap().contains(line));
    }

    #[test]
    fn games_are_counted_in_all_combinations() {
        let metrics = Metrics::new();
        let mut store = FakeStore::with_accounts(["Ada", "Bob", "Cem"]);
        store
            .data
            .featured_mods
            .extend((100..).zip("abcdefgh".chars()).map(|(id, name)| (name.to_string(), id)));
        metrics.expect_games(&store.data);
        let mut lobby = SimulatedLobby::new(faf_lobby_core::Settings::default(), store);
        let conns = ["Ada", "Bob", "Cem"].map(|login| lobby.log_in(login));
        for (conn, featured_mod) in conns.into_iter().zip(["coop", "faf", "faf"]) {
            lobby.send(
                conn,
                &format!(r#"{{"command":"game_host","mod":"{featured_mod}","visibility":"public"}}"#),
            );
        }
        lobby.send(conns[2], r#"{"command":"GameState","target":"game","args":["Idle"]}"#);
        let check = |lines: &[&str]| {
            let text = metrics.text().unwrap();
            for line in lines {
                assert!(text.lines().any(|found| found == *line), "{line} is missing in\n{text}");
            }
        };
        metrics.count_games(lobby.world.games());
        metrics.count(Count::RatedGame("global".to_owned()));
        metrics.count(Count::GameNotStored);
        metrics.count_publication("success.rating.update");
        check(&[
            r#"server_game_active_games_total{game_mode="coop",game_state="INITIALIZING"} 1"#,
            r#"server_game_active_games_total{game_mode="faf",game_state="INITIALIZING"} 1"#,
            r#"server_game_active_games_total{game_mode="faf",game_state="LOBBY"} 1"#,
            r#"server_game_active_games_total{game_mode="h",game_state="ENDED"} 0"#,
            r#"server_game_active_games_total{game_mode="other",game_state="LIVE"} 0"#,
            r#"server_game_active_games_by_rating_type_total{rating_type="global",game_state="INITIALIZING"} 2"#,
            r#"server_game_active_games_by_rating_type_total{rating_type="ladder_1v1",game_state="LIVE"} 0"#,
            r#"server_game_rated_games_total{leaderboard="global"} 1"#,
            "server_games_not_stored_total 1",
            r#"server_publications_total{routing_key="success.rating.update"} 1"#,
        ]);
        metrics.count_games(std::iter::empty());
        check(&[r#"server_game_active_games_total{game_mode="coop",game_state="INITIALIZING"} 0"#]);
    }

    #[test]
    fn clients_cannot_create_unlimited_series() {
        let metrics = Metrics::new();
        let names: Vec<_> = (0..1000).map(|number| format!("client {number}")).collect();
        for name in &names {
            metrics.count(Count::ClientProgram { before: None, after: client(name) });
        }
        metrics.count(Count::ClientProgram { before: None, after: client(&"x".repeat(1000)) });
        let text = metrics.text().unwrap();
        assert!(text.contains("server_user_connections{user_agent=\"other\",version=\"other\"} 901"));
        for name in &names {
            metrics.count(Count::ClientProgram { before: client(name), after: None });
        }
        let text = metrics.text().unwrap();
        assert!(text.contains("server_user_connections{user_agent=\"other\",version=\"other\"} 1\n"));
        assert!(text.contains("server_user_connections{user_agent=\"client 5\",version=\"None\"} 0"));
    }
}
