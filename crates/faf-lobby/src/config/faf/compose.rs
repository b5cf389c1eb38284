//! Settings that follow from several keys, or from one with other words.

use faf_protocol::WireFormat;
use toml::Value;

use super::values::{Listener, Typed};
use super::{Derived, FILE_VARIABLE, FafConfiguration, Kind, Origin, as_setting};

/// Keys of the database.
const DATABASE: &[&str] = &["DB_SERVER", "DB_PORT", "DB_LOGIN", "DB_NAME", "DB_PASSWORD", "DB_FLYWAY_TABLE"];

/// Keys of the broker.
const BROKER: &[&str] = &["MQ_SERVER", "MQ_PORT", "MQ_USER", "MQ_VHOST", "MQ_PASSWORD", "MQ_EXCHANGE_NAME"];

/// Networks from which a proxy may name clients' addresses: those that are not routed on the
/// internet. FAF's server trusts everybody; behind its ingress, every peer is in one of these.
const PRIVATE_NETWORKS: [&str; 8] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "fe80::/10",
];

impl FafConfiguration {
    /// Returns the settings whose values are not those of one key.
    pub(super) fn compose(&mut self) -> Vec<Derived> {
        let mut all = Vec::new();
        let mut trusts_proxies = Vec::new();
        if self.applies(&["WS_HOST", "WS_PORT"]) {
            let address = address(&self.text("WS_HOST"), &self.text("WS_PORT"));
            all.push(self.derived("websocket", address, &["WS_HOST", "WS_PORT"]));
        }
        if self.applies(&["WS_FORWARDED_IP_HEADER"]) {
            let header = self.text("WS_FORWARDED_IP_HEADER");
            if !header.is_empty() {
                trusts_proxies.push("WS_FORWARDED_IP_HEADER");
            }
            all.push(self.derived("forwarded_header", header, &["WS_FORWARDED_IP_HEADER"]));
        }
        if self.applies(&["LISTEN"]) {
            let listeners = self.listeners();
            if listeners.iter().any(|listener| listener.proxy) {
                trusts_proxies.push("LISTEN");
            }
            for (setting, format) in
                [("qdatastream", WireFormat::QDataStream), ("simple_json", WireFormat::SimpleJson)]
            {
                let addresses = addresses(&listeners, format);
                all.push(self.derived(setting, addresses, &["LISTEN"]));
            }
        }
        if !trusts_proxies.is_empty() {
            let networks = PRIVATE_NETWORKS.map(Value::from).to_vec();
            all.push(self.derived("trusted_proxies", networks, &trusts_proxies));
        }
        if self.applies(&["LOG_LEVEL"]) {
            match filter(&self.text("LOG_LEVEL")) {
                Some(filter) => all.push(self.derived("log", filter, &["LOG_LEVEL"])),
                None => self.log_level_is_unknown(),
            }
        }
        for (setting, key) in [("health", "HEALTH_SERVER_PORT"), ("control", "CONTROL_SERVER_PORT")] {
            if self.applies(&[key]) {
                all.push(self.derived(setting, address("", &self.text(key)), &[key]));
            }
        }
        let keys = &["METRICS_PORT", "ENABLE_METRICS"];
        if self.applies(keys) {
            let are_on = self.switch("ENABLE_METRICS");
            let address = if are_on { address("", &self.text("METRICS_PORT")) } else { "off".to_owned() };
            all.push(self.derived("metrics", address, keys));
            // Its default is the port of FAF's metrics.
            if self.file.is_some() {
                let origin = Origin::Variable(FILE_VARIABLE.to_owned());
                all.push(Derived { setting: "http", value: Value::from("off"), origin });
            } else if are_on {
                all.push(self.derived("http", "off", keys));
            }
        }
        let keys = &["FAF_POLICY_SERVER_BASE_URL", "USE_POLICY_SERVER"];
        if self.applies(keys) {
            let url = match self.switch("USE_POLICY_SERVER") {
                true => self.text("FAF_POLICY_SERVER_BASE_URL"),
                false => String::new(),
            };
            all.push(self.derived("policy_server", url, keys));
        }
        all.extend(self.database());
        all.extend(self.broker());
        all
    }

