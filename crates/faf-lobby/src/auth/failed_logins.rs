//! Rejected logins, as operators see them: in the log and in a metric.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::{ConnId, LogLine, LoginMethod, Network};
use tokio::time::Instant;

use crate::config::LogAddresses;
use crate::ops::metrics::Metrics;

/// Number of lines about failed logins that may be logged in a burst; after that, one every
/// [`PAUSE`]. Operators see who tries what, and nobody can fill their disk.
const LINES: u32 = 30;

/// Time until one more line may be logged.
const PAUSE: Duration = Duration::from_secs(1);

/// Logs and counts failed logins.
pub(crate) struct FailedLogins {
    addresses: LogAddresses,
    metrics: Arc<Metrics>,
    /// Time at which a full burst is allowed again.
    full_at: Instant,
    /// Number of failed logins since the last line that were not logged.
    left_out: u64,
}

/// A rejected login.
pub(crate) struct FailedLogin<'a> {
    /// The connection to the lobby; a login page has none.
    pub(crate) conn: Option<ConnId>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) method: &'static str,
    pub(crate) account: &'a str,
    pub(crate) reason: &'static str,
    pub(crate) detail: &'a str,
}

impl FailedLogins {
    pub(crate) fn new(addresses: LogAddresses, metrics: Arc<Metrics>) -> Self {
        Self { addresses, metrics, full_at: Instant::now(), left_out: 0 }
    }

    /// Counts a login that the lobby has rejected, and logs it unless there were too many.
    pub(crate) fn tell_line(&mut self, line: &LogLine) {
        let LogLine::LoginFailed { conn, address, method, account, reason, detail } = line else { return };
        let method = match method {
            LoginMethod::Password => "password",
            LoginMethod::Token => "token",
        };
        let (conn, address) = (Some(*conn), *address);
        self.tell(&FailedLogin { conn, address, method, account, reason, detail });
    }

    /// Counts a rejected login, and logs it unless there were too many.
    pub(crate) fn tell(&mut self, failed: &FailedLogin<'_>) {
        let FailedLogin { conn, address, method, account, reason, detail } = *failed;
        self.metrics.count_failed_login(reason);
        let Some(left_out) = self.may_write() else { return };
        let (address, conn) = (Shown(self.addresses, address), conn.map(|conn| conn.0));
        let reason = match detail {
            "" => reason.to_owned(),
            detail => format!("{reason}: {detail}"),
        };
        tracing::info!(conn, reason, account, %address, method, left_out, "a login has failed");
    }

    /// Returns the number of lines left out before this one, or `None` if this one must be left out
    /// as well.
    fn may_write(&mut self) -> Option<u64> {
        let now = Instant::now();
        let full_at = self.full_at.max(now) + PAUSE;
        if full_at > now + PAUSE * LINES {
            self.left_out += 1;
            return None;
        }
        self.full_at = full_at;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// An address, of which the log shows only the permitted part.
struct Shown(LogAddresses, Option<IpAddr>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(LogAddresses::None, _) => f.write_str("-"),
            Self(_, None) => f.write_str("unknown"),
            Self(LogAddresses::Network, Some(address)) => Network::widest(address).fmt(f),
            Self(LogAddresses::Full, Some(address)) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_failures_are_counted_and_few_are_written() {
        let metrics = Arc::new(Metrics::new());
        let mut failed = FailedLogins::new(LogAddresses::Network, Arc::clone(&metrics));
        let written = (0..1000).filter(|_| failed.may_write().is_some()).count();
        assert_eq!(written, LINES as usize);
        advance(PAUSE).await;
        assert_eq!((failed.may_write(), failed.may_write()), (Some(1000 - u64::from(LINES)), None));
        advance(PAUSE * LINES * 2).await;
        assert_eq!((0..1000).filter(|_| failed.may_write().is_some()).count(), LINES as usize);
        let line = LogLine::LoginFailed {
            conn: ConnId(1),
            address: None,
            method: LoginMethod::Token,
            account: String::new(),
            reason: "token not valid",
            detail: String::new(),
        };
        (0..40).for_each(|_| failed.tell_line(&line));
        let text = metrics.text().unwrap();
        assert!(text.contains("server_logins_failed_total{reason=\"token not valid\"} 40\n"), "{text}");
    }

    #[test]
    fn only_the_permitted_part_of_an_address_is_shown() {
        let shown = |how, address: &str| Shown(how, address.parse().ok()).to_string();
        assert_eq!(shown(LogAddresses::None, "1.2.3.4"), "-");
        assert_eq!(shown(LogAddresses::Network, "1.2.3.4"), "1.2.3.0/24");
        assert_eq!(shown(LogAddresses::Network, "2001:db8:1:2::3"), "2001:db8:1::/48");
        assert_eq!(shown(LogAddresses::Full, "2001:db8:1:2::3"), "2001:db8:1:2::3");
        assert_eq!(shown(LogAddresses::Full, ""), "unknown");
    }
}
