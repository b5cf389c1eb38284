//! Settings of the broker's connection.

use std::fmt;
use std::time::Duration;

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

/// Longest name of the exchange or the host, in bytes, so that the names of queues, which contain
/// both, have at most the 255 bytes of AMQP.
const NAME_LIMIT: usize = 100;

/// Time between heartbeats that is negotiated with the broker, in seconds. The library gives a
/// silent broker up after twice this time.
const HEARTBEAT: u16 = 10;

/// The broker, and the account that uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Host name or address.
    pub host: String,
    /// TCP port; 5672 at most brokers.
    pub port: u16,
    /// Name of the account.
    pub user: String,
    /// Password of the account.
    pub password: Password,
    /// Name of the virtual host, with the slash at its beginning if it has one: `/faf-core`.
    pub vhost: String,
    /// Name of the exchange, at most 100 bytes.
    pub exchange: String,
    /// Name of this machine, which distinguishes the queues of several servers, at most 100 bytes:
    /// see [`Settings::host_name`].
    pub host_name: String,
}

impl Settings {
    /// Returns the name of this machine, at most 100 bytes.
    #[must_use]
    pub fn host_name() -> String {
        let mut name = gethostname::gethostname().to_string_lossy().into_owned();
        name.truncate(name.floor_char_boundary(NAME_LIMIT));
        name
    }

    /// Returns the problem of a name for the exchange, if it has one.
    #[must_use]
    pub fn problem_of_exchange(name: &str) -> Option<String> {
        (name.is_empty() || name.len() > NAME_LIMIT)
            .then(|| format!("the name of the exchange must have 1 to {NAME_LIMIT} bytes"))
    }

    /// Returns the address of the broker, for logs.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn uri(&self) -> AMQPUri {
        AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username: self.user.clone(), password: self.password.0.clone() },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString { heartbeat: Some(HEARTBEAT), ..AMQPQueryString::default() },
        }
    }
}

/// A password, which no log and no error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Time limits and pauses. Only tests change the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// For a connection with all its declarations. Default: 15 s.
    pub open: Duration,
    /// For the response to any other request, after which the connection is given up.
    /// Default: 10 s.
    pub respond: Duration,
    /// Time between two checks of an idle connection. Default: 5 s.
    pub check: Duration,
    /// First pause after a failure. Default: 500 ms; pauses double, and vary by up to a half.
    pub first_pause: Duration,
    /// Longest pause after a failure. Default: 30 s.
    pub longest_pause: Duration,
    /// Time without any confirmation after which [`Delivery::deliver`](crate::Delivery::deliver)
    /// returns what was confirmed so far. Default: 1 s.
    pub quiet: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(15),
            respond: Duration::from_secs(10),
            check: Duration::from_secs(5),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            quiet: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_not_shown() {
        let settings = Settings {
            host: "broker".to_owned(),
            port: 5672,
            user: "faf".to_owned(),
            password: Password::new("hunter2"),
            vhost: "/faf-core".to_owned(),
            exchange: "faf-lobby".to_owned(),
            host_name: Settings::host_name(),
        };
        let shown = format!("{settings:?} {}", settings.address());
        assert!(!shown.contains("hunter2") && shown.contains("[secret]"), "{shown}");
        assert_eq!(settings.uri().authority.userinfo.password, "hunter2");
        assert_eq!(settings.uri().vhost, "/faf-core");
    }

    #[test]
    fn names_fit_into_those_of_queues() {
        assert!(Settings::problem_of_exchange("faf-lobby").is_none());
        assert!(Settings::problem_of_exchange("").is_some());
        assert!(Settings::problem_of_exchange(&"x".repeat(NAME_LIMIT)).is_none());
        assert!(Settings::problem_of_exchange(&"x".repeat(NAME_LIMIT + 1)).is_some());
        assert!((1..=NAME_LIMIT).contains(&Settings::host_name().len()));
    }
}
