//! The configuration: the settings, their sources, and their checks.
//!
//! `table.rs` is the one place that lists the settings; files, flags, environment variables, help
//! texts and ranges follow from it. `default.toml` is a copy for people who read the repository.

mod catalogue;
mod effective;
mod layers;
mod listen;
mod table;
mod units;
mod words;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use faf_protocol::WireFormat;
use hyper::header::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;
use tracing_subscriber::filter::{ParseError, Targets};

pub use catalogue::{Bound, Entry, Kind, Range, default_file};
pub use effective::{Effective, shown};
pub use layers::{Origin, Problem, Problems, Sources};
pub use listen::{Listen, ListenAddress};
pub use table::{CATALOGUE, Settings};
pub use words::{Banner, LogAddresses, LogFormat};

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

/// Whether the first login with a new name creates an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BoolOrWord")]
pub enum OpenRegistration {
    /// Accounts are created only by operators.
    Off,
    /// Accounts are created while only this machine can connect.
    OnLoopback,
    /// Accounts are created for everyone who can connect.
    Anywhere,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BoolOrWord {
    Bool(bool),
    Word(String),
}

impl TryFrom<BoolOrWord> for OpenRegistration {
    type Error = String;

    fn try_from(value: BoolOrWord) -> Result<Self, String> {
        match value {
            BoolOrWord::Bool(false) => Ok(Self::Off),
            BoolOrWord::Bool(true) => Ok(Self::OnLoopback),
            BoolOrWord::Word(word) if word == "anywhere" => Ok(Self::Anywhere),
            BoolOrWord::Word(word) => Err(format!("`{word}` is neither true nor false nor \"anywhere\"")),
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

    /// Returns the problems of values that are within their ranges, by setting.
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.idle_timeout > 0.0 && self.idle_timeout < 2.0 * self.ping_interval {
            let least = 2.0 * self.ping_interval;
            problems.push(("idle_timeout", format!("clients that answer every ping need at least {least}")));
        }
        if !self.websocket_path.starts_with('/') {
            problems.push(("websocket_path", "it must begin with a slash".to_owned()));
        }
        if let Some(origin) = self.websocket_origins.iter().find(|origin| !is_origin(origin)) {
            let problem = format!("`{origin}` is not an origin such as https://example.org, without a path");
            problems.push(("websocket_origins", problem));
        }
        if self.http.addresses().iter().any(|address| address.proxy) {
            problems.push(("http", "it cannot expect a PROXY header".to_owned()));
        }
        if !self.forwarded_header.is_empty() && self.forwarded_header.parse::<HeaderName>().is_err() {
            problems.push(("forwarded_header", "it is not the name of an HTTP header".to_owned()));
        }
        if self.database.as_os_str().is_empty() {
            problems.push(("database", "it must name a file".to_owned()));
        }
        if self.database.is_dir() {
            problems.push(("database", "it is a folder; name a file in it".to_owned()));
        }
        if self.database.as_os_str() == ":memory:" {
            let problem = "the database cannot be in memory: several threads use it, and it must outlive a crash; name a \
                           file, for instance one in /dev/shm, or try `faf-demo`, which leaves nothing behind";
            problems.push(("database", problem.to_owned()));
        }
        let listens = WireFormat::ALL.map(|format| self.listen(format));
        if listens.iter().all(|listen| listen.addresses().is_empty()) {
            problems.push(("websocket", "no client can connect: all listeners are off".to_owned()));
        }
        let expects_proxy = listens.iter().flat_map(|listen| listen.addresses()).any(|address| address.proxy);
        if self.trusted_proxies.is_empty() && (expects_proxy || !self.forwarded_header.is_empty()) {
            let problem = "no proxy is trusted, so nothing it says about clients counts; name its address";
            problems.push(("trusted_proxies", problem.to_owned()));
        }
        if let (OpenRegistration::OnLoopback, Some(public)) = (self.open_registration, self.public_address())
        {
            let problem = format!(
                "anybody who can reach {public} could create accounts; listen on 127.0.0.1 everywhere, without \
                 trusted_proxies, or insist with \"anywhere\""
            );
            problems.push(("open_registration", problem));
        }
        problems.extend(self.clashes());
        if let Err(error) = self.log_filter() {
            problems.push(("log", error));
        }
        if let Some(word) = log_targets(&self.log).find(|word| looks_like_level(word)) {
            problems.push((
                "log",
                format!("`{word}` is not a level; the levels are: off, error, warn, info, debug, trace"),
            ));
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
        WireFormat::ALL.into_iter().map(|format| self.listener(format)).chain([("http", &self.http)])
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
    #[must_use]
    pub fn unknown_log_targets(&self) -> Vec<&str> {
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
    pub fn log_filter(&self) -> Result<Targets, String> {
        self.log.parse().map_err(|error: ParseError| error.to_string())
    }

    /// Returns the settings of the lobby's core.
    #[must_use]
    pub fn lobby(&self) -> faf_lobby_core::Settings {
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
            allow_password_login: self.allow_password_login,
            www_url: self.www_url.clone(),
            content_url: self.content_url.clone(),
        }
    }

    /// Returns the limits of messages from clients.
    #[must_use]
    pub fn limits(&self) -> faf_protocol::Limits {
        faf_protocol::Limits { message: self.message_limit, nesting: self.nesting_limit }
    }

    /// Returns the time limit for clients that stop reading.
    pub(crate) fn stall_timeout(&self) -> Duration {
        seconds(self.stall_timeout)
    }

    /// Returns the time to wait at the start until the database is free.
    #[must_use]
    pub fn wait_for_database(&self) -> Duration {
        seconds(self.wait_for_database)
    }

    /// Returns the time limit for the PROXY header or the upgrade to WebSocket.
    #[must_use]
    pub fn handshake_timeout(&self) -> Duration {
        seconds(self.handshake_timeout)
    }
}

/// Returns the targets in a log filter: `info,hyper=warn` names `hyper`.
fn log_targets(filter: &str) -> impl Iterator<Item = &str> {
    let is_level = |word: &str| word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
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
    const CRATES: [&str; 14] = [
        "faf_lobby",
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
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

/// Returns whether a browser can send this as the origin of a page, or it means all.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").map(|(_, host)| host);
    matches!(text, "*" | "null") || host.is_some_and(|host| !host.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_equal_those_of_core_and_protocol() {
        let settings = Settings::default();
        assert_eq!(settings.problems(), []);
        assert_eq!(settings.lobby(), faf_lobby_core::Settings::default());
        assert_eq!(settings.limits(), faf_protocol::Limits::default());
        assert_eq!(settings.login_message_limit, faf_protocol::limits::LOGIN_MESSAGE_LIMIT);
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
