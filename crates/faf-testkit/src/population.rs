//! Draws the searches of an evening that never was, as a trace that
//! `faf-lobby matchmaking replay` reads.

use std::time::Duration;

use faf_laboratory::{Trace, TraceEvent, TraceStep, TracedQueue, TracedSearch};
use faf_lobby_core::SearchId;
use faf_lobby_core::matchmaking::queue::{QueueId, TEAM_SIZE_MAX};
use faf_lobby_core::matchmaking::random::Random;
use faf_lobby_core::matchmaking::{MatchmakingSettings, Member};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;

/// Deviation of players who have played enough, in rating points.
const SETTLED: f64 = 80.0;

/// Rating of a player without games, and the deviation that each game takes away.
const UNKNOWN: Rating = Rating { mean: 1500.0, deviation: 500.0 };
const DEVIATION_PER_GAME: f64 = 35.0;

/// Number of games from which a player has a settled rating.
const GAMES: usize = 12;

/// Options of [`Population::read`], for the help of the program.
pub const OPTIONS: &str = "\
    --seed S           the same seed draws the same evening; default 1
    --players P        number of players; default 1000
    --mean R           mean of their displayed ratings; default 1000
    --deviation R      standard deviation of these; default 400
    --ratings FILE     draw displayed ratings from this file, one in a line, instead
    --newbies PERCENT  share of players with less than 12 games; default 10
    --queues SIZES     team sizes of the queues; default 1,2,4
    --per-hour N       mean number of searches that begin in an hour, in all queues; default 400
    --parties PERCENT  share of parties among the searches for team games; default 30
    --stays MINUTES    mean time after which a search is cancelled; default 15
    --minutes M        length of the evening; default 240
";

/// The players of an evening, and how they search.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    /// Seed of all draws.
    pub seed: u64,
    /// Number of players.
    pub players: u32,
    /// Mean of their displayed ratings.
    pub mean: f64,
    /// Standard deviation of their displayed ratings.
    pub deviation: f64,
    /// Displayed ratings from which to draw, all with the same probability; if there are none,
    /// the distribution is normal.
    pub ratings: Vec<f64>,
    /// Share of players with few games, in percent.
    pub newbies: f64,
    /// Team size of each queue.
    pub queues: Vec<u32>,
    /// Mean number of searches that begin in an hour.
    pub per_hour: f64,
    /// Share of parties among the searches for team games, in percent.
    pub parties: f64,
    /// Mean time after which a search is cancelled, in minutes.
    pub stays: f64,
    /// Length of the evening, in minutes.
    pub minutes: f64,
}

impl Default for Population {
    fn default() -> Self {
        Self {
            seed: 1,
            players: 1000,
            mean: 1000.0,
            deviation: 400.0,
            ratings: Vec::new(),
            newbies: 10.0,
            queues: vec![1, 2, 4],
            per_hour: 400.0,
            parties: 30.0,
            stays: 15.0,
            minutes: 240.0,
        }
    }
}

impl Population {
    /// Reads the [`OPTIONS`] of a command line.
    ///
    /// # Errors
    /// A sentence about the first option that cannot be used.
    pub fn read(options: &[String]) -> Result<Self, String> {
        let mut population = Self::default();
        let mut options = options.iter();
        while let Some(option) = options.next() {
            let value = options.next().ok_or_else(|| format!("{option} needs a value"))?;
            let refused = |reason: &str| format!("{option} {value}: {reason}");
            let number = |least: f64, most: f64| {
                let number = value.parse().ok().filter(|number| (least..=most).contains(number));
                number.ok_or_else(|| refused(&format!("it is not a number from {least} to {most}")))
            };
            match option.as_str() {
                "--seed" => {
                    population.seed = value.parse().map_err(|_| refused("it is not a whole number"))?;
                }
                "--players" => population.players = number(1.0, 1e6)? as u32,
                "--mean" => population.mean = number(-1e4, 1e4)?,
                "--deviation" => population.deviation = number(0.0, 1e4)?,
                "--ratings" => {
                    let text = std::fs::read_to_string(value).map_err(|error| refused(&error.to_string()))?;
                    population.ratings = ratings(&text).map_err(|reason| refused(&reason))?;
                }
                "--newbies" => population.newbies = number(0.0, 100.0)?,
                "--queues" => {
                    let sizes = value.split(',').map(|size| size.trim().parse().ok());
                    let sizes = sizes.map(|size| size.filter(|size| (1..=TEAM_SIZE_MAX).contains(size)));
                    population.queues = sizes.collect::<Option<_>>().ok_or_else(|| {
                        refused(&format!("team sizes are numbers from 1 to {TEAM_SIZE_MAX}"))
                    })?;
                }
                "--per-hour" => population.per_hour = number(0.001, 1e6)?,
                "--parties" => population.parties = number(0.0, 100.0)?,
                "--stays" => population.stays = number(0.01, 1e5)?,
                "--minutes" => population.minutes = number(0.0, 1e5)?,
                other => return Err(format!("unknown option: {other}")),
            }
        }
        Ok(population)
    }

