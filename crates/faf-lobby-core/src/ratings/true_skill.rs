//! TrueSkill for two teams, in closed form (ratings.md section 3).
//!
//! ```text
//!   sums of means            every player's variance s², and the randomness of one game
//!    A - B = difference      c² = Σ s² + n·β²
//!         \                     /
//!          t = difference / c,  e = draw margin / c
//!                     |
//!         v: how far the result shifts the expected difference, in units of c
//!         w: how much of its variance the result removes, 0 to 1
//!                     |
//!    μ' = μ ± s²/c · v           σ'² = s² · (1 - s²/c² · w)
//! ```
//!
//! The letters are those of the specification. The mean of a winner never falls, that of a loser
//! never rises. All results are finite, and deviations are above zero, however far apart the teams
//! are (R10): tests check this for means within ±100,000 and deviations from 0.1 to 1000.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use faf_protocol::server_message::Rating;

/// Variation of a player's performance from game to game, in rating points (β): in one against
/// one, a player who is this much better performs better in about 76 % of the games.
pub const BETA: f64 = 240.0;

/// Change of skill from game to game, in rating points (τ): it keeps deviations from shrinking
/// to nothing.
pub const TAU: f64 = 10.0;

/// Share of draws among games between equals.
pub const DRAW_PROBABILITY: f64 = 0.10;

/// Φ⁻¹((`DRAW_PROBABILITY` + 1) / 2): the draw margin in units of √n·β.
const UNIT_DRAW_MARGIN: f64 = 0.125_661_346_855_074_03;

/// The result of a game between two teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GameResult {
    /// The first team won, the second lost.
    FirstWins,
    /// The second team won, the first lost.
    SecondWins,
    /// Nobody won.
    Draw,
}

/// Returns the ratings after a game, in the order of those before it.
///
/// Teams may differ in size; their order does not matter.
#[must_use]
pub fn rate(teams: &[Vec<Rating>; 2], result: GameResult) -> [Vec<Rating>; 2] {
    // Summed by team, so that the order of the teams does not change even the last digit.
    let [first, second] = teams.each_ref().map(|team| team.iter().copied().map(variance).sum::<f64>());
    let [mean_first, mean_second] =
        teams.each_ref().map(|team| team.iter().map(|rating| rating.mean).sum::<f64>());
    let players = (teams[0].len() + teams[1].len()) as f64;
    let c = (first + second + players * BETA * BETA).sqrt();
    let t = (mean_first - mean_second) / c;
    let e = UNIT_DRAW_MARGIN * players.sqrt() * BETA / c;

    let Correction { v, w } = match result {
        GameResult::FirstWins => won(t, e),
        GameResult::SecondWins => won(-t, e).mirrored(),
        GameResult::Draw => drawn(t, e),
    };
    let corrected = |rating: &Rating, direction: f64| {
        let variance = variance(*rating);
        Rating {
            mean: rating.mean + direction * (variance / c) * v,
            deviation: (variance * (1.0 - variance / (c * c) * w)).sqrt(),
        }
    };
    [
        teams[0].iter().map(|rating| corrected(rating, 1.0)).collect(),
        teams[1].iter().map(|rating| corrected(rating, -1.0)).collect(),
    ]
}

/// s²: the uncertainty about a player when the game begins.
fn variance(rating: Rating) -> f64 {
    rating.deviation * rating.deviation + TAU * TAU
}

/// The correction that the result makes to the difference of the teams: `v` shifts the first
/// team upwards.
#[derive(Debug, Clone, Copy)]
struct Correction {
    v: f64,
    w: f64,
}

impl Correction {
    fn mirrored(self) -> Self {
        Self { v: -self.v, w: self.w }
    }
}

/// The difference was above `e`, and expected to be `t`.
///
/// v = φ(t - e) / Φ(t - e) and w = v · (v + t - e), in the terms of [`Tail`].
fn won(t: f64, e: f64) -> Correction {
    let tail = Tail::beyond(e - t);
    Correction { v: tail.hazard, w: (tail.hazard * tail.excess).clamp(0.0, 1.0) }
}

