//! The configuration: the settings, their sources, and their checks.
//!
//! `table.rs` is the one place that lists the settings; files, flags, environment variables, help
//! texts and ranges follow from it. `default.toml` is a copy for people who read the repository.

mod catalogue;
mod database;
mod effective;
pub(crate) mod faf;
mod layers;
mod listen;
mod table;
mod units;
mod words;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faf_connection::LargeMessages;
use faf_lobby_core::matchmaking::map_choice::AntiRepetition;
use faf_lobby_core::matchmaking::violations::ViolationSettings;
use faf_lobby_core::matchmaking::{MatchSettings, MatchmakingSettings};
use faf_protocol::WireFormat;
use hyper::header::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;
use toml::Value;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};

use crate::delivery::SlowConsumerPolicy;
use crate::publish::problem_of_exchange;

pub(crate) use catalogue::{Entry, Kind, default_file, entry, out_of_range};
pub use database::{DatabaseAddress, MariaDbAddress};
pub(crate) use effective::{Effective, is_secret};
pub(crate) use layers::{Origin, Problems, Sources};
pub use listen::{Listen, ListenAddress};
pub(crate) use table::CATALOGUE;
pub use table::Settings;
pub use words::{Banner, LogAddresses, LogFormat};

use crate::store::{Database, MariaDbOptions};

/// The problem with a listener for HTTP that is to expect a PROXY header.
const NO_PROXY_HEADER: &str = "it cannot expect a PROXY header";

/// The defaults.
impl Default for Settings {
    fn default() -> Self {
        Self::deserialize(catalogue::DEFAULTS.clone()).expect("the defaults of the table fit their types")
    }
}

/// A network, or a single address, that is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedProxy(pub IpNet);

impl TrustedProxy {
    /// Returns whether an address is part of the network. Sockets that serve both families write
    /// IPv4 addresses as IPv6 (`::ffff:10.0.0.1`), and operators may do so as well.
    pub(crate) fn includes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_mapped_inside = |address: Ipv4Addr| self.0.contains(&IpAddr::V6(address.to_ipv6_mapped()));
        self.0.contains(&address) || matches!(address, IpAddr::V4(address) if is_mapped_inside(address))
    }
}

impl TryFrom<String> for TrustedProxy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse().map(IpAddr::into).map_err(|_| ()));
        network
            .map(Self)
            .map_err(|()| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
    }
}

/// Whether something that is meant for one machine, or for a network of friends, is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Exposure {
    /// It is not offered.
    Off,
    /// It is offered while only this machine can connect.
    OnLoopback,
    /// It is offered to everyone who can connect.
    Anywhere,
}

impl TryFrom<Value> for Exposure {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Boolean(false) => Ok(Self::Off),
            Value::Boolean(true) => Ok(Self::OnLoopback),
            Value::String(word) if word == "anywhere" => Ok(Self::Anywhere),
            other => Err(format!("{other} is neither true nor false nor \"anywhere\"")),
        }
    }
}

impl Settings {
    /// Returns the addresses for clients of a wire format.
    #[must_use]
    pub fn listen(&self, format: WireFormat) -> &Listen {
        self.listener(format).1
    }

    /// The name and the value of the setting for a wire format.
    fn listener(&self, format: WireFormat) -> (&'static str, &Listen) {
        match format {
            WireFormat::QDataStream => ("qdatastream", &self.qdatastream),
            WireFormat::SimpleJson => ("simple_json", &self.simple_json),
            WireFormat::WebSocket => ("websocket", &self.websocket),
        }
    }

    /// Returns the database.
    #[must_use]
    pub fn database(&self) -> Database {
        match &self.database {
            DatabaseAddress::File(path) => Database::File(path.clone()),
            DatabaseAddress::MariaDb(address) => Database::MariaDb(MariaDbOptions {
                address: address.clone(),
                password: self.database_password.clone(),
                history_table: self.database_history_table.clone(),
                connections: self.database_connections,
                timeout: seconds(self.database_timeout),
            }),
        }
    }

