//! Settings whose value is one of a few words.

use serde::Deserialize;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        one_of(&text, &[("text", Self::Text), ("json", Self::Json)])
    }
}

/// The part of clients' addresses that is logged. From the level debug on, the whole address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogAddresses {
    /// No part of the address.
    None,
    /// The network: of IPv4 the first 24 bits, of IPv6 the first 48.
    Network,
    /// The whole address.
    Full,
}

impl TryFrom<String> for LogAddresses {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        one_of(&text, &[("none", Self::None), ("network", Self::Network), ("full", Self::Full)])
    }
}

/// When the server prints the addresses of its listeners and the next steps at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Banner {
    /// If standard output is a terminal.
    OnTerminal,
    /// Also if it is a file or a pipe.
    Always,
    /// As one line of JSON, for programs that start a server and wait until it is ready.
    Json,
    /// No banner.
    Never,
}

impl TryFrom<String> for Banner {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words = [
            ("terminal", Self::OnTerminal),
            ("always", Self::Always),
            ("json", Self::Json),
            ("never", Self::Never),
        ];
        one_of(&text, &words)
    }
}

/// Returns the value of a word.
///
/// # Errors
/// A text for people that lists the known words.
fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("`{text}` is not one of {}", words.join(", "))
    })
}
