//! Settings whose value is one of a few words.

use serde::Deserialize;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// The part of clients' addresses that is logged. From the level debug on, the whole address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogAddresses {
    /// No part of the address.
    None,
    /// The network: of IPv4 the first 24 bits, of IPv6 the first 48.
    Network,
    /// The whole address.
    Full,
}

/// When the server prints the addresses of its listeners and the next steps at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Banner {
    /// If standard output is a terminal.
    #[serde(rename = "terminal")]
    OnTerminal,
    /// Also if it is a file or a pipe.
    Always,
    /// As one line of JSON, for programs that start a server and wait until it is ready.
    Json,
    /// No banner.
    Never,
}
