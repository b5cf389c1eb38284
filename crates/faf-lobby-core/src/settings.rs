use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the lobby can be told to do otherwise. Field names are those of the server's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How long a connection may stay without logging in; default 30 s. Then it is closed.
    pub login_timeout: Duration,
    /// How many logins may fail on one connection; default 20. The next failure closes it.
    pub login_attempts: u32,
    /// How many logins with a password may fail from one address within ten minutes; default 100.
    /// Further ones are not looked at. An IPv6 network of 64 bits counts as one address.
    pub login_attempts_per_address: u32,
    /// How many players are signed in a second at most; default 2500. Others wait, a tenth of a
    /// second's worth may come at once.
    pub login_rate: u32,
    /// How often everybody who is logged in gets a `ping`; default 45 s.
    pub ping_interval: Duration,
    /// How long a logged-in connection may stay silent before it is closed; default never. Clients
    /// answer every `ping`, so three times the ping interval is safe.
    pub idle_timeout: Option<Duration>,
    /// How often changes of players are told to everybody; default 1 s.
    pub report_interval: Duration,
    /// How long a shutdown waits for running games; default 1800 s.
    pub shutdown_grace_period: Duration,
    /// Whether players who are in no game are disconnected while a shutdown waits, and nobody else
    /// is let in; default false.
    #[serde(default)]
    pub shutdown_kick_idle_players: bool,
    /// How long a game process may take to start; default 30 s. A co-op game has twice as long.
    pub game_setup_timeout: Duration,
    /// How long a live game waits for players who lose their connection to the lobby; default
    /// 120 s. With none at all, a game ends when the last one is lost, with whatever was reported.
    pub reconnect_grace_period: Duration,
    /// How long a live game waits for players who say nothing, when all others agree on its result;
    /// default 300 s. See [`is_agreed`](crate::results::is_agreed).
    pub game_end_timeout: Duration,
    /// How long games that were live when the server ended wait for their players to come back;
    /// default 300 s.
    pub restart_grace_period: Duration,
    /// Rated games that two opponents may have against each other within an hour; default 15.
    /// Further games are played but not rated.
    pub rated_games_per_pair: u32,
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
            allow_password_login: true,
            www_url: "https://www.faforever.com".to_owned(),
            content_url: "https://content.faforever.com".to_owned(),
        }
    }
}
