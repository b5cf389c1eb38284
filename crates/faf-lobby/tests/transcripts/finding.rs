//! What differs.

use std::fmt;

/// Longest part of a finding that is shown, in characters.
const SHOWN: usize = 400;

/// One thing that is otherwise than in the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where in the session; sections end at barriers and are counted from 1.
    pub(crate) section: usize,
    /// To whom it was told, or not told; none if it is about the database, a page, the broker or the policy service.
    pub(crate) client: Option<String>,
    /// What it is.
    pub(crate) what: String,
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
