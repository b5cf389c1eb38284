//! How fast and how reliable bots are.

use std::ops::Range;
use std::time::Duration;

use crate::Rng;
use crate::chance::within;

/// How bots live. All `f64` times are seconds of a bot's life, which pass [`speed`](Self::speed) times as fast as the clock;
/// every `Duration` is time of the clock. Probabilities are from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many times faster than the clock bots live. They do not wait less for the server.
    pub speed: f64,
    /// Between two decisions of a bot with nothing to do.
    pub idle: Range<f64>,
    /// From `game_launch` until the game process says that it has started.
    pub process_start: Range<f64>,
    /// How long a host waits for more players before launching with those who are there.
    pub host_patience: f64,
    /// From the last free seat being taken until the launch.
    pub full_lobby: f64,
    /// How long a lobby stays open at least, so that everybody hears of it: servers report every second.
    pub shortest_lobby: Duration,
    /// Between new titles that a host gives an open lobby; without it the title stays.
    pub retitle: Option<f64>,
    /// How long a battle lasts. Real ones take half an hour.
    pub battle: Range<f64>,
    /// How long a bot rests after a game: without breaks, nobody would be left for new games.
    pub rest: Range<f64>,
    /// How likely a player leaves a lobby after getting a seat.
    pub leaves_lobby: f64,
    /// How likely a player leaves a battle when their army has fallen.
    pub leaves_when_fallen: f64,
    /// How likely a player loses the connection during a battle.
    pub loses_connection: f64,
    /// How likely a player whose game process still runs goes back into the game after reconnecting.
    pub restores: f64,
    /// How many ICE messages a game process sends to each peer.
    pub candidates: u32,
}

impl Default for Settings {
    /// As in the demo: a game takes one to three minutes.
    fn default() -> Self {
        Self {
            speed: 1.0,
            idle: 4.0..15.0,
            process_start: 1.0..3.0,
            host_patience: 45.0,
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
        }
    }
}

impl Settings {
    /// Time of the clock for seconds of a bot's life.
    #[must_use]
    pub fn time(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed).unwrap_or_default()
    }

    /// Time of the clock for some seconds of a bot's life.
    #[must_use]
    pub fn draw(&self, rng: &mut Rng, seconds: &Range<f64>) -> Duration {
        self.time(within(rng, seconds))
    }
}