    /// Returns the problems of values that are within their ranges, by setting.
    fn problems(&self) -> Vec<(&'static str, String)> {
        let file = match &self.database {
            DatabaseAddress::File(path) => Some(path.as_path()),
            DatabaseAddress::MariaDb(_) => None,
        };
        let forwards = !self.forwarded_header.is_empty();
        let clients = || WireFormat::ALL.into_iter().flat_map(|format| self.listen(format).addresses());
        let has_login_pages = self.login_pages != Exposure::Off;
        let expects_proxy = |address: &ListenAddress| address.proxy;
        // Problems whose text is always the same.
        let fixed = [
            ("websocket_path", !self.websocket_path.starts_with('/'), "it must begin with a slash"),
            ("http", self.http.addresses().iter().any(expects_proxy), NO_PROXY_HEADER),
            ("health", self.health.addresses().iter().any(expects_proxy), NO_PROXY_HEADER),
            ("control", self.control.addresses().iter().any(expects_proxy), NO_PROXY_HEADER),
            ("metrics", self.metrics.addresses().iter().any(expects_proxy), NO_PROXY_HEADER),
            (
                "forwarded_header",
                forwards && self.forwarded_header.parse::<HeaderName>().is_err(),
                "it is not the name of an HTTP header",
            ),
            ("database", file.is_some_and(|file| file.as_os_str().is_empty()), "it must name a file"),
            ("database", file.is_some_and(Path::is_dir), "it is a folder; name a file in it"),
            (
                "database",
                file == Some(Path::new(":memory:")),
                "the database cannot be in memory: several threads use it, and it must outlive a crash; name a file, \
                 for instance one in /dev/shm, or try `faf-demo`, which leaves nothing behind",
            ),
            ("websocket", clients().next().is_none(), "no client can connect: all listeners are off"),
            (
                "ladder_anti_repetition_weight_base_thresholds",
                self.ladder_anti_repetition_weight_base_thresholds.len() > 10,
                "there can be at most ten",
            ),
            (
                "login_pages",
                has_login_pages && self.http.addresses().is_empty(),
                "the pages are on the address of http, which is off",
            ),
            (
                "login_pages",
                has_login_pages && self.websocket.addresses().is_empty() && self.access_url.is_empty(),
                "/lobby/access has no address for clients: websocket is off, and access_url is empty",
            ),
            (
                "access_url",
                !self.access_url.is_empty() && !is_websocket_url(&self.access_url),
                "it is not a URL such as wss://ws.example.org/",
            ),
            (
                "trusted_proxies",
                self.trusted_proxies.is_empty() && (forwards || clients().any(expects_proxy)),
                "no proxy is trusted, so nothing it says about clients counts; name its address",
            ),
        ];
        let fixed = fixed.into_iter().filter(|(_, is_wrong, _)| *is_wrong);
        let mut problems: Vec<_> = fixed.map(|(setting, _, problem)| (setting, problem.to_owned())).collect();
        // Problems whose text names the value, or a value that would do.
        let least = 2.0 * self.ping_interval;
        if self.idle_timeout > 0.0 && self.idle_timeout < least {
            problems.push(("idle_timeout", format!("clients that answer every ping need at least {least}")));
        }
        if let Some(origin) = self.websocket_origins.iter().find(|origin| !is_origin(origin)) {
            let problem = format!("`{origin}` is not an origin such as https://example.org, without a path");
            problems.push(("websocket_origins", problem));
        }
        let exposed = [
            ("open_registration", self.open_registration, "could create accounts"),
            (
                "login_pages",
                self.login_pages,
                "could send passwords to it, and without TLS others could read them",
            ),
        ];
        for (setting, exposure, danger) in exposed {
            if let (Exposure::OnLoopback, Some(public)) = (exposure, self.public_address()) {
                let problem = format!(
                    "anybody who can reach {public} {danger}; listen on 127.0.0.1 everywhere, without \
                     trusted_proxies, or insist with \"anywhere\""
                );
                problems.push((setting, problem));
            }
        }
        problems.extend(self.problems_of_broker());
        problems.extend(self.problems_of_cluster());
        problems.extend(self.clashes());
        problems.extend(self.log_filter().err().map(|error| ("log", error)));
        if let Some(word) = log_targets(&self.log).find(|word| looks_like_level(word)) {
            let problem =
                format!("`{word}` is not a level; the levels are: off, error, warn, info, debug, trace");
            problems.push(("log", problem));
        }
        problems
    }

