//! The quality of a game between two teams (matchmaking.md section 6.4).
//!
//! ```text
//!   quality = 1 - √(imbalance² + spread²) + time bonus + newbie bonus + minority bonus
//! ```
//!
//! With the settings' defaults, teams of n players, and for each party its size k, average rating
//! r, failed attempts f and newbies m; P is the rating peak of the queue:
//!
//! | term | formula |
//! |---|---|
//! | imbalance | \|cumulative rating of one team - that of the other\| / 250 |
//! | spread | population standard deviation of the parties' averages / 250 (M19) |
//! | time bonus | Σ min(0.01 · f, 0.2) · k/n |
//! | newbie bonus | Σ min(0.25 · f, 3) · m/n; 0 if a player is high-rated |
//! | minority bonus | min(1, Σ ((r - P) / 1250)⁴ · k/n) |
//!
//! | team a | team b | peak | quality |
//! |---|---|---|---|
//! | 1000, 1000 | 1000, 1000 | 1000 | 1 |
//! | 1000, 1100 | 1050, 1000 | 1000 | 0.740214139 |
//! | 1000, 1000, both f = 5 | 1000, 1000, both f = 5 | 1000 | 1.1 |
//! | 0 (newbie, f = 1), 600 | 500, 700 | 1000 | -1.276087528 |

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::MatchmakingSettings;
use super::Parties;

/// The quality of a game, term by term. Below 1 if teams are uneven, above if somebody has waited
/// long or has few equals; has no lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GameQuality {
    /// Difference between the sums of the teams' ratings, in units of `maximum_rating_imbalance`.
    pub imbalance: f64,
    /// Standard deviation of the parties' average ratings, in units of `maximum_rating_deviation`.
    pub spread: f64,
    /// Quality added for failed attempts.
    pub time_bonus: f64,
    /// Quality added for failed attempts of newbies.
    pub newbie_bonus: f64,
    /// Quality added for ratings far from the peak.
    pub minority_bonus: f64,
    /// The quality that results from these.
    pub quality: f64,
}

impl fmt::Display for GameQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { imbalance, spread, time_bonus, newbie_bonus, minority_bonus, .. } = self;
        write!(f, "imbalance {imbalance:.3}, spread {spread:.3}, bonus for waiting {time_bonus:.3}, ")?;
        write!(f, "for newbies {newbie_bonus:.3}, for ratings far from the peak {minority_bonus:.3}")
    }
}

/// Returns the quality of a game between two teams, which name parties by their positions.
///
/// # Panics
///
/// If there is no party at one of the positions.
#[must_use]
pub fn game_quality(parties: &Parties, teams: [&[usize]; 2], settings: &MatchmakingSettings) -> GameQuality {
    let in_both = || teams.into_iter().flatten().map(|&party| parties.get(party));
    let [a, b] = teams.map(|team| parties.cumulative_rating(team));
    let imbalance = (a - b).abs() / settings.maximum_rating_imbalance;

    let count = (teams[0].len() + teams[1].len()) as f64;
    let mean = precise_sum(in_both().map(|party| party.average_rating)) / count;
    let squares = in_both().map(|party| (party.average_rating - mean) * (party.average_rating - mean));
    let spread = (precise_sum(squares) / count).sqrt() / settings.maximum_rating_deviation;

    let time_bonus = in_both().map(|party| party.time_bonus).sum::<f64>();
    let newbie_bonus = if in_both().any(|party| party.is_high_rated) {
        0.0
    } else {
        in_both().map(|party| party.newbie_bonus).sum::<f64>()
    };
    let scale = settings.minority_bonus;
    let minority_bonus = (scale * in_both().map(|party| party.minority_bonus).sum::<f64>()).min(scale);

    let unevenness = (imbalance * imbalance + spread * spread).sqrt();
    let quality = 1.0 - unevenness + time_bonus + minority_bonus + newbie_bonus;
    GameQuality { imbalance, spread, time_bonus, newbie_bonus, minority_bonus, quality }
}

