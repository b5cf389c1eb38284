//! Settings whose value is one of a few words.

use serde::Deserialize;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        one_of(&text, &[("text", Self::Text), ("json", Self::Json)])
    }
}

/// How much of the addresses of clients is in the log. From the level debug on, all of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogAddresses {
    /// Nothing.
    None,
    /// The network: of IPv4 the first 24 bits, of IPv6 the first 48.
    Network,
    /// All of it.
    Full,
}

impl TryFrom<String> for LogAddresses {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        one_of(&text, &[("none", Self::None), ("network", Self::Network), ("full", Self::Full)])
    }
}

/// When the server prints at the start where it listens and what to try next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Banner {
    /// If standard output is a terminal.
    OnTerminal,
    /// Also if it is a file or a pipe.
    Always,
    /// As one line of JSON, for programs that start a server and wait until it is ready.
    Json,
    /// Not at all.
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

/// Returns the value that a word stands for.
///
/// # Errors
/// The words that are known, for people.
fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("`{text}` is not one of {}", words.join(", "))
    })
}