    /// Returns the problems of the settings of the broker, if there is one.
    fn problems_of_broker(&self) -> Vec<(&'static str, String)> {
        if self.broker_host.is_empty() {
            return Vec::new();
        }
        let mut problems = Vec::new();
        if !cfg!(feature = "rabbitmq") {
            let problem =
                "this build knows no broker; use a release, build with `--features rabbitmq`, or remove it";
            problems.push(("broker_host", problem.to_owned()));
        }
        if self.broker_host.contains(['/', '@', ' ']) {
            let problem =
                "it is a host name or an address, not a URL; the other parts have settings of their own";
            problems.push(("broker_host", problem.to_owned()));
        }
        problems
            .extend(problem_of_exchange(&self.broker_exchange).map(|problem| ("broker_exchange", problem)));
        problems
    }

    /// Returns the problems of the settings of a cluster.
    fn problems_of_cluster(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !is_cluster_name(&self.cluster) {
            let problem = "it must be 1 to 32 letters, digits, hyphens and underscores";
            problems.push(("cluster", problem.to_owned()));
        }
        if !self.nats.is_empty() && !cfg!(feature = "nats") {
            problems.push(("nats", format!("{NO_NATS}, or remove it")));
        }
        problems.extend(self.nats.iter().find_map(|url| Some(("nats", problem_of_nats_url(url)?))));
        if !self.nats_credentials.as_os_str().is_empty() && !self.nats_password.reveal().is_empty() {
            let problem = "there is also a password; one of the two is enough";
            problems.push(("nats_credentials", problem.to_owned()));
        }
        problems
    }

    /// Returns a listener that other machines can reach, if there is one. With a proxy in front,
    /// every listener counts.
    fn public_address(&self) -> Option<&ListenAddress> {
        let has_proxy = !self.trusted_proxies.is_empty();
        let mut addresses = self.listens().flat_map(|(_, listen)| listen.addresses());
        addresses.find(|address| has_proxy || !address.is_loopback())
    }

    /// Returns the addresses of all listeners, by setting.
    pub(crate) fn listens(&self) -> impl Iterator<Item = (&'static str, &Listen)> {
        let for_programs = [
            ("http", &self.http),
            ("health", &self.health),
            ("control", &self.control),
            ("metrics", &self.metrics),
        ];
        WireFormat::ALL.into_iter().map(|format| self.listener(format)).chain(for_programs)
    }

    /// Returns the addresses that are used twice.
    fn clashes(&self) -> Vec<(&'static str, String)> {
        let all: Vec<_> = self
            .listens()
            .flat_map(|(setting, listen)| listen.addresses().iter().map(move |address| (setting, address)))
            .collect();
        let mut clashes = Vec::new();
        for (number, (setting, address)) in all.iter().enumerate() {
            if let Some((other, _)) = all[..number].iter().find(|(_, before)| before.clashes_with(address)) {
                clashes.push((*setting, format!("{address} is already used by {other}")));
            }
        }
        clashes
    }

    /// Returns the targets in the log filter that do not exist.
    pub(crate) fn unknown_log_targets(&self) -> Vec<&str> {
        log_targets(&self.log).filter(|target| !is_known_target(target)).collect()
    }

