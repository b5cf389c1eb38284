//! SimpleJson: a message is a line.

/// Counts line feeds; there are none inside a message.
#[derive(Debug, Clone)]
pub(crate) struct Lines;

impl Lines {
    #[expect(clippy::unused_self, reason = "as the other counters are used")]
    pub(super) fn count(&self, bytes: &[u8]) -> u64 {
        memchr::memchr_iter(b'\n', bytes).count() as u64
    }
}
