//! Signals to a server.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code::Failure;

/// Request that a signal stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// The server must end: SIGTERM, SIGINT.
    End,
    /// The server must read its configuration again, or the terminal has closed: SIGHUP.
    Reload,
}

/// Signals that a server reacts to.
///
/// Those that were ignored when the process began stay ignored: `nohup` ignores SIGHUP so that a
/// server outlives its terminal, and shells ignore SIGINT for background jobs.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Option<Signal>,
    hang_up: Option<Signal>,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let ignored = ignored_signals(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        let watch_unless_ignored = |kind: SignalKind| {
            let is_ignored = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
            (!is_ignored).then(|| signal(kind)).transpose()
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: watch_unless_ignored(SignalKind::interrupt())?,
            hang_up: watch_unless_ignored(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::End,
            () = received(&mut self.interrupt) => Request::End,
            () = received(&mut self.hang_up) => Request::Reload,
        }
    }

    /// Waits for a signal that ends the server.
    pub(super) async fn end(&mut self) {
        while self.next().await != Request::End {}
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns the set of ignored signals from the status of a process under Linux: bit 0 is signal 1.
fn ignored_signals(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        assert_eq!(
            ignored_signals("Name:\tx\nSigBlk:\t0000000000000004\nSigIgn:\t0000000000001003\n"),
            0x1003
        );
        assert_eq!(ignored_signals(""), 0);
    }
}
