use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::matchmaking::{MatchSettings, MatchmakingSettings};

/// The settings of the lobby. Field names are those of the server's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Time that a connection may stay open without a login; default 30 s. Then it is closed.
    pub login_timeout: Duration,
    /// Number of logins that may fail on one connection; default 20. The next failure closes it.
    pub login_attempts: u32,
    /// Number of password logins that may fail from one address within ten minutes; default 100.
    /// Further ones are not checked. An IPv6 /64 network counts as one address.
    pub login_attempts_per_address: u32,
    /// Maximum number of players signed in per second; default 2500. Others wait; the logins of a
    /// fiftieth of a second may be admitted at once.
    pub login_rate: u32,
    /// Interval between pings to each logged-in client; default 45 s.
    pub ping_interval: Duration,
    /// Time that a logged-in connection may stay silent before it is closed; default unlimited.
    /// Clients answer every `ping`, so three times the ping interval is safe.
    pub idle_timeout: Option<Duration>,
    /// Interval between reports of changed players to all clients; default 1 s.
    pub report_interval: Duration,
    /// Time that a shutdown waits for running games; default 1800 s.
    pub shutdown_grace_period: Duration,
    /// Whether players who are in no game are disconnected while a shutdown waits, and nobody else
    /// may log in; default false.
    #[serde(default)]
    pub shutdown_kick_idle_players: bool,
    /// Time that a game process may take to start; default 30 s. Co-op games and matches have twice
    /// as long, and a match must be launched within the same time and 10 s for each guest.
    pub game_setup_timeout: Duration,
    /// Time that a live game waits for players who lose their connection to the lobby; default
    /// 120 s. With zero, a game ends when the last connection is lost, with the reports received
    /// until then.
    pub reconnect_grace_period: Duration,
    /// Time that a live game waits for players who report nothing, when all others agree on its
    /// result; default 300 s. See [`is_agreed`](crate::results::is_agreed).
    pub game_end_timeout: Duration,
    /// Time that games that were live when the server ended wait for their players to reconnect;
    /// default 300 s.
    pub restart_grace_period: Duration,
    /// Maximum number of rated games between the same two opponents within an hour; default 15.
    /// Further games are played but not rated.
    pub rated_games_per_pair: u32,
    /// Rules by which the queues make matches.
    #[serde(default)]
    pub matchmaking: MatchmakingSettings,
    /// Rules for setting up matches.
    #[serde(default)]
    pub matches: MatchSettings,
    /// Whether `hello` with a password is accepted; default true.
    pub allow_password_login: bool,
    /// Address of the web site, for notices.
    pub www_url: String,
    /// Address of the file server, for links to mods.
    pub content_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            login_timeout: Duration::from_secs(30),
            login_attempts: 20,
            login_attempts_per_address: 100,
            login_rate: 2500,
            ping_interval: Duration::from_secs(45),
            idle_timeout: None,
            report_interval: Duration::from_secs(1),
            shutdown_grace_period: Duration::from_secs(1800),
            shutdown_kick_idle_players: false,
            game_setup_timeout: Duration::from_secs(30),
            reconnect_grace_period: Duration::from_secs(120),
            game_end_timeout: Duration::from_secs(300),
            restart_grace_period: Duration::from_secs(300),
            rated_games_per_pair: 15,
            matchmaking: MatchmakingSettings::default(),
            matches: MatchSettings::default(),
            allow_password_login: true,
            www_url: "https://www.faforever.com".to_owned(),
            content_url: "https://content.faforever.com".to_owned(),
        }
    }
}
