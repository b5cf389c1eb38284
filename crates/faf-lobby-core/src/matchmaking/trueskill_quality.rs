//! The TrueSkill quality of a game between two teams, in closed form (matchmaking.md section 3.1).
//!
//! ```text
//!   n players, β = 240, Δ = difference of the sums of means
//!
//!   D = n·β² + Σ deviation²       quality = √(n·β² / D) · exp(-Δ² / (2·D))
//! ```
//!
//! | teams (mean/deviation) | quality |
//! |---|---|
//! | 1500/500 – 1500/500 | 0.432731068 |
//! | 1500/75 – 1300/75 | 0.814847830 |
//! | 1500/100, 900/90 – 1250/120, 1180/75 | 0.924743047 |

use faf_protocol::server_message::Rating;

use crate::ratings::true_skill::BETA;

/// The sums over one team on which the quality of a game depends.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TeamSkill {
    /// n·β²: the randomness that its players bring into a game.
    randomness: f64,
    /// Sum of the means.
    mean: f64,
    /// Sum of the squares of the deviations.
    variance: f64,
}

impl TeamSkill {
    /// Adds up the ratings of a team.
    #[must_use]
    pub fn of(ratings: impl IntoIterator<Item = Rating>) -> Self {
        ratings.into_iter().fold(Self::default(), |team, rating| Self {
            randomness: team.randomness + BETA * BETA,
            mean: team.mean + rating.mean,
            variance: team.variance + rating.deviation * rating.deviation,
        })
    }
}

/// Returns the quality of a game between two teams: from 0 to 1, where 1 is an even game between
/// players whose ratings are certain.
///
/// The order of the teams does not matter. It is 0 between teams without players, and if the
/// ratings are too large for the computation.
#[must_use]
pub fn quality(a: TeamSkill, b: TeamSkill) -> f64 {
    let randomness = a.randomness + b.randomness;
    let total = randomness + (a.variance + b.variance);
    let difference = a.mean - b.mean;
    let quality = (randomness / total).sqrt() * libm::exp(-(difference * difference) / (2.0 * total));
    if quality.is_nan() { 0.0 } else { quality }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_the_specification() {
        for (a, b, expected) in [
            (&[(1500.0, 500.0)][..], &[(1500.0, 500.0)][..], 0.432_731_068),
            (&[(1500.0, 100.0)], &[(1500.0, 100.0)], 0.923_076_923),
            (&[(1500.0, 75.0)], &[(1300.0, 75.0)], 0.814_847_830),
            (&[(1700.0, 75.0)], &[(1300.0, 75.0)], 0.506_997_228),
            (&[(500.0, 500.0)], &[(700.0, 90.0)], 0.526_537_602),
            (&[(1500.0, 100.0), (900.0, 90.0)], &[(1250.0, 120.0), (1180.0, 75.0)], 0.924_743_047),
        ] {
            let found = quality(team(a), team(b));
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }

    #[test]
    fn numbers_beyond_reason_have_no_quality() {
        assert_eq!(quality(TeamSkill::default(), TeamSkill::default()), 0.0);
        assert_eq!(quality(team(&[(1e308, 1.0), (1e308, 1.0)]), team(&[(1e308, 1.0), (1e308, 1.0)])), 0.0);
        assert_eq!(quality(team(&[(0.0, 1e200)]), team(&[(0.0, 1e200)])), 0.0);
        assert_eq!(quality(team(&[(f64::NAN, 1.0)]), team(&[(0.0, 1.0)])), 0.0);
    }

    proptest! {
        #[test]
        fn quality_is_symmetric_and_bounded(a in any_team(), b in any_team()) {
            let (a, b) = (team(&a), team(&b));
            prop_assert!((0.0..=1.0).contains(&quality(a, b)));
            prop_assert_eq!(quality(a, b), quality(b, a));
        }
    }

    fn any_team() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((prop::num::f64::NORMAL, prop::num::f64::NORMAL), 0..8)
    }

    fn team(ratings: &[(f64, f64)]) -> TeamSkill {
        TeamSkill::of(ratings.iter().map(|&(mean, deviation)| Rating { mean, deviation }))
    }
}
