//! Settings of the connection.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::ServerAddr;

use crate::names::Name;

/// Most servers in [`Settings::url`].
const MOST_SERVERS: usize = 16;

/// NATS, and the account that uses it.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// One to 16 addresses with commas between them, `nats://HOST:PORT` or `tls://HOST:PORT`; the
    /// port is 4222 unless it is given. A user with a password, or a token, may precede the host:
    /// `nats://USER:PASSWORD@HOST`, with percent-encoding. Servers that are not listed are not
    /// used, even if they belong to the same cluster of NATS.
    pub url: String,
    /// File with the credentials of an account, as `nsc` makes it (`.creds`). It is read for every
    /// connection, and so may be replaced.
    pub credentials: Option<PathBuf>,
    /// File with the certificates of the authorities that sign those of the servers, in PEM;
    /// `None` for those of the operating system.
    pub certificate_authority: Option<PathBuf>,
    /// Name of the cluster of lobby servers, as a [`Name`]. Everything at NATS carries it, so that
    /// two clusters may use the same NATS.
    pub cluster: String,
    /// Number of NATS servers that keep each entry and each snapshot: 1 or 3. It counts when the
    /// stream and the bucket are created.
    pub replicas: usize,
    /// Name of this process in the monitoring of NATS.
    pub client_name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            credentials: None,
            certificate_authority: None,
            cluster: "faf".to_owned(),
            replicas: 1,
            client_name: "faf-lobby".to_owned(),
        }
    }
}

impl Settings {
    /// Returns the first problem of the settings, if they have one. It names no secrets.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let servers = match self.servers() {
            Ok(servers) => servers,
            Err(problem) => return Some(problem),
        };
        if let Err(error) = Name::new(&self.cluster) {
            return Some(format!("the name of the cluster: {error}"));
        }
        if ![1, 3].contains(&self.replicas) {
            return Some(format!("there are {} replicas, and must be 1 or 3", self.replicas));
        }
        let has_user = servers.iter().any(ServerAddr::has_user_pass);
        (has_user && self.credentials.is_some()).then(|| {
            "there are a file with credentials and a user in the address: give one of them".to_owned()
        })
    }

    /// Returns the servers.
    pub(crate) fn servers(&self) -> Result<Vec<ServerAddr>, String> {
        let texts: Vec<_> = self.url.split(',').map(str::trim).collect();
        if texts.len() > MOST_SERVERS {
            return Err(format!("there are {} addresses, and must be at most {MOST_SERVERS}", texts.len()));
        }
        let parse = |(index, text): (usize, &&str)| {
            let problem = |problem: &str| {
                format!(
                    "address {} of NATS: {problem}; it must be nats://HOST:PORT or tls://HOST:PORT",
                    index + 1
                )
            };
            let server: ServerAddr = text.parse().map_err(|_| problem("it cannot be read"))?;
            if !["nats", "tls"].contains(&server.scheme()) {
                return Err(problem("it begins with another word"));
            }
            if server.host().is_empty() {
                return Err(problem("it has no host"));
            }
            Ok(server)
        };
        texts.iter().enumerate().map(parse).collect()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.servers().map(|servers| servers.iter().map(address).collect::<Vec<_>>());
        f.debug_struct("Settings")
            .field("servers", &servers)
            .field("credentials", &self.credentials)
            .field("certificate_authority", &self.certificate_authority)
            .field("cluster", &self.cluster)
            .field("replicas", &self.replicas)
            .field("client_name", &self.client_name)
            .finish()
    }
}

/// Returns host and port, without user and password.
pub(crate) fn address(server: &ServerAddr) -> String {
    format!("{}:{}", server.host(), server.port())
}

/// Bounds, time limits and pauses. The defaults fit a local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for one connection, with the handshake. Default: 5 s.
    pub open: Duration,
    /// Time for a reply of NATS, also for the acknowledgement of an append. Default: 10 s.
    pub respond: Duration,
    /// Time between two checks of an idle connection; it is given up after three of them without a
    /// sign of life. Default: 2 s.
    pub check: Duration,
    /// First pause after a failed attempt. Default: 50 ms; pauses double, and vary by up to a half.
    pub first_pause: Duration,
    /// Longest pause after a failed attempt. Default: 2 s.
    pub longest_pause: Duration,
    /// Payload that may wait to be sent, in bytes; more is refused. Default: 64 MiB. At most 32,768
    /// appends and messages wait, also.
    pub queue_bytes: usize,
    /// Messages that may wait in each subject of a subscription; more are lost, and reported.
    /// Default: 65,536; at least 16,384, which a reader needs.
    pub subscription_messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(5),
            respond: Duration::from_secs(10),
            check: Duration::from_secs(2),
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            queue_bytes: 64 << 20,
            subscription_messages: 65_536,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_url(url: &str) -> Settings {
        Settings { url: url.to_owned(), ..Settings::default() }
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(Settings::default().problem(), None);
        let several = with_url("nats://one:1, tls://two ,nats://[::1]:3").servers().unwrap();
        assert_eq!(several.iter().map(address).collect::<Vec<_>>(), ["one:1", "two:4222", "::1:3"]);
        for bad in ["", "http://one", "ws://one", "nats://", "nats://one,,", "nats://one:99999"] {
            assert!(with_url(bad).problem().is_some(), "{bad}");
        }
        assert!(with_url(&vec!["nats://one"; MOST_SERVERS + 1].join(",")).problem().is_some());
    }

    #[test]
    fn other_settings_are_checked() {
        let problem = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.problem().unwrap()
        };
        assert!(problem(|settings| settings.replicas = 2).contains("2 replicas"));
        assert!(problem(|settings| settings.cluster = "a.b".to_owned()).contains("cluster"));
        let both = problem(|settings| {
            settings.url = "nats://user:hunter2@host".to_owned();
            settings.credentials = Some("file".into());
        });
        assert!(both.contains("one of them"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = with_url("nats://user:hunter2@host:4222,tls://hunter2@host");
        assert!(!format!("{settings:?}").contains("hunter2"));
        let wrong = with_url("http://user:hunter2@host").problem().unwrap();
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }
}