/// The difference was within ±`e`, and expected to be `t`.
///
/// With a = |t|, both numerators and d of the specification are divided by φ(a - e), which is
/// indistinguishable from 0 if the teams are far apart. With q = φ(a + e) / φ(a - e) = exp(-2ae)
/// this leaves
///
/// ```text
///   d = 1 / near.hazard - q / far.hazard
///   v = -sign(t) · (1 - q) / d
///   w = v² - ((a - e) - (a + e) · q) / d
///     = |v| · (|v| - (a - e)) + 2e · q / d
/// ```
fn drawn(t: f64, e: f64) -> Correction {
    let a = t.abs();
    let (near, far) = (Tail::beyond(a - e), Tail::beyond(a + e));
    let q = libm::exp(-2.0 * a * e);
    let d = 1.0 / near.hazard - q / far.hazard;
    let v = -libm::expm1(-2.0 * a * e) / d;
    // |v| - (a - e), computed without subtracting two large numbers.
    let excess = (near.excess / near.hazard - q * (far.excess + 2.0 * e) / far.hazard) / d;
    Correction { v: -v.copysign(t), w: (v * excess + 2.0 * e * q / d).clamp(0.0, 1.0) }
}

/// The standard normal distribution beyond a point x.
#[derive(Debug, Clone, Copy)]
struct Tail {
    /// φ(x) / Φ(-x), the mean of the part beyond x. Close to 0 if nearly everything is beyond.
    hazard: f64,
    /// Distance of that mean from the point: hazard - x.
    excess: f64,
}

impl Tail {
    /// From here on the continued fraction is exact to the last digits. The plain quotient also
    /// stays exact for a while beyond this point.
    const FAR: f64 = 5.0;

    /// Number of terms that suffices at [`Self::FAR`]; farther out fewer would do.
    const TERMS: u8 = 60;

