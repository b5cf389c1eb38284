//! The time of a round of matching with 1,000 searches, beside the same rules written in the
//! simplest way. The lobby must be done within 5 ms, or the benchmark fails.
//!
//! The searches are those of a busy evening: most players near the peak, every tenth new. The time
//! of the lobby includes the derived values, which are computed again in every round. `cargo bench
//! -p faf-lobby-core --bench matchmaking`.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "it prints what it has measured")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

#[path = "../tests/matchmaking/straightforward.rs"]
mod straightforward;

use std::hint::black_box;
use std::time::{Duration, Instant};

use faf_lobby_core::matchmaking::{
    Candidate, MatchmakingSettings, Member, QueueRules, UnmatchedReason, play_round,
};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;

use straightforward::Search;

const SEARCHES: u32 = 1000;

/// Number of rounds that are measured, of each way.
const RUNS: usize = 101;

/// Maximum duration of a round, at the median.
const BAR: Duration = Duration::from_millis(5);

fn main() {
    println!("{SEARCHES} searches");
    println!(
        "{:<44} {:>10} {:>16} {:>7}  {:>7} {:>9}",
        "queue", "lobby", "straightforward", "ratio", "matches", "unmatched"
    );
    let mut slowest = Duration::ZERO;
    for (queue, team_size, largest_party) in [
        ("1v1", 1, 1),
        ("2v2, parties of up to 2", 2, 2),
        ("4v4, all alone", 4, 1),
        ("4v4, parties of up to 4", 4, 4),
        ("4v4, all in parties of 3, which never fit", 4, 0),
    ] {
        slowest = slowest.max(measure(queue, team_size, largest_party));
    }
    assert!(slowest <= BAR, "a round takes {slowest:.1?}, the bar is {BAR:?}");
}

/// Prints the times of both; returns that of the lobby.
fn measure(name: &str, team_size: u32, largest_party: u32) -> Duration {
    let settings = MatchmakingSettings::default();
    let queue = QueueRules { team_size, rating_peak: 1000.0 };
    let searches = searches(largest_party, &settings);

    let lobby = || {
        let candidates: Vec<Candidate> = searches
            .iter()
            .map(|search| {
                let Search { members, failed_attempts, self_quality } = search;
                Candidate::new(members.clone(), *failed_attempts, *self_quality, &settings)
            })
            .collect();
        play_round(&candidates, queue, &settings)
    };
    let (round, plain) = (lobby(), straightforward::play_round(&searches, queue, &settings));
    let matches = round.matches.iter().map(|found| (found.teams.clone(), found.quality.value()));
    assert_eq!(matches.collect::<Vec<_>>(), plain.matches);
    let is_explained = |reason| !matches!(reason, UnmatchedReason::TooFewPlayers { .. });
    assert!(round.unmatched.iter().all(|unmatched| is_explained(unmatched.reason)));

    // In turn, so that other work of the machine slows down both.
    let (mut fast, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        fast.push(timed(lobby));
        plain.push(timed(|| straightforward::play_round(&searches, queue, &settings)));
    }
    let (fast, slow) = (median(fast), median(plain));
    println!(
        "{name:<44} {fast:>10.1?} {slow:>16.1?} {:>7.1}  {:>7} {:>9}",
        slow.as_secs_f64() / fast.as_secs_f64(),
        round.matches.len(),
        round.unmatched.len(),
    );
    fast
}

fn timed<T>(run: impl Fn() -> T) -> Duration {
    let begin = Instant::now();
    let result = black_box(run());
    let time = begin.elapsed();
    drop(result);
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Parties of all sizes up to the largest in turn; with 0, all have three players.
fn searches(largest_party: u32, settings: &MatchmakingSettings) -> Vec<Search> {
    let mut random = Random(7);
    let mut ids = (1..).map(PlayerId);
    let mut search = |number: u32| {
        let size = number.checked_rem(largest_party).map_or(3, |rest| rest + 1);
        let members = (0..size).map(|_| {
            let is_new = random.below(10) == 0;
            let deviation = if is_new { 200.0 } else { 65.0 } + f64::from(random.below(1000)) / 10.0;
            let mean = 200.0 + (0..8).map(|_| f64::from(random.below(2750)) / 10.0).sum::<f64>();
            let games = if is_new { random.below(10) } else { 20 + random.below(1000) };
            Member { player: ids.next().unwrap(), rating: Rating { mean, deviation }, games }
        });
        Search::new(members.collect(), [0, 0, 0, 1, 2, 5][number as usize % 6], settings)
    };
    (0..SEARCHES).map(&mut search).collect()
}

/// A linear congruential generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }
}