    /// Draws the evening. A player who searches begins no other search until this one would have
    /// been cancelled.
    #[must_use]
    pub fn draw(&self) -> Trace {
        let mut random = Random::from_seed(self.seed);
        let members: Vec<Member> =
            (1..=self.players).map(|id| self.player(PlayerId(id), &mut random)).collect();
        let mut free_from = vec![0.0; members.len()];
        let mut steps: Vec<TraceStep> = (1..).zip(&self.queues).map(|(id, size)| queue(id, *size)).collect();
        let (mut now, mut last) = (0.0, 0);
        loop {
            now += exponential(3600.0 / self.per_hour, &mut random);
            if now > self.minutes * 60.0 {
                break;
            }
            let number = random.index(self.queues.len());
            let team_size = self.queues[number];
            let is_party = random.fraction() * 100.0 < self.parties && team_size > 1;
            let size = if is_party { 2 + random.index(team_size as usize - 1) } else { 1 };
            let party = idle(&free_from, now, size, &mut random);
            if party.len() < size {
                continue;
            }
            last += 1;
            let stays = exponential(self.stays * 60.0, &mut random);
            party.iter().for_each(|player| free_from[*player] = now + stays);
            let search = TracedSearch {
                id: SearchId(last),
                queue: QueueId(number as u32 + 1),
                members: party.iter().map(|player| members[*player]).collect(),
                past: None,
            };
            steps.push(TraceStep { at: Duration::from_secs_f64(now), event: TraceEvent::Search(search) });
            let at = Duration::from_secs_f64(now + stays);
            steps.push(TraceStep { at, event: TraceEvent::Cancel(SearchId(last)) });
        }
        steps.sort_by_key(|step| step.at);
        Trace { settings: MatchmakingSettings::default(), steps }
    }

    fn player(&self, player: PlayerId, random: &mut Random) -> Member {
        let displayed = match &self.ratings[..] {
            [] => self.mean + self.deviation * normal(random),
            ratings => ratings[random.index(ratings.len())],
        };
        let settled = Rating { mean: displayed + 3.0 * SETTLED, deviation: SETTLED };
        if random.fraction() * 100.0 >= self.newbies {
            return Member { player, rating: settled, games: (GAMES + random.index(1000)) as u32 };
        }
        // With every game the rating comes closer to what it will be.
        let games = random.index(GAMES);
        let known = games as f64 / GAMES as f64;
        let rating = Rating {
            mean: UNKNOWN.mean + known * (settled.mean - UNKNOWN.mean),
            deviation: UNKNOWN.deviation - DEVIATION_PER_GAME * games as f64,
        };
        Member { player, rating, games: games as u32 }
    }
}

fn queue(id: u32, team_size: u32) -> TraceStep {
    let name = if team_size == 1 { "ladder1v1".to_owned() } else { format!("tmm{team_size}v{team_size}") };
    let (id, rating_peak) = (QueueId(id), 1000.0);
    TraceStep {
        at: Duration::ZERO,
        event: TraceEvent::Queue(TracedQueue { id, name, team_size, rating_peak, timing: None }),
    }
}