/// Adds up numbers with their rounding errors (Neumaier's method), so that the sum does not depend
/// on their order: the same parties in other teams have the same spread, to the last digit.
fn precise_sum(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut error) = (0.0_f64, 0.0);
    for number in numbers {
        let next = sum + number;
        error += if sum.abs() >= number.abs() { (sum - next) + number } else { (number - next) + sum };
        sum = next;
    }
    sum + error
}

#[cfg(test)]
mod tests {
    use faf_protocol::PlayerId;
    use faf_protocol::server_message::Rating;

    use super::super::super::{Candidate, Member, QueueRules};
    use super::*;

    const QUEUE: QueueRules = QueueRules { team_size: 2, rating_peak: 1000.0 };

    #[test]
    fn the_table_of_the_specification() {
        let a_thousand = || single(1000.0, 0);
        for (a, b, expected) in [
            ([a_thousand(), a_thousand()], [a_thousand(), a_thousand()], 1.0),
            ([a_thousand(), single(1100.0, 0)], [single(1050.0, 0), a_thousand()], 0.740_214_139),
            ([single(1000.0, 5), single(1000.0, 5)], [single(1000.0, 5), single(1000.0, 5)], 1.1),
            ([single(1000.0, 30), single(1000.0, 2)], [a_thousand(), a_thousand()], 1.11),
            ([party(&[(0.0, 0)], 1), single(600.0, 0)], [single(500.0, 0), single(700.0, 0)], -1.276_087_528),
            ([single(2250.0, 0), single(2250.0, 0)], [single(2250.0, 0), single(2250.0, 0)], 2.0),
            ([single(1800.0, 0), single(1850.0, 0)], [single(1900.0, 0), single(1750.0, 0)], 1.166_355_442),
        ] {
            let [[w, x], [y, z]] = [a, b];
            assert_quality(&[w, x, y, z], [&[0, 1], &[2, 3]], expected);
        }
        let pair = |one, other| party(&[(one, 100), (other, 100)], 0);
        assert_quality(&[pair(1000.0, 1100.0), pair(1050.0, 1050.0)], [&[0], &[1]], 1.000_005_12);
        assert_quality(&[pair(1000.0, 1000.0), pair(1125.0, 1125.0)], [&[0], &[1]], -0.030_676_406);
    }

    #[test]
    fn terms_are_kept() {
        let parties = [party(&[(0.0, 0)], 1), single(600.0, 0), single(500.0, 0), single(700.0, 0)];
        let found = quality_of(&parties, [&[0, 1], &[2, 3]]);
        assert_eq!(
            found.to_string(),
            "imbalance 2.400, spread 1.077, bonus for waiting 0.005, for newbies 0.125, \
             for ratings far from the peak 0.225",
        );
    }

    #[track_caller]
    fn assert_quality(parties: &[Candidate], teams: [&[usize]; 2], expected: f64) {
        let found = quality_of(parties, teams);
        assert!((found.quality - expected).abs() < 1e-8, "{found:?} is not {expected}");
    }

    fn quality_of(candidates: &[Candidate], teams: [&[usize]; 2]) -> GameQuality {
        let settings = MatchmakingSettings::default();
        game_quality(&Parties::new(candidates, QUEUE, &settings), teams, &settings)
    }

    fn single(displayed: f64, failed_attempts: u32) -> Candidate {
        party(&[(displayed, 100)], failed_attempts)
    }

    /// Displayed rating and number of games of each player.
    fn party(players: &[(f64, u32)], failed_attempts: u32) -> Candidate {
        let settings = MatchmakingSettings::default();
        let member = |&(displayed, games): &(f64, u32)| Member {
            player: PlayerId(1),
            rating: Rating { mean: displayed + 300.0, deviation: 100.0 },
            games,
        };
        let members = players.iter().map(member).collect();
        Candidate::new(members, failed_attempts, 0.9, &settings)
    }
}