    /// Returns whether only this machine can connect.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.public_address().is_none()
    }

    /// Returns the filter of the log.
    ///
    /// # Errors
    /// A description, if the filter cannot be understood.
    pub(crate) fn log_filter(&self) -> Result<Targets, String> {
        let filter: Targets = self.log.parse().map_err(|error: ParseError| error.to_string())?;
        // The libraries of the broker and of NATS log each failed attempt to connect; the server
        // logs the first.
        let libraries = ["lapin", "async_nats"].into_iter();
        let silent =
            libraries.filter(|library| !log_targets(&self.log).any(|target| target.starts_with(library)));
        Ok(silent.fold(filter, |filter, library| filter.with_target(library, LevelFilter::OFF)))
    }

    /// Returns the settings of the lobby's core.
    pub(crate) fn lobby(&self) -> faf_lobby_core::Settings {
        faf_lobby_core::Settings {
            login_timeout: seconds(self.login_timeout),
            login_attempts: self.login_attempts,
            login_attempts_per_address: self.login_attempts_per_address,
            login_rate: self.login_rate,
            ping_interval: seconds(self.ping_interval),
            idle_timeout: (self.idle_timeout > 0.0).then(|| seconds(self.idle_timeout)),
            report_interval: seconds(self.report_interval),
            shutdown_grace_period: seconds(self.shutdown_grace_period),
            shutdown_kick_idle_players: self.shutdown_kick_idle_players,
            game_setup_timeout: seconds(self.game_setup_timeout),
            reconnect_grace_period: seconds(self.reconnect_grace_period),
            game_end_timeout: seconds(self.game_end_timeout),
            restart_grace_period: seconds(self.restart_grace_period),
            rated_games_per_pair: self.rated_games_per_pair,
            matchmaking: self.matchmaking(),
            matches: self.matches(),
            allow_password_login: self.allow_password_login,
            www_url: self.www_url.clone(),
            content_url: self.content_url.clone(),
        }
    }

    /// Returns the rules by which the queues make matches.
    fn matchmaking(&self) -> MatchmakingSettings {
        MatchmakingSettings {
            newbie_base_mean: self.newbie_base_mean,
            newbie_min_games: self.newbie_min_games,
            high_rated_player_min_rating: self.high_rated_player_min_rating,
            top_player_min_rating: self.top_player_min_rating,
            minimum_game_quality: self.minimum_game_quality,
            maximum_rating_imbalance: self.maximum_rating_imbalance,
            maximum_rating_deviation: self.maximum_rating_deviation,
            time_bonus: self.time_bonus,
            maximum_time_bonus: self.maximum_time_bonus,
            newbie_time_bonus: self.newbie_time_bonus,
            maximum_newbie_time_bonus: self.maximum_newbie_time_bonus,
            minority_bonus: self.minority_bonus,
            minority_bonus_rating_range: self.minority_bonus_rating_range,
            ladder_search_expansion_step: self.ladder_search_expansion_step,
            ladder_search_expansion_max: self.ladder_search_expansion_max,
            ladder_top_player_search_expansion_step: self.ladder_top_player_search_expansion_step,
            ladder_top_player_search_expansion_max: self.ladder_top_player_search_expansion_max,
            ladder_newbie_search_expansion_step: self.ladder_newbie_search_expansion_step,
            ladder_newbie_search_expansion_max: self.ladder_newbie_search_expansion_max,
            queue_pop_time_max: self.queue_pop_time_max,
            queue_pop_time_min: self.queue_pop_time_min,
            queue_pop_desired_matches: self.queue_pop_desired_matches,
            queue_pop_time_moving_avg_size: self.queue_pop_time_moving_avg_size,
        }
    }

    /// Returns the rules for setting up matches.
    fn matches(&self) -> MatchSettings {
        MatchSettings {
            map_pool_rating_selection: self.map_pool_rating_selection,
            ladder_anti_repetition_limit: self.ladder_anti_repetition_limit,
            anti_repetition: AntiRepetition {
                weight_base_thresholds: self.ladder_anti_repetition_weight_base_thresholds.clone(),
                repeat_counts_factor: self.ladder_anti_repetition_repeat_counts_factor,
            },
            violations: ViolationSettings {
                enabled: self.ladder_violations_enabled,
                ban_threshold: self.ladder_violations_ban_threshold,
                first_ban_duration: seconds(self.ladder_violations_first_ban_duration),
                ban_duration: seconds(self.ladder_violations_ban_duration),
                reset_time: seconds(self.ladder_violations_reset_time),
            },
            common_losses_share: self.ladder_violations_common_losses_share,
        }
    }

    /// Returns the limits for clients that do not keep up.
    pub(crate) fn slow_consumers(&self) -> SlowConsumerPolicy {
        SlowConsumerPolicy {
            chunk_bytes: self.outbox_limit,
            memory: self.outbox_memory,
            stall_timeout: seconds(self.stall_timeout),
        }
    }

    /// Returns the memory for large messages of players.
    pub(crate) fn large_messages(&self) -> Arc<LargeMessages> {
        LargeMessages::new(self.large_message_memory, self.message_limit, self.large_message_rate)
    }

    /// Returns the limits of messages from clients.
    pub(crate) fn limits(&self) -> faf_protocol::Limits {
        faf_protocol::Limits { message: self.message_limit, nesting: self.nesting_limit }
    }
}

/// Returns the targets in a log filter: `info,hyper=warn` names `hyper`.
fn log_targets(filter: &str) -> impl Iterator<Item = &str> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let words = filter.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.filter(move |word| !is_level(word)).map(|word| word.split(['=', '[']).next().unwrap_or(word))
}

