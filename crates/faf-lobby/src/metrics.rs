//! What is counted for Prometheus, under the names dashboards know (ops.md section 5).

mod games;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faf_connection::{LargeMessages, SentMessages};
use faf_lobby_core::{Client, Count, Game, GameData, LoginMethod, escaped};
use faf_protocol::WireFormat;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::games::ActiveGames;
use crate::store::Store;

/// Different values of a label that clients choose: more become `other`, so that they cannot fill the memory.
const LABEL_VALUES: usize = 100;

/// Longest such value, in bytes; longer ones become `other`.
const LABEL_LENGTH: usize = 64;

/// Upper bounds of the time a message takes, in seconds: the defaults of Prometheus libraries.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// All counters. Names of fields are those of the series.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) sent: Arc<SentMessages>,
    user_connections: Family<ClientLabels, Gauge>,
    user_logins: Family<LoginLabels, Counter>,
    user_agent_version_checks: Family<VersionLabel, Counter>,
    user_online: Gauge,
    lobbyconnections: Counter,
    logins_failed: Family<ReasonLabel, Counter>,
    messages_unauthenticated: Family<CommandLabel, Counter>,
    logins_waited: Counter,
    logins_waiting: Gauge,
    messages_paced: Family<ClassLabel, Counter>,
    limits_met: Family<LimitLabel, Counter>,
    broadcasts: Counter,
    on_message_received: Histogram,
    connections_ended: Family<ReasonLabel, Counter>,
    connections_refused: Family<ReasonLabel, Counter>,
    clients_behind: Gauge,
    bytes_behind: Gauge,
    messages_merged: Counter,
    relay_dropped: Family<ReasonLabel, Counter>,
    relay_held: Counter,
    held_back: Counter,
    connections_unauthenticated: Gauge,
    connection_limit: Gauge,
    active_games: ActiveGames,
    game_rated_games: Family<LeaderboardLabel, Counter>,
    games_not_stored: Counter,
    publications: Family<RoutingKeyLabel, Counter>,
    outbox_waiting: Gauge,
    clients: Mutex<Bounded<ClientLabels>>,
    versions: Mutex<Bounded<VersionLabel>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ClientLabels {
    user_agent: String,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    status: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabel {
    command: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeaderboardLabel {
    leaderboard: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoutingKeyLabel {
    routing_key: String,
}

impl Metrics {
    pub(crate) fn new(store: Store) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            sent: Arc::default(),
            user_connections: Family::default(),
            user_logins: Family::default(),
            user_agent_version_checks: Family::default(),
            user_online: Gauge::default(),
            lobbyconnections: Counter::default(),
            logins_failed: Family::default(),
            messages_unauthenticated: Family::default(),
            logins_waited: Counter::default(),
            logins_waiting: Gauge::default(),
            messages_paced: Family::default(),
            limits_met: Family::default(),
            broadcasts: Counter::default(),
            on_message_received: Histogram::new(BUCKETS),
            connections_ended: Family::default(),
            connections_refused: Family::default(),
            clients_behind: Gauge::default(),
            bytes_behind: Gauge::default(),
            messages_merged: Counter::default(),
            relay_dropped: Family::default(),
            relay_held: Counter::default(),
            held_back: Counter::default(),
            connections_unauthenticated: Gauge::default(),
            connection_limit: Gauge::default(),
            active_games: ActiveGames::default(),
            game_rated_games: Family::default(),
            games_not_stored: Counter::default(),
            publications: Family::default(),
            outbox_waiting: Gauge::default(),
            clients: Mutex::default(),
            versions: Mutex::default(),
        };
        metrics.register(store);
        metrics
    }

    fn register(&mut self, store: Store) {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let build = Info::new([
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("start_time", started.to_string()),
        ]);
        let registry = &mut self.registry;
        registry.register("build", "Version of the server, and when it was started in Unix seconds", build);
        registry.register(
            "server_user_connections",
            "Connections by what the client says it is",
            self.user_connections.clone(),
        );
        registry.register("server_user_logins", "Logins by outcome and method", self.user_logins.clone());
        registry.register(
            "server_user_agent_version_checks",
            "Versions clients have told on connecting",
            self.user_agent_version_checks.clone(),
        );
        registry.register("server_user_online", "Players who are online", self.user_online.clone());
        registry.register("server_lobbyconnections", "Connections made", self.lobbyconnections.clone());
        registry.register(
            "server_logins_failed",
            "Logins that were not accepted, by reason",
            self.logins_failed.clone(),
        );
        registry.register(
            "server_messages_unauthenticated",
            "Commands refused before login",
            self.messages_unauthenticated.clone(),
        );
        registry.register(
            "server_user_logins_waited",
            "Logins that had to wait until others were signed in",
            self.logins_waited.clone(),
        );
        registry.register(
            "server_user_logins_waiting",
            "Logins that wait until others are signed in",
            self.logins_waiting.clone(),
        );
        registry.register(
            "server_messages_paced",
            "Messages behind which a connection was read more slowly, by class",
            self.messages_paced.clone(),
        );
        registry.register(
            "server_limits_met",
            "Logins, hosted games, wrong passwords and rated games beyond a limit, by limit",
            self.limits_met.clone(),
        );
        registry.register(
            "server_broadcasts",
            "Notices, pings and reports of players that were sent to everybody",
            self.broadcasts.clone(),
        );
        registry.register(
            "server_on_message_received_seconds",
            "Time from reading a message until it is dealt with",
            self.on_message_received.clone(),
        );
        registry.register(
            "server_connections_ended",
            "Connections that have ended, by reason",
            self.connections_ended.clone(),
        );
        registry.register(
            "server_connections_refused",
            "Connections that were turned away or ended during their handshake, by reason",
            self.connections_refused.clone(),
        );
        registry.register(
            "server_clients_behind",
            "Clients that have not taken yet what they were told",
            self.clients_behind.clone(),
        );
        registry.register(
            "server_bytes_behind",
            "Memory that counts for outbox_memory: what waits for these clients, without lists that newcomers are still told",
            self.bytes_behind.clone(),
        );
        registry.register(
            "server_messages_merged",
            "States of games and players, and pings, that were not told to a client since newer ones took their place",
            self.messages_merged.clone(),
        );
        registry.register(
            "server_relay_dropped",
            "Messages from one player's game to another's that were not passed on, by reason",
            self.relay_dropped.clone(),
        );
        registry.register(
            "server_relay_held",
            "Messages from one player's game to another's that were held, and their sender not read, until the receiver had room",
            self.relay_held.clone(),
        );
        registry.register(
            "server_delivery_held_back",
            "Times the lobby paused because more than outbox_memory waited for clients who all read well",
            self.held_back.clone(),
        );
        registry.register(
            "server_connections_unauthenticated",
            "Connections on which nobody has logged in",
            self.connections_unauthenticated.clone(),
        );
        registry.register(
            "server_connection_limit",
            "Connections there may be at the same time, with the files that may be open",
            self.connection_limit.clone(),
        );
        self.active_games.register(registry);
        registry.register(
            "server_game_rated_games",
            "Games handed to the rating, by leaderboard",
            self.game_rated_games.clone(),
        );
        registry.register(
            "server_games_not_stored",
            "Failures to store something about a game, each of which is tried again",
            self.games_not_stored.clone(),
        );
        registry.register(
            "server_publications",
            "What other services would be told, by routing key",
            self.publications.clone(),
        );
        registry.register(
            "server_outbox_waiting",
            "Messages for other services that are stored and not delivered",
            self.outbox_waiting.clone(),
        );
        registry.register_collector(Box::new(Elsewhere { sent: Arc::clone(&self.sent), store }));
    }

    /// Shows how much memory large messages of players take.
    pub(crate) fn observe_large_messages(&mut self, large_messages: Arc<LargeMessages>) {
        self.registry.register_collector(Box::new(LargeMessageMemory(large_messages)));
    }

    /// Counts what the lobby wants counted.
    pub(crate) fn count(&self, count: Count) {
        match count {
            Count::Connection => drop(self.lobbyconnections.inc()),
            Count::Client { before, after } => {
                if let Some(labels) = before.map(|client| self.client_labels(&client)) {
                    self.user_connections.get_or_create(&labels).dec();
                }
                if let Some(labels) = after.map(|client| self.client_labels(&client)) {
                    self.user_connections.get_or_create(&labels).inc();
                }
            }
            Count::Version(version) => {
                let labels = bounded(&self.versions, VersionLabel { version: escaped(&version).to_string() });
                self.user_agent_version_checks.get_or_create(&labels).inc();
            }
            Count::LoginAccepted(method) => self.count_login("success", method),
            Count::LoginFailed(method) => self.count_login("failure", method),
            Count::NotLoggedIn(command) => {
                self.messages_unauthenticated.get_or_create(&CommandLabel { command }).inc();
            }
            Count::Busy => self.count_login("busy", LoginMethod::Password),
            Count::LoginWaits => drop(self.logins_waited.inc()),
            Count::Paced(class) => {
                self.messages_paced.get_or_create(&ClassLabel { class: class.name() }).inc();
            }
            Count::Limited(limit) => {
                self.limits_met.get_or_create(&LimitLabel { limit: limit.name() }).inc();
            }
            Count::Broadcast => drop(self.broadcasts.inc()),
            Count::RelayTooLong => self.count_relay_dropped("too long"),
            Count::GameNotStored => drop(self.games_not_stored.inc()),
            Count::RatedGame(leaderboard) => {
                self.game_rated_games.get_or_create(&LeaderboardLabel { leaderboard }).inc();
            }
        }
    }

    pub(crate) fn count_failed_login(&self, reason: &'static str) {
        self.logins_failed.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn count_publication(&self, routing_key: &str) {
        self.publications.get_or_create(&RoutingKeyLabel { routing_key: routing_key.to_owned() }).inc();
    }

    pub(crate) fn set_outbox_waiting(&self, messages: u32) {
        self.outbox_waiting.set(messages.into());
    }

    /// Shows featured mods and leaderboards also while there are no games of them.
    pub(crate) fn expect_games(&self, data: &GameData) {
        self.active_games.expect(data);
    }

    /// Counts all games anew.
    pub(crate) fn count_games<'a>(&self, games: impl Iterator<Item = &'a Game>) {
        self.active_games.count(games);
    }

    pub(crate) fn set_online(&self, players: usize) {
        self.user_online.set(players.try_into().unwrap_or(i64::MAX));
    }

    pub(crate) fn set_logins_waiting(&self, logins: usize) {
        self.logins_waiting.set(logins.try_into().unwrap_or(i64::MAX));
    }

    pub(crate) fn observe_message(&self, duration: Duration) {
        self.on_message_received.observe(duration.as_secs_f64());
    }

    pub(crate) fn count_ended(&self, reason: &'static str) {
        self.connections_ended.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn set_behind(&self, clients: usize, bytes: usize) {
        self.clients_behind.set(clients.try_into().unwrap_or(i64::MAX));
        self.bytes_behind.set(bytes.try_into().unwrap_or(i64::MAX));
    }

    pub(crate) fn count_merged(&self, messages: u64) {
        self.messages_merged.inc_by(messages);
    }

    pub(crate) fn count_relay_dropped(&self, reason: &'static str) {
        self.relay_dropped.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn count_relay_held(&self) {
        self.relay_held.inc();
    }

    pub(crate) fn count_held_back(&self) {
        self.held_back.inc();
    }

    pub(crate) fn count_refused(&self, reason: &'static str) {
        self.connections_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn set_unauthenticated(&self, connections: usize) {
        self.connections_unauthenticated.set(connections.try_into().unwrap_or(i64::MAX));
    }

    pub(crate) fn set_connection_limit(&self, connections: usize) {
        self.connection_limit.set(connections.try_into().unwrap_or(i64::MAX));
    }

    /// All of it in the text format of Prometheus.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn client_labels(&self, client: &Client) -> ClientLabels {
        // People read the figures, too, and terminals do.
        let or_none = |text: &Option<String>| escaped(text.as_deref().unwrap_or("None")).to_string();
        let labels =
            ClientLabels { user_agent: or_none(&client.user_agent), version: or_none(&client.version) };
        bounded(&self.clients, labels)
    }

    fn count_login(&self, status: &'static str, method: LoginMethod) {
        let method = match method {
            LoginMethod::Password => "password",
            LoginMethod::Token => "token",
        };
        self.user_logins.get_or_create(&LoginLabels { status, method }).inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Labels that have been used. One that once became `other` may be let in never, and none ever leaves: so whatever is
/// counted up under some labels is counted down under the same.
#[derive(Debug)]
struct Bounded<L>(BTreeSet<L>);

impl<L> Default for Bounded<L> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

/// Labels a client has chosen.
trait Chosen: Ord + Clone {
    const OTHER: fn() -> Self;
    fn longest(&self) -> usize;
}

impl Chosen for ClientLabels {
    const OTHER: fn() -> Self = || Self { user_agent: "other".to_owned(), version: "other".to_owned() };

    fn longest(&self) -> usize {
        self.user_agent.len().max(self.version.len())
    }
}

impl Chosen for VersionLabel {
    const OTHER: fn() -> Self = || Self { version: "other".to_owned() };

    fn longest(&self) -> usize {
        self.version.len()
    }
}

fn bounded<L: Chosen>(known: &Mutex<Bounded<L>>, labels: L) -> L {
    let known = &mut known.lock().unwrap_or_else(PoisonError::into_inner).0;
    if known.contains(&labels) {
        return labels;
    }
    if known.len() >= LABEL_VALUES || labels.longest() > LABEL_LENGTH {
        return L::OTHER();
    }
    known.insert(labels.clone());
    labels
}

/// What is counted elsewhere, and only looked at when somebody asks.
#[derive(Debug)]
struct Elsewhere {
    sent: Arc<SentMessages>,
    store: Store,
}

impl Collector for Elsewhere {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut messages =
            encoder.encode_descriptor("server_messages", "Messages sent", None, MetricType::Counter)?;
        for format in WireFormat::ALL {
            let labels = [("protocol", format.metric_label())];
            ConstCounter::new(self.sent.count(format)).encode(messages.encode_family(&labels)?)?;
        }
        let mut failures =
            encoder.encode_descriptor("db_exceptions", "Queries that failed", None, MetricType::Counter)?;
        for (reason, count) in self.store.failures().counts() {
            let labels = [("class", "StoreError"), ("code", reason.name())];
            ConstCounter::new(count).encode(failures.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct LargeMessageMemory(Arc<LargeMessages>);

impl Collector for LargeMessageMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Memory taken for large messages of players";
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

    use super::*;

    fn metrics() -> (Metrics, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Metrics::new(Store::open(&folder.path().join("test.sqlite")).unwrap()), folder)
    }

    fn client(name: &str) -> Option<Arc<Client>> {
        Some(Arc::new(Client { user_agent: Some(name.to_owned()), version: None }))
    }

    #[test]
    fn series_have_the_names_dashboards_know() {
        let (metrics, _folder) = metrics();
        metrics.count(Count::Connection);
        metrics.count(Count::Client { before: None, after: client("x") });
        metrics.count(Count::Version("1.0".to_owned()));
        metrics.count(Count::Client { before: None, after: client("\u{1b}[31m") });
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
        assert!(text.contains("build_info{version="));
    }

    #[test]
    fn games_are_counted_in_all_combinations() {
        let (metrics, _folder) = metrics();
        let mut store = FakeStore::with_accounts(["Ada", "Bob", "Cem"]);
        store
            .data
            .featured_mods
            .extend((100..).zip("abcdefgh".chars()).map(|(id, name)| (name.to_string(), id)));
        metrics.expect_games(&store.data);
        let mut lobby = SimulatedLobby::new(faf_lobby_core::Settings::default(), store);
        let conns = ["Ada", "Bob", "Cem"].map(|login| lobby.log_in(login));
        for (conn, featured_mod) in conns.into_iter().zip(["coop", "faf", "faf"]) {
            lobby.say(
                conn,
                &format!(r#"{{"command":"game_host","mod":"{featured_mod}","visibility":"public"}}"#),
            );
        }
        lobby.say(conns[2], r#"{"command":"GameState","target":"game","args":["Idle"]}"#);
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
    fn clients_cannot_make_up_series_without_end() {
        let (metrics, _folder) = metrics();
        let names: Vec<_> = (0..1000).map(|number| format!("client {number}")).collect();
        for name in &names {
            metrics.count(Count::Client { before: None, after: client(name) });
        }
        metrics.count(Count::Client { before: None, after: client(&"x".repeat(1000)) });
        let text = metrics.text().unwrap();
        assert!(text.contains("server_user_connections{user_agent=\"other\",version=\"other\"} 901"));
        for name in &names {
            metrics.count(Count::Client { before: client(name), after: None });
        }
        let text = metrics.text().unwrap();
        assert!(text.contains("server_user_connections{user_agent=\"other\",version=\"other\"} 1\n"));
        assert!(text.contains("server_user_connections{user_agent=\"client 5\",version=\"None\"} 0"));
    }
}