    fn beyond(x: f64) -> Self {
        if x < Self::FAR {
            let density = libm::exp(-0.5 * x * x) / (2.0 * PI).sqrt();
            let hazard = density / (0.5 * libm::erfc(x * FRAC_1_SQRT_2));
            return Self { hazard, excess: hazard - x };
        }
        // Laplace: φ(x) / Φ(-x) = x + 1 / (x + 2 / (x + 3 / (x + ...)))
        let excess = (1..=Self::TERMS).rev().fold(0.0, |rest, term| f64::from(term) / (x + rest));
        Self { hazard: x + excess, excess }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::GameResult::{Draw, FirstWins, SecondWins};
    use super::*;

    /// (mean, deviation) of each player, the result, and the same after the game.
    type Game<'a> = ([&'a [(f64, f64)]; 2], GameResult, [&'a [(f64, f64)]; 2]);

    #[test]
    fn the_table_of_the_specification() {
        let new = (1500.0, 500.0);
        let games: [Game; 12] = [
            ([&[new], &[new]], FirstWins, [&[(1765.511882, 429.191878)], &[(1234.488118, 429.191878)]]),
            ([&[new], &[new]], Draw, [&[(1500.0, 385.433372)], &[(1500.0, 385.433372)]]),
            (
                [&[(1200.0, 75.0)], &[(1200.0, 75.0)]],
                FirstWins,
                [&[(1214.087540, 74.523160)], &[(1185.912460, 74.523160)]],
            ),
            (
                [&[(1800.0, 80.0)], &[(1200.0, 80.0)]],
                FirstWins,
                [&[(1802.293434, 80.186848)], &[(1197.706566, 80.186848)]],
            ),
            (
                [&[(1800.0, 80.0)], &[(1200.0, 80.0)]],
                SecondWins,
                [&[(1760.191666, 78.818776)], &[(1239.808334, 78.818776)]],
            ),
            (
                [&[(1700.0, 90.0)], &[(1300.0, 110.0)]],
                Draw,
                [&[(1675.919068, 87.785741)], &[(1335.827728, 105.390911)]],
            ),
            (
                [&[new], &[(1650.0, 62.52)]],
                FirstWins,
                [&[(1915.681769, 362.685431)], &[(1643.337207, 63.073692)]],
            ),
            (
                [&[new, (1400.0, 400.0)], &[(1300.0, 300.0), (1200.0, 200.0)]],
                FirstWins,
                [
                    &[(1662.084866, 453.832708), (1503.757645, 376.847202)],
                    &[(1241.607971, 290.468339), (1174.011983, 197.396487)],
                ],
            ),
            (
                [&[(1000.0, 100.0), (1300.0, 90.0)], &[(1150.0, 120.0), (1180.0, 75.0)]],
                Draw,
                [
                    &[(1001.121636, 98.602142), (1300.910636, 89.168901)],
                    &[(1148.389730, 117.139672), (1179.364221, 74.857679)],
                ],
            ),
            (
                [&[(1500.0, 5.0)], &[(1500.0, 5.0)]],
                FirstWins,
                [&[(1500.323547, 11.176326)], &[(1499.676453, 11.176326)]],
            ),
            ([&[(3000.0, 50.0)], &[(0.0, 50.0)]], FirstWins, [&[(3000.0, 50.990195)], &[(0.0, 50.990195)]]),
            (
                [&[(3000.0, 50.0)], &[(0.0, 50.0)]],
                SecondWins,
                [&[(2933.461302, 50.443359)], &[(66.538698, 50.443359)]],
            ),
        ];
        assert_games(&games);
    }

    /// Games that the original server could not rate (R10). The numbers are from
    /// 60-digit arithmetic.
    #[test]
    fn extremely_uneven_games() {
        let (high, low) = ((20_000.0, 80.0), (0.0, 80.0));
        let (top, bottom) = ((100_000.0, 1000.0), (-100_000.0, 1000.0));
        let (sure_top, sure_bottom) = ((100_000.0, 0.1), (-100_000.0, 0.1));
        let games: [Game; 7] = [
            ([&[high], &[low]], FirstWins, [&[(20_000.0, 80.622577483)], &[(0.0, 80.622577483)]]),
            (
                [&[high], &[low]],
                SecondWins,
                [&[(18983.47285076, 78.5527962109)], &[(1016.527149236, 78.5527962109)]],
            ),
            (
                [&[high], &[low]],
                Draw,
                [&[(18987.79644619, 78.5528017271)], &[(1012.203553815, 78.5528017271)]],
            ),
            (
                [&[top], &[bottom]],
                SecondWins,
                [&[(5420.615569132, 726.158799564)], &[(-5420.615569132, 726.158799564)]],
            ),
            (
                [&[top], &[bottom]],
                Draw,
                [&[(5460.954317477, 726.158462131)], &[(-5460.954317477, 726.158462131)]],
            ),
            (
                [&[sure_top], &[sure_bottom]],
                SecondWins,
                [&[(99826.63501092, 9.99616565591)], &[(-99826.63501092, 9.99616565591)]],
            ),
            (
                [&[sure_top], &[sure_bottom]],
                Draw,
                [&[(99826.70893641, 9.99616565592)], &[(-99826.70893641, 9.99616565592)]],
            ),
        ];
        assert_games(&games);
    }

    #[test]
    fn the_draw_margin_matches_the_draw_probability() {
        let above = 0.5 * libm::erfc(UNIT_DRAW_MARGIN * FRAC_1_SQRT_2);
        assert_close(1.0 - above, (DRAW_PROBABILITY + 1.0) / 2.0, 1e-15);
        assert_close(UNIT_DRAW_MARGIN * 2.0_f64.sqrt() * BETA, 42.650_875_4, 5e-8);
    }

    /// Point, hazard and excess, from 60-digit arithmetic.
    #[test]
    fn tails_are_exact_on_both_sides_of_the_switch() {
        for (x, hazard, excess) in [
            (-6.0, 6.075_882_855_817_676e-9, 6.000_000_006_075_883),
            (0.0, 0.797_884_560_802_865_4, 0.797_884_560_802_865_4),
            (1.0, 1.525_135_276_160_981, 0.525_135_276_160_981_2),
            (4.0, 4.225_607_144_489_471, 0.225_607_144_489_471_07),
            (4.999, 5.185_536_668_974_19, 0.186_536_668_974_189_58),
            (5.001, 5.187_471_276_103_259, 0.186_471_276_103_259_4),
            (6.0, 6.158_482_604_544_599, 0.158_482_604_544_598_92),
            (38.0, 38.026_279_466_575_87, 0.026_279_466_575_868_99),
            (1e6, 1_000_000.000_001, 9.999_999_999_98e-7),
        ] {
            let tail = Tail::beyond(x);
            assert_close(tail.hazard / hazard, 1.0, 1e-14);
            assert_close(tail.excess / excess, 1.0, 1e-13);
        }
    }

    /// Expected difference, margin, v and w, from 60-digit arithmetic.
    #[test]
    fn draws_are_exact_near_and_far() {
        for (t, e, v, w) in [
            (0.0, 0.0001, 0.0, 0.999_999_996_666_666_7),
            (0.3, 0.001, -0.299_999_900_000_013_9, 0.999_999_666_666_717_1),
            (3.0, 0.125, -2.984_551_225_661_382_6, 0.994_944_946_985_426),
            (10.0, 0.03, -9.997_018_200_986_62, 0.999_705_358_006_136_6),
            (100.0, 0.03, -99.979_852_009_926_28, 0.999_908_960_412_438_8),
            (1000.0, 0.03, -999.971_000_028_000_7, 0.999_998_999_945_998),
            (100_000.0, 0.03, -99_999.970_010_000, 0.999_999_999_9),
        ] {
            let correction = drawn(t, e);
            assert_close(correction.v, v, 1e-12 * (1.0 + t));
            assert_close(correction.w, w, 1e-11);
        }
    }

    #[test]
    fn enormous_differences_stay_finite() {
        let one = |mean| vec![Rating { mean, deviation: 1e-9 }];
        for result in [FirstWins, SecondWins, Draw] {
            let after = rate(&[one(1e12), one(-1e12)], result);
            assert!(after.iter().flatten().all(is_valid), "{result:?} {after:?}");
        }
    }

    proptest! {
        #[test]
        fn ratings_stay_finite_and_deviations_positive(teams in any_teams(), result in any_result()) {
            for rating in rate(&teams, result).iter().flatten() {
                prop_assert!(is_valid(rating), "{rating:?}");
            }
        }

        #[test]
        fn winners_never_fall_and_losers_never_rise(teams in any_teams()) {
            let after = rate(&teams, FirstWins);
            for (before, after) in teams[0].iter().zip(&after[0]) {
                prop_assert!(after.mean >= before.mean, "{before:?} {after:?}");
            }
            for (before, after) in teams[1].iter().zip(&after[1]) {
                prop_assert!(after.mean <= before.mean, "{before:?} {after:?}");
            }
        }

        #[test]
        fn no_game_adds_more_uncertainty_than_time(teams in any_teams(), result in any_result()) {
            for (before, after) in teams.iter().flatten().zip(rate(&teams, result).iter().flatten()) {
                prop_assert!(after.deviation <= variance(*before).sqrt());
            }
        }

        #[test]
        fn the_order_of_the_teams_is_irrelevant(teams in any_teams(), result in any_result()) {
            let [first, second] = rate(&teams, result);
            let reversed = match result {
                FirstWins => SecondWins,
                SecondWins => FirstWins,
                Draw => Draw,
            };
            let [a, b] = teams;
            prop_assert_eq!(rate(&[b, a], reversed), [second, first]);
        }

        #[test]
        fn a_draw_of_equals_keeps_the_means(team in any_team()) {
            let teams = [team.clone(), team];
            for (before, after) in teams.iter().flatten().zip(rate(&teams, Draw).iter().flatten()) {
                prop_assert_eq!(before.mean, after.mean);
            }
        }

        #[test]
        fn a_draw_brings_the_teams_closer(teams in any_teams()) {
            let sum = |team: &[Rating]| team.iter().map(|rating| rating.mean).sum::<f64>();
            let direction = if sum(&teams[0]) >= sum(&teams[1]) { 1.0 } else { -1.0 };
            let after = rate(&teams, Draw);
            for (before, after) in teams[0].iter().zip(&after[0]) {
                prop_assert!((before.mean - after.mean) * direction >= 0.0);
            }
            for (before, after) in teams[1].iter().zip(&after[1]) {
                prop_assert!((after.mean - before.mean) * direction >= 0.0);
            }
        }
    }

    fn any_team() -> impl Strategy<Value = Vec<Rating>> {
        let rating = (-100_000.0..100_000.0, 0.1..1000.0);
        prop::collection::vec(rating.prop_map(|(mean, deviation)| Rating { mean, deviation }), 1..=8)
    }

    fn any_teams() -> impl Strategy<Value = [Vec<Rating>; 2]> {
        // Half of the teams are close enough for the result to change their ratings.
        let near = (-3000.0..3000.0, 0.1..1000.0);
        let near = near.prop_map(|(mean, deviation)| Rating { mean, deviation });
        let near = prop::collection::vec(near, 1..=8);
        prop_oneof![(any_team(), any_team()), (near.clone(), near)].prop_map(|(a, b)| [a, b])
    }

    fn any_result() -> impl Strategy<Value = GameResult> {
        prop_oneof![Just(FirstWins), Just(SecondWins), Just(Draw)]
    }

    fn is_valid(rating: &Rating) -> bool {
        rating.mean.is_finite() && rating.deviation.is_finite() && rating.deviation > 0.0
    }

    fn assert_games(games: &[Game]) {
        for (before, result, expected) in games {
            let before = before.map(ratings);
            let after = rate(&before, *result);
            for (after, expected) in after.iter().flatten().zip(expected.map(ratings).iter().flatten()) {
                assert_close(after.mean, expected.mean, 1e-6);
                assert_close(after.deviation, expected.deviation, 1e-6);
            }
        }
    }

    fn ratings(team: &[(f64, f64)]) -> Vec<Rating> {
        team.iter().map(|&(mean, deviation)| Rating { mean, deviation }).collect()
    }

    #[track_caller]
    fn assert_close(actual: f64, expected: f64, tolerance: f64) {
        assert!((actual - expected).abs() <= tolerance, "{actual} is not {expected}");
    }
}