/// Returns whether a word was probably meant as a level.
fn looks_like_level(word: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warning", "information", "debug", "trace"];

    !is_known_target(word)
        && word.len() > 2
        && LEVELS.iter().any(|level| {
            let word = word.to_lowercase();
            level.starts_with(&word)
                || word.starts_with(level)
                || strsim::damerau_levenshtein(level, &word) <= 1
        })
}

/// Returns whether there is a log target with this name: a crate, or a part of one.
fn is_known_target(target: &str) -> bool {
    const CRATES: [&str; 18] = [
        "faf_lobby",
        "faf_lobby_nats",
        "faf_lobby_rabbitmq",
        "async_nats",
        "lapin",
        "faf_lobby_core",
        "faf_connection",
        "faf_protocol",
        "axum",
        "hyper",
        "hyper_util",
        "maxminddb",
        "mio",
        "rusqlite",
        "rustls",
        "tokio",
        "tower",
        "ureq",
    ];

    let name = target.split("::").next().unwrap_or(target);
    // A prefix is enough, even the beginning of a name.
    !name.is_empty() && CRATES.iter().any(|known| known.starts_with(name) || *known == name)
}

/// Converts a setting, which is within its bounds and thus neither negative nor too large.
pub(crate) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

/// Why this build cannot be a part of a cluster, and what to do about it.
pub(crate) const NO_NATS: &str = "this build of faf-lobby has no NATS; use a release, or build it with `cargo build \
     --release --features nats`";

/// Returns whether this can be a part of the names of streams and subjects of NATS.
fn is_cluster_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=32).contains(&text.len()) && text.chars().all(is_allowed)
}

/// Returns the problem with the URL of a server of NATS, if there is one.
fn problem_of_nats_url(url: &str) -> Option<String> {
    // The URL is not quoted: it may contain a password.
    let wrong = || Some("it is not a URL such as nats://10.0.0.1:4222 or tls://nats.example.org".to_owned());
    let Ok(uri) = url.parse::<hyper::Uri>() else { return wrong() };
    let is_complete = matches!(uri.scheme_str(), Some("nats" | "tls")) && uri.host().is_some();
    let user =
        uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| user);
    match user {
        Some(user) if user.contains(':') => Some(
            "it contains a password, which others could read in the list of processes; put it into \
             nats_password, or into the environment variable FAF_LOBBY_NATS_PASSWORD"
                .to_owned(),
        ),
        _ if !is_complete || !matches!(uri.path(), "" | "/") || uri.query().is_some() => wrong(),
        _ => None,
    }
}

/// Returns whether a browser can send this as the origin of a page, or it means all.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").map(|(_, host)| host);
    matches!(text, "*" | "null") || host.is_some_and(|host| !host.contains('/'))
}

