//! Arguments that all scenarios share.

use std::path::PathBuf;

use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use faf_protocol::WireFormat;

use crate::swarm::address::Endpoint;

/// The server under load, and the load generator.
#[derive(Debug, Clone, Args)]
pub(crate) struct Setup {
    #[command(flatten)]
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// The server under load, and the logins of its players.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerOptions {
    /// URL of a running server: tcp://HOST:PORT (SimpleJson), qdatastream://HOST:PORT or
    /// ws://HOST:PORT/. Once for each wire format; clients are divided among them
    #[arg(long, value_name = "URL", required_unless_present = "start", conflicts_with = "start")]
    pub(crate) url: Vec<Endpoint>,

    /// Program faf-lobby, to be started with its own accounts in a temporary folder
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) start: Option<PathBuf>,

    /// Start the program with a MariaDB of its own, which needs `mariadbd`; the program must have
    /// been built with the feature `mariadb`
    #[arg(long, requires = "start")]
    pub(crate) mariadb: bool,

    /// Start the program as a core and this number of gateways, with a NATS of their own, which
    /// needs `nats-server`; the program must have been built with the feature `nats`. Its CPU time
    /// and memory are then those of the first gateway
    #[arg(long, value_name = "NUMBER", requires = "start", conflicts_with = "mariadb",
          value_parser = clap::value_parser!(u16).range(1..=16))]
    pub(crate) gateways: Option<u16>,

    /// Additional argument for the started program, such as --server-arg=--outbox-limit=1000000
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(crate) server_arg: Vec<String>,

    /// Process id of the server, to show its CPU time and memory; not needed with --start
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pid: Option<u32>,

    /// `token`: signed with the test key of faf-testkit, whose JWKS the server must trust (the
    /// accounts are 1, 2, 3...); `password`: with names and a password
    #[arg(long, value_enum, default_value_t = LoginMethod::Token)]
    pub(crate) login: LoginMethod,

    /// Names of accounts; {} stands for 1, 2, 3...
    #[arg(long, value_name = "PATTERN", default_value = "player{}")]
    pub(crate) user_pattern: String,

    /// Password of all accounts
    #[arg(long, default_value = "")]
    pub(crate) password: String,

    /// Wire format of the clients; `mix` uses all of them in turn. Default: all of the URLs, or tcp
    /// with --start
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
}

/// The kind of credentials of players.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoginMethod {
    #[default]
    Token,
    Password,
}

/// The wire formats of the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Tcp,
    Qdatastream,
    Ws,
    Mix,
}

impl Format {
    /// Returns the wire formats in the order in which clients use them.
    pub(crate) fn wire_formats(self) -> &'static [WireFormat] {
        match self {
            Self::Tcp => &[WireFormat::SimpleJson],
            Self::Qdatastream => &[WireFormat::QDataStream],
            Self::Ws => &[WireFormat::WebSocket],
            Self::Mix => &[WireFormat::SimpleJson, WireFormat::WebSocket, WireFormat::QDataStream],
        }
    }
}

/// Execution of the clients, and destinations of results.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load generator")]
pub(crate) struct RunOptions {
    /// Number of threads for the clients
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = count())]
    pub(crate) threads: usize,

    /// Number of connections from each loopback address
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_address: u32,

    /// Maximum number of logins in flight
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = count())]
    pub(crate) at_once: usize,

    /// Approximate number of clients that look for markers in received messages, to measure
    /// delivery times
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub(crate) sampled: u32,

    /// Fail if nothing happens for this many seconds
    #[arg(long = "time-limit", value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds())]
    pub(crate) time_limit: f64,

    /// After logins, wait until nothing has been received for this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.2, value_parser = seconds())]
    pub(crate) silence: f64,

    /// Write the results as JSON to this file; - is standard output, which then gets no table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draw latency, messages per second and memory of the server over time into this SVG file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

/// Length of the measurement.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LengthOptions {
    /// Length of the measurement, in seconds
    #[arg(long, default_value_t = 20.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    /// Stop once this many messages were delivered to clients
    #[arg(long, value_name = "COUNT")]
    pub(crate) deliveries: Option<u64>,
}

/// Part of a total: a number or a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Count(u32),
    Percent(f64),
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = match text.strip_suffix('%') {
            Some(share) => {
                share.parse().ok().filter(|share| (0.0..=100.0).contains(share)).map(Self::Percent)
            }
            None => text.parse().ok().map(Self::Count),
        };
        part.ok_or_else(|| format!("`{text}` is neither a number nor a share such as 1%"))
    }
}

impl Part {
    /// Returns the number of this part of `all`.
    pub(crate) fn of(self, all: u32) -> u32 {
        match self {
            Self::Count(count) => count.min(all),
            Self::Percent(share) => (f64::from(all) * share / 100.0).ceil() as u32,
        }
    }
}

/// Searching players.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct SearchOptions {
    /// Number of players that search in queues, half of them in parties of two: a share such as
    /// 20%, or a number. The server needs the queues ladder1v1 and tmm2v2, as a started one has
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub(crate) searching: Part,
}

/// A number of at least one.
fn count() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::new().range(1..=1_000_000)
}

/// A time in seconds: a day at most.
pub(crate) fn seconds() -> impl TypedValueParser<Value = f64> {
    within(0.0, 86_400.0)
}

/// Seconds between two repetitions: an hour at most.
pub(crate) fn interval() -> impl TypedValueParser<Value = f64> {
    within(0.01, 3600.0)
}

/// Number of repetitions per second.
pub(crate) fn rate() -> impl TypedValueParser<Value = f64> {
    within(0.001, 1_000_000.0)
}

/// A number between two bounds.
pub(crate) fn within(least: f64, most: f64) -> impl TypedValueParser<Value = f64> {
    move |text: &str| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("a number from {least} to {most} is wanted")),
    }
}
