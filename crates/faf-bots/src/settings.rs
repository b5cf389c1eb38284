//! Speed and reliability of bots.

use std::ops::Range;
use std::time::Duration;

use crate::Rng;
use crate::chance::within;

/// Parameters of bots. All `f64` times are seconds of a bot's life, which passes
/// [`speed`](Self::speed) times as fast as the clock; every `Duration` is time of the clock.
/// Probabilities are from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Factor by which bots live faster than the clock. Their time limits for the server stay
    /// the same.
    pub speed: f64,
    /// Time between two decisions of an idle bot.
    pub idle: Range<f64>,
    /// Time from `game_launch` until the game process reports its start.
    pub process_start: Range<f64>,
    /// How long a host waits for more players before launching with those present.
    pub host_wait: f64,
    /// Time from taking the last free seat until the launch.
    pub full_lobby: f64,
    /// Minimum time that a lobby stays open, so that every player learns of it: servers report
    /// every second.
    pub shortest_lobby: Duration,
    /// Time between new titles that a host gives an open lobby; `None` keeps the title.
    pub retitle: Option<f64>,
    /// Duration of a battle. Real ones take half an hour.
    pub battle: Range<f64>,
    /// Rest of a bot after a game: without breaks, no bots would be left for new games.
    pub rest: Range<f64>,
    /// Probability that a player leaves a lobby after getting a seat.
    pub leaves_lobby: f64,
    /// Probability that a player leaves a battle when their army has fallen.
    pub leaves_when_fallen: f64,
    /// Probability that a player loses the connection during a battle.
    pub loses_connection: f64,
    /// Probability that a player with a running game process restores the game after a reconnect.
    pub restores: f64,
    /// Number of ICE messages that a game process sends to each peer.
    pub candidates: u32,
    /// Probability that a player's game does not do its part in a match: see
    /// [`MatchFault`](crate::MatchFault).
    pub match_faults: f64,
    /// Probability that a game process goes on for a while when its match is cancelled.
    pub ignores_cancellation: f64,
    /// Probability that a game process reports the peers to which it is connected in a match, and
    /// its launch status, as new ones do.
    pub reports_peers: f64,
    /// Probability that a player writes something: in a lobby, at the beginning of a battle, and
    /// at its end.
    pub chats: f64,
    /// Probability of each thing that happens now and then in a game: an AI that the host tries,
    /// a wrong password, a slow player, a desync, a team kill, a host who wants to play again.
    pub incidents: f64,
    /// Probability that a client confirms a match, as some do.
    pub confirms_matches: f64,
    /// Whether people use the server who do not expect bots. Then bots join, invite and befriend
    /// only each other, do not search in queues, where a person could be matched with them, and
    /// change no counts of mods.
    pub among_people: bool,
}

impl Default for Settings {
    /// The values of the demo: a game takes one to three minutes.
    fn default() -> Self {
        Self {
            speed: 1.0,
            idle: 4.0..15.0,
            process_start: 1.0..3.0,
            host_wait: 45.0,
            full_lobby: 6.0,
            shortest_lobby: Duration::from_millis(2500),
            retitle: None,
            battle: 60.0..150.0,
            rest: 10.0..50.0,
            leaves_lobby: 0.08,
            leaves_when_fallen: 0.5,
            loses_connection: 0.06,
            restores: 1.0,
            candidates: 1,
            match_faults: 0.02,
            ignores_cancellation: 0.0,
            reports_peers: 1.0,
            chats: 0.3,
            incidents: 0.05,
            confirms_matches: 0.3,
            among_people: false,
        }
    }
}

impl Settings {
    /// Converts seconds of a bot's life to time of the clock.
    #[must_use]
    pub fn time(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed).unwrap_or_default()
    }

    /// Draws seconds of a bot's life and converts them to time of the clock.
    #[must_use]
    pub fn draw(&self, rng: &mut Rng, seconds: &Range<f64>) -> Duration {
        self.time(within(rng, seconds))
    }
}
