//! Differences that the comparison finds.

use std::fmt;

/// Maximum number of characters of a finding that are shown.
const SHOWN: usize = 400;

/// A difference from the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Section of the session; sections end at barriers and are counted from 1.
    pub section: usize,
    /// Client that received, or did not receive, the message; `None` for the database, a page, the
    /// broker or the policy service.
    pub client: Option<String>,
    /// Description of the difference.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in section {}", self.section)?;
        if let Some(client) = &self.client {
            write!(f, ", {client}")?;
        }
        match self.what.char_indices().nth(SHOWN) {
            None => write!(f, ": {}", self.what),
            Some((end, _)) => write!(f, ": {}...", &self.what[..end]),
        }
    }
}