/// Returns whether clients can connect to this with WebSocket.
fn is_websocket_url(text: &str) -> bool {
    let url: Result<hyper::Uri, _> = text.parse();
    url.is_ok_and(|url| matches!(url.scheme_str(), Some("ws" | "wss")) && url.host().is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_defaults_equal_those_of_core_and_protocol() {
        let settings = Settings::default();
        assert_eq!(settings.problems(), []);
        assert_eq!(settings.lobby(), faf_lobby_core::Settings::default());
        assert_eq!(settings.limits(), faf_protocol::Limits::default());
        assert_eq!(settings.login_message_limit, faf_protocol::limits::LOGIN_MESSAGE_LIMIT);
    }

    /// Returns all values of the lobby's settings by their paths, such as
    /// `matches.violations.enabled`.
    fn values_by_path(settings: &Settings) -> BTreeMap<String, serde_json::Value> {
        fn add(path: &str, value: serde_json::Value, all: &mut BTreeMap<String, serde_json::Value>) {
            match value {
                serde_json::Value::Object(fields) => {
                    fields.into_iter().for_each(|(name, value)| add(&format!("{path}.{name}"), value, all));
                }
                value => drop(all.insert(path.trim_start_matches('.').to_owned(), value)),
            }
        }
        let mut all = BTreeMap::new();
        add("", serde_json::to_value(settings.lobby()).unwrap(), &mut all);
        all
    }

    #[test]
    fn each_setting_of_the_matchmaker_changes_the_rule_of_its_name_and_no_other() {
        let before = values_by_path(&Settings::default());
        let of_matchmaker = || CATALOGUE.iter().filter(|entry| entry.section == "The matchmaker");
        for entry in of_matchmaker() {
            let default = entry.default.parse::<f64>();
            let other = match entry.kind {
                Kind::Switch => "false".to_owned(),
                Kind::Text => "max".to_owned(),
                Kind::Numbers => "1,0.25".to_owned(),
                Kind::Count => (default.unwrap() + 1.0).to_string(),
                _ => (default.unwrap() * 0.75).to_string(),
            };
            let flags = BTreeMap::from([(entry.name.to_owned(), other)]);
            let changed = Effective::load(&Sources { flags, ..Sources::default() }).unwrap();
            let after = values_by_path(&changed.settings());
            let differ: Vec<_> = before.keys().filter(|path| before[*path] != after[*path]).collect();
            let [path] = differ[..] else { panic!("{} changes {differ:?}", entry.name) };
            // A time is written as seconds and a fraction.
            let field = path.trim_end_matches(".secs").rsplit('.').next().unwrap();
            assert!(entry.name.ends_with(field), "{} changes {path}", entry.name);
        }
        let rules = before.keys().filter(|path| path.starts_with("match") && !path.ends_with(".nanos"));
        assert_eq!(of_matchmaker().count(), rules.count(), "a rule without a setting");
    }

    #[test]
    fn settings_of_the_matchmaker_have_bounds() {
        let problem = |setting: &str, value: &str| {
            let flags = BTreeMap::from([(setting.to_owned(), value.to_owned())]);
            match Effective::load(&Sources { flags, ..Sources::default() }) {
                Ok(_) => String::new(),
                Err(Problems(problems)) => problems[0].problem.clone(),
            }
        };
        assert_eq!(problem("queue_pop_time_min", "0"), "0 is not between 1 and 90");
        assert_eq!(problem("queue_pop_time_min", "2m"), "120 is not between 1 and 90");
        assert_eq!(problem("minority_bonus_rating_range", "nan"), "NaN is not between 1 and 100000");
        assert_eq!(problem("maximum_rating_imbalance", "0.5"), "0.5 is not between 1 and 100000");
        assert_eq!(problem("newbie_min_games", "1.5"), "`1.5` is not a whole number");
        let thresholds = |text| problem("ladder_anti_repetition_weight_base_thresholds", text);
        assert_eq!([thresholds("[1, 0.25]"), thresholds("1"), thresholds("")], [""; 3]);
        assert_eq!(thresholds("0.5, -1"), "-1 is not between 0 and 10");
        assert_eq!(thresholds(&["1"; 11].join(",")), "there can be at most ten");
    }

    #[test]
    fn servers_of_nats_are_urls_without_passwords() {
        for right in ["nats://10.0.0.1", "nats://[::1]:4222", "tls://lobby@nats.example.org:4222/"] {
            assert_eq!(problem_of_nats_url(right), None, "{right}");
        }
        for wrong in ["", "10.0.0.1:4222", "http://10.0.0.1", "nats://", "nats://h/x", "nats://h?x", "a b"] {
            assert!(problem_of_nats_url(wrong).unwrap().contains("not a URL"), "{wrong}");
        }
        let problem = problem_of_nats_url("nats://lobby:hunter2@10.0.0.1").unwrap();
        assert!(problem.contains("nats_password") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn name_of_a_cluster_is_a_part_of_a_subject() {
        assert!(is_cluster_name("faf-lobby") && is_cluster_name("Test_2"));
        for wrong in ["", "a.b", "a b", "a*", ">", "é", &"x".repeat(33)] {
            assert!(!is_cluster_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let proxy = |text: &str| TrustedProxy::try_from(text.to_owned());
        let includes =
            |network: &str, address: &str| proxy(network).unwrap().includes(address.parse().unwrap());
        assert!(includes("10.0.0.0/8", "10.1.2.3") && includes("::1", "::1"));
        assert!(includes("10.0.0.0/8", "::ffff:10.1.2.3") && includes("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(includes("::ffff:10.1.2.3", "10.1.2.3") && includes("::ffff:10.1.2.3", "::ffff:10.1.2.3"));
        assert!(!includes("10.0.0.0/8", "::ffff:11.1.2.3") && !includes("::ffff:10.0.0.0/104", "11.1.2.3"));
        assert!(!includes("::1", "127.0.0.1"));
        assert!(proxy("localhost").is_err());
    }
}