/// Draws players who do not search; fewer if there are not enough.
fn idle(free_from: &[f64], now: f64, count: usize, random: &mut Random) -> Vec<usize> {
    let mut idle: Vec<usize> = (0..free_from.len()).filter(|player| free_from[*player] <= now).collect();
    (0..count.min(idle.len())).map(|_| idle.swap_remove(random.index(idle.len()))).collect()
}

/// Draws from a distribution that is close to normal, with mean 0 and deviation 1: the sum of
/// twelve equal ones. It is within 6.
fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0
}

/// Draws the time until an event that comes at random, with this mean.
fn exponential(mean: f64, random: &mut Random) -> f64 {
    -(1.0 - random.fraction()).ln() * mean
}

/// Reads a file of ratings.
fn ratings(text: &str) -> Result<Vec<f64>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let number = |line: &str| line.trim().parse().ok().filter(|rating: &f64| rating.is_finite());
    let read: Vec<f64> = lines
        .map(|line| number(line).ok_or_else(|| format!("`{line}` is not a rating")))
        .collect::<Result<_, _>>()?;
    if read.is_empty() { Err("there are no ratings in it".to_owned()) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searches<'a>(trace: &'a Trace) -> Vec<&'a TracedSearch> {
        let search = |step: &'a TraceStep| match &step.event {
            TraceEvent::Search(search) => Some(search),
            _ => None,
        };
        trace.steps.iter().filter_map(search).collect()
    }

    #[test]
    fn an_evening_has_the_population_that_was_ordered() {
        let population = Population { newbies: 0.0, ..Population::default() };
        let trace = population.draw();
        let searches = searches(&trace);
        assert!((1450..1750).contains(&searches.len()), "{}", searches.len());
        let parties = searches.iter().filter(|search| search.members.len() > 1).count();
        assert!((250..400).contains(&parties), "{parties}");
        let shown: Vec<f64> = searches
            .iter()
            .flat_map(|search| &search.members)
            .map(|member| member.rating.displayed())
            .collect();
        let mean = shown.iter().sum::<f64>() / shown.len() as f64;
        let deviation =
            (shown.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / shown.len() as f64).sqrt();
        assert!((mean - 1000.0).abs() < 40.0 && (deviation - 400.0).abs() < 40.0, "{mean} {deviation}");
        assert_eq!(population.draw(), trace);
        assert_ne!(Population { seed: 2, ..population }.draw(), trace);
    }

    #[test]
    fn what_was_drawn_is_a_trace_and_can_be_played() {
        let trace = Population { minutes: 60.0, ..Population::default() }.draw();
        let mut file = Vec::new();
        trace.write(&mut file).unwrap();
        let read = Trace::read(&file[..]).unwrap();
        assert_eq!(read, trace);
        let run = faf_laboratory::play(&read, &faf_laboratory::Change::default());
        assert!(run.matches.len() > 20, "{}", run.matches.len());
    }

    #[test]
    fn ratings_of_a_file_are_drawn() {
        let population = Population {
            ratings: ratings("100\n\n 1900.5\n").unwrap(),
            newbies: 0.0,
            ..Population::default()
        };
        let trace = population.draw();
        let shown = searches(&trace).into_iter().flat_map(|search| &search.members);
        let mut shown: Vec<i64> =
            shown.map(|member| (member.rating.displayed() * 10.0).round() as i64).collect();
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown, [1000, 19005]);
        assert!(ratings("much").is_err() && ratings("\n").is_err() && ratings("inf").is_err());
    }

    #[test]
    fn options_are_checked() {
        let read = |line: &str| Population::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let population = read("--players 20 --queues 1,4 --stays 2.5").unwrap();
        assert_eq!((population.players, population.queues, population.stays), (20, vec![1, 4], 2.5));
        for (line, problem) in [
            ("--players", "--players needs a value"),
            ("--players 0", "--players 0: it is not a number from 1 to 1000000"),
            ("--mean NaN", "--mean NaN: it is not a number from -10000 to 10000"),
            ("--queues 1,9", "--queues 1,9: team sizes are numbers from 1 to 8"),
            ("--speed 3", "unknown option: --speed"),
        ] {
            assert_eq!(read(line), Err(problem.to_owned()));
        }
    }
}
