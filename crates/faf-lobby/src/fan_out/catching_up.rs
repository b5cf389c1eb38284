//! Waiting for a client that has fallen behind.

use std::time::Duration;

use faf_connection::Writer;
use faf_connection::running_time::timeout;

/// What has become of a client that had fallen behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaughtUp {
    /// It has taken everything that was handed over, or is gone.
    Drained,
    /// It has taken nothing for too long.
    Stalled,
}

/// Waits until a client has taken all that was handed over, or takes nothing for so long while the process runs.
pub(crate) async fn catch_up(writer: &Writer, stall_timeout: Duration) -> CaughtUp {
    while let Some(less) = writer.waiting().checked_sub(1) {
        if timeout(stall_timeout, writer.wait_for_room(less)).await.is_none() {
            return CaughtUp::Stalled;
        }
        if !writer.is_connected() {
            break;
        }
    }
    CaughtUp::Drained
}