    fn derived(&self, setting: &'static str, value: impl Into<Value>, keys: &[&'static str]) -> Derived {
        Derived { setting, value: value.into(), origin: self.origin(keys) }
    }

    fn database(&self) -> Vec<Derived> {
        if !self.applies(DATABASE) {
            return Vec::new();
        }
        let url = format!(
            "mysql://{}@{}/{}",
            self.text("DB_LOGIN"),
            address(&self.text("DB_SERVER"), &self.text("DB_PORT")),
            self.text("DB_NAME")
        );
        vec![
            self.derived("database", url, &DATABASE[..4]),
            self.derived("database_password", self.text("DB_PASSWORD"), &["DB_PASSWORD"]),
            self.derived("database_history_table", self.text("DB_FLYWAY_TABLE"), &["DB_FLYWAY_TABLE"]),
        ]
    }

    fn broker(&self) -> Vec<Derived> {
        if !self.applies(BROKER) {
            return Vec::new();
        }
        let text = |setting, key| self.derived(setting, self.text(key), &[key]);
        let port = as_setting(Kind::Count, self.value("MQ_PORT"));
        vec![
            text("broker_host", "MQ_SERVER"),
            self.derived("broker_port", port, &["MQ_PORT"]),
            text("broker_user", "MQ_USER"),
            text("broker_password", "MQ_PASSWORD"),
            text("broker_vhost", "MQ_VHOST"),
            text("broker_exchange", "MQ_EXCHANGE_NAME"),
        ]
    }

    /// Returns the elements of `LISTEN` whose format there is; the others are problems.
    fn listeners(&mut self) -> Vec<Listener> {
        let Typed::Listeners(listeners) = self.value("LISTEN") else { return Vec::new() };
        let (known, unknown): (Vec<_>, Vec<_>) =
            listeners.into_iter().partition(|listener| format_of(listener).is_some());
        for Listener { protocol, .. } in unknown {
            let problem =
                format!("PROTOCOL: `{protocol}` is neither QDataStreamProtocol nor SimpleJsonProtocol");
            self.add_problem_of_key("LISTEN", problem);
        }
        known
    }

    fn log_level_is_unknown(&mut self) {
        let level = self.text("LOG_LEVEL");
        let problem = format!(
            "`{level}` is not a level; the levels are: TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL, and numbers \
             from 0 to 50"
        );
        self.add_problem_of_key("LOG_LEVEL", problem);
    }

    fn add_problem_of_key(&mut self, key: &'static str, problem: String) {
        let origin = self.set.get(key).map_or(Origin::Default, |found| found.origin.clone());
        self.add_problem(origin, key, problem);
    }
}

/// Returns a host and a port as an address of a setting.
fn address(host: &str, port: &str) -> String {
    match host {
        "" => format!("*:{port}"),
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// Returns the addresses of the listeners with this format.
fn addresses(listeners: &[Listener], format: WireFormat) -> Value {
    let of_format = listeners.iter().filter(|listener| format_of(listener) == Some(format));
    let texts: Vec<_> = of_format
        .map(|listener| {
            let proxy = if listener.proxy { " proxy" } else { "" };
            Value::String(address(&listener.address, &listener.port.to_string()) + proxy)
        })
        .collect();
    if texts.is_empty() { Value::from("off") } else { Value::Array(texts) }
}

fn format_of(listener: &Listener) -> Option<WireFormat> {
    match listener.protocol.as_str() {
        "QDataStreamProtocol" => Some(WireFormat::QDataStream),
        "SimpleJsonProtocol" => Some(WireFormat::SimpleJson),
        _ => None,
    }
}

/// Returns the log filter for a level of Python, by its name or its number. Other crates, such as
/// the one for HTTP, are not more detailed than `info`.
fn filter(level: &str) -> Option<String> {
    let level = match level.to_uppercase().as_str() {
        "TRACE" => "trace",
        "DEBUG" => "debug",
        "INFO" => "info",
        "WARN" | "WARNING" => "warn",
        "ERROR" | "CRITICAL" | "FATAL" => "error",
        number => match number.parse::<f64>().ok()? {
            0.0..10.0 => "trace",
            10.0..20.0 => "debug",
            20.0..30.0 => "info",
            30.0..40.0 => "warn",
            40.0..=50.0 => "error",
            _ => return None,
        },
    };
    Some(match level {
        "trace" | "debug" => format!("info,faf_={level}"),
        level => level.to_owned(),
    })
}
