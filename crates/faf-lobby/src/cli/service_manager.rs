//! Reports to systemd, for units with `Type=notify`: when the server is ready, reads its
//! configuration again, or stops, and that it is alive. Without systemd they go nowhere.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};

use crate::server::Pulse;

/// The variable in which systemd names its socket.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// Number of reports within the time after which systemd restarts a silent server.
const REPORTS_PER_LIMIT: u32 = 3;

/// Number of reports that may wait until systemd reads them; further ones are dropped.
const QUEUE_LIMIT: usize = 64;

/// Sends reports, on a thread of its own, so that a service manager that does not read them holds
/// up nothing.
#[derive(Debug, Clone)]
pub(super) struct ServiceManager(Option<SyncSender<Vec<NotifyState<'static>>>>);

impl ServiceManager {
    /// Finds the service manager, if there is one that wants reports.
    pub(super) fn find() -> Self {
        if std::env::var_os(SOCKET_VARIABLE).is_none() {
            return Self(None);
        }
        let (sender, reports) = sync_channel::<Vec<NotifyState<'_>>>(QUEUE_LIMIT);
        std::thread::spawn(move || {
            for report in reports {
                if let Err(error) = sd_notify::notify(&report) {
                    tracing::debug!(%error, "the service manager cannot be told");
                }
            }
        });
        Self(Some(sender))
    }

    /// Reports that clients can log in.
    pub(super) fn ready(&self) {
        self.tell([NotifyState::Ready]);
    }

    /// Reports that the configuration is being read again. [`ready`](Self::ready) must follow.
    pub(super) fn reloading(&self) {
        // systemd wants the time, to tell this reload from an earlier one.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell([NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "there is no monotonic time for the service manager"),
        }
    }

    /// Reports that the server ends, as soon as it can; the status says for what it waits.
    pub(super) fn stopping(&self, status: &'static str) {
        self.tell([NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Reports forever that the lobby is alive, as long as it is, if systemd wants to know.
    pub(super) async fn feed_watchdog(self, lobby: Pulse) {
        if let Some(limit) = sd_notify::watchdog_enabled() {
            let beats = || {
                let lobby = lobby.clone();
                async move { lobby.beats().await }
            };
            feed(limit / REPORTS_PER_LIMIT, beats, || self.tell([NotifyState::Watchdog])).await;
        }
    }

    fn tell<const N: usize>(&self, states: [NotifyState<'static>; N]) {
        if let Some(sender) = &self.0 {
            // A report is dropped if systemd reads none.
            let _ = sender.try_send(states.into());
        }
    }
}

/// Calls `report` in every period in which `beats` returns true.
async fn feed<F: Future<Output = bool>>(period: Duration, beats: impl Fn() -> F, report: impl Fn()) {
    loop {
        if timeout(period, beats()).await == Ok(true) {
            report();
        }
        sleep(period).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use super::*;

    /// Returns the number of reports within ten periods.
    async fn reports<F: Future<Output = bool>>(beats: impl Fn() -> F) -> u32 {
        let reports = Cell::new(0);
        let period = Duration::from_secs(10);
        let feeding = feed(period, beats, || reports.set(reports.get() + 1));
        let _ = timeout(period * 10, feeding).await;
        reports.get()
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_lobby_that_replies_is_reported() {
        assert!(reports(|| ready(true)).await >= 10);
        assert_eq!(reports(|| ready(false)).await, 0);
        assert_eq!(reports(pending).await, 0);
    }
}
