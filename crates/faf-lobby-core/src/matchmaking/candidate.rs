//! A search as a round sees it (matchmaking.md section 3).
//!
//! | property | definition |
//! |---|---|
//! | newbie | player with at most `newbie_min_games` games on the leaderboard |
//! | quality rating | newbie with g of n games: mean' = ((n - g) · 500 + g · mean) / n |
//! | displayed rating | of the rating itself: mean - 3 · deviation |
//! | self quality | quality of a game against itself, computed when the search begins |
//! | expansion | min(failed attempts · step, maximum); of a top player, else of a newbie (M15) |
//! | threshold | max(0.8 · self quality - expansion, 0) |
//! | boundaries | quality mean of the first player, rounded up to tens, ± 200 and ± 100 (M16) |
//!
//! | mean/deviation/games/failed attempts | quality rating | self quality | expansion | threshold |
//! |---|---|---|---|---|
//! | 1500/500/0/0 | 500/500 | 0.432731068 | 0 | 0.346184854 |
//! | 1200/300/5/0 | 850/300 | 0.624695048 | 0 | 0.499756038 |
//! | 1234.5/80/100/3 | the same | 0.948683298 | 0.15 | 0.608946638 |
//! | 2300/80/500/5 | the same | 0.948683298 | 0.3 | 0.458946638 |

use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;
use serde::{Deserialize, Serialize};

use super::MatchmakingSettings;
use super::trueskill_quality::{TeamSkill, quality};

/// The threshold of a search that has not failed, as a share of its self quality.
const THRESHOLD: f64 = 0.8;

/// Deviation from which the graph of a long queue takes a player's mean for 0, in rating
/// points (M20).
const UNCERTAIN: f64 = 250.0;

/// A player of a search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Id of the player.
    pub player: PlayerId,
    /// Rating on the leaderboard of the queue.
    pub rating: Rating,
    /// Number of games on that leaderboard.
    pub games: u32,
}

impl Member {
    /// Returns the rating from which the quality of a pair is computed: that of a newbie is moved
    /// towards `newbie_base_mean`.
    #[must_use]
    pub fn quality_rating(self, settings: &MatchmakingSettings) -> Rating {
        let (games, needed) = (f64::from(self.games), f64::from(settings.newbie_min_games));
        // With the last of these games the mean stays where it is.
        if self.games >= settings.newbie_min_games {
            return self.rating;
        }
        let mean = ((needed - games) * settings.newbie_base_mean + games * self.rating.mean) / needed;
        Rating { mean, ..self.rating }
    }

    /// Returns whether the player has played few games on the leaderboard.
    #[must_use]
    pub fn is_newbie(self, settings: &MatchmakingSettings) -> bool {
        self.games <= settings.newbie_min_games
    }
}

/// Returns the quality of a game of a search against itself. A search computes it when it begins
/// and keeps it, whatever ratings its players have later.
#[must_use]
pub fn self_quality(members: &[Member], settings: &MatchmakingSettings) -> f64 {
    let team = TeamSkill::of(members.iter().map(|member| member.quality_rating(settings)));
    quality(team, team)
}

/// The ratings of good opponents of a search, as `matchmaker_info` gives them (M16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundaries {
    /// Mean of the first player's quality rating, rounded up to tens.
    middle: i32,
}

impl Boundaries {
    /// Returns those of a search whose first player this is.
    #[must_use]
    pub fn of(first: Member, settings: &MatchmakingSettings) -> Self {
        // The conversion ends at the largest and smallest number.
        Self { middle: ((first.quality_rating(settings).mean / 10.0).ceil() * 10.0) as i32 }
    }

    /// Lowest and highest rating in `boundary_80s`.
    #[must_use]
    pub fn boundary_80(self) -> [i32; 2] {
        self.around(200)
    }

    /// Lowest and highest rating in `boundary_75s`.
    #[must_use]
    pub fn boundary_75(self) -> [i32; 2] {
        self.around(100)
    }

    fn around(self, distance: i32) -> [i32; 2] {
        [self.middle.saturating_sub(distance), self.middle.saturating_add(distance)]
    }
}

/// A search in a round: its players, and what the rules derive from them, computed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    members: Vec<Member>,
    failed_attempts: u32,
    self_quality: f64,
    skill: TeamSkill,
    graph_mean: f64,
    boundaries: Boundaries,
    cumulative_rating: f64,
    newbies: u32,
    is_high_rated: bool,
    has_top_player: bool,
    expansion: f64,
}

impl Candidate {
    /// Takes the players of a search in the order of the party, with their present ratings, the
    /// number of rounds in which it failed, and its [`self_quality`] from when it began.
    ///
    /// # Panics
    ///
    /// If there are no players.
    #[must_use]
    pub fn new(
        members: Vec<Member>,
        failed_attempts: u32,
        self_quality: f64,
        settings: &MatchmakingSettings,
    ) -> Self {
        assert!(!members.is_empty(), "a search has at least one player");
        let (mut cumulative_rating, mut graph_mean, mut newbies) = (0.0, 0.0, 0);
        let (mut is_high_rated, mut has_top_player) = (false, false);
        for member in &members {
            let shown = member.rating.displayed();
            cumulative_rating += shown;
            is_high_rated |= shown >= settings.high_rated_player_min_rating;
            has_top_player |= shown >= settings.top_player_min_rating;
            newbies += u32::from(member.is_newbie(settings));
            let rating = member.quality_rating(settings);
            graph_mean += if rating.deviation < UNCERTAIN { rating.mean } else { 0.0 };
        }
        let (step, maximum) = if has_top_player {
            (
                settings.ladder_top_player_search_expansion_step,
                settings.ladder_top_player_search_expansion_max,
            )
        } else if newbies > 0 {
            (settings.ladder_newbie_search_expansion_step, settings.ladder_newbie_search_expansion_max)
        } else {
            (settings.ladder_search_expansion_step, settings.ladder_search_expansion_max)
        };
        Self {
            failed_attempts,
            self_quality,
            skill: TeamSkill::of(members.iter().map(|member| member.quality_rating(settings))),
            graph_mean: graph_mean / members.len() as f64,
            boundaries: Boundaries::of(members[0], settings),
            cumulative_rating,
            newbies,
            is_high_rated,
            has_top_player,
            expansion: (f64::from(failed_attempts) * step).min(maximum),
            members,
        }
    }

    /// The players, in the order of the party.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Number of players; at least 1.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.members.len() as u32
    }

    /// Number of rounds in which the search took part without being matched.
    #[must_use]
    pub fn failed_attempts(&self) -> u32 {
        self.failed_attempts
    }

    /// Quality of a game against itself when the search began, from 0 to 1.
    #[must_use]
    pub fn self_quality(&self) -> f64 {
        self.self_quality
    }

    /// The displayed ratings, in the order of the party.
    pub fn displayed_ratings(&self) -> impl Iterator<Item = f64> {
        self.members.iter().map(|member| member.rating.displayed())
    }

    /// Sum of the displayed ratings.
    #[must_use]
    pub fn cumulative_rating(&self) -> f64 {
        self.cumulative_rating
    }

    /// Mean of the displayed ratings.
    #[must_use]
    pub fn average_rating(&self) -> f64 {
        self.cumulative_rating / f64::from(self.size())
    }

    /// Number of players with few games.
    #[must_use]
    pub fn newbies(&self) -> u32 {
        self.newbies
    }

    /// Returns whether the displayed rating of a player is at least
    /// `high_rated_player_min_rating`.
    #[must_use]
    pub fn is_high_rated(&self) -> bool {
        self.is_high_rated
    }

    /// Returns whether the displayed rating of a player is at least `top_player_min_rating`.
    #[must_use]
    pub fn has_top_player(&self) -> bool {
        self.has_top_player
    }

    /// How much the failed attempts have lowered the threshold, in quality.
    #[must_use]
    pub fn expansion(&self) -> f64 {
        self.expansion
    }

    /// Lowest quality of a pair to which the search agrees; at least 0.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        (THRESHOLD * self.self_quality - self.expansion).max(0.0)
    }

    /// The ratings of good opponents, as clients are sent them.
    #[must_use]
    pub fn boundaries(&self) -> Boundaries {
        self.boundaries
    }

    /// Mean of the means of the quality ratings, where a player whose deviation is 250 or more
    /// counts as 0 (M20). Orders the searches of a long queue.
    #[must_use]
    pub fn graph_mean(&self) -> f64 {
        self.graph_mean
    }

    /// The quality ratings as a team.
    #[must_use]
    pub fn skill(&self) -> TeamSkill {
        self.skill
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alone(mean: f64, deviation: f64, games: u32, failed_attempts: u32) -> Candidate {
        let settings = MatchmakingSettings::default();
        let members = vec![Member { player: PlayerId(1), rating: Rating { mean, deviation }, games }];
        let self_quality = self_quality(&members, &settings);
        Candidate::new(members, failed_attempts, self_quality, &settings)
    }

    #[test]
    fn the_table_of_the_specification() {
        for (search, self_quality, expansion, threshold, boundary) in [
            (alone(1500.0, 500.0, 0, 0), 0.432_731_068, 0.0, 0.346_184_854, [300, 700]),
            (alone(1200.0, 300.0, 5, 0), 0.624_695_048, 0.0, 0.499_756_038, [650, 1050]),
            (alone(1200.0, 200.0, 10, 0), 0.768_221_280, 0.0, 0.614_577_024, [1000, 1400]),
            (alone(1234.5, 80.0, 100, 0), 0.948_683_298, 0.0, 0.758_946_638, [1040, 1440]),
            (alone(1234.5, 80.0, 100, 3), 0.948_683_298, 0.15, 0.608_946_638, [1040, 1440]),
            (alone(1234.5, 80.0, 100, 9), 0.948_683_298, 0.25, 0.508_946_638, [1040, 1440]),
            (alone(1500.0, 500.0, 0, 4), 0.432_731_068, 0.4, 0.0, [300, 700]),
            (alone(2300.0, 80.0, 500, 1), 0.948_683_298, 0.15, 0.608_946_638, [2100, 2500]),
            (alone(2300.0, 80.0, 500, 5), 0.948_683_298, 0.3, 0.458_946_638, [2100, 2500]),
        ] {
            assert!((search.self_quality() - self_quality).abs() < 1e-9, "{search:?}");
            assert!((search.expansion() - expansion).abs() < 1e-9, "{search:?}");
            assert!((search.threshold() - threshold).abs() < 1e-9, "{search:?}");
            assert_eq!(search.boundaries().boundary_80(), boundary, "{search:?}");
        }
    }

    #[test]
    fn boundaries_of_extreme_ratings_end_at_the_largest_numbers() {
        assert_eq!(alone(1e300, 80.0, 100, 0).boundaries().boundary_80(), [i32::MAX - 200, i32::MAX]);
        assert_eq!(alone(-1e300, 80.0, 100, 0).boundaries().boundary_75(), [i32::MIN, i32::MIN + 100]);
    }

    #[test]
    fn without_games_for_newbies_the_rating_stays() {
        let settings = MatchmakingSettings { newbie_min_games: 0, ..MatchmakingSettings::default() };
        let rating = Rating { mean: 1500.0, deviation: 500.0 };
        let member = Member { player: PlayerId(1), rating, games: 0 };
        assert_eq!(member.quality_rating(&settings), rating);
        assert!(member.is_newbie(&settings));
    }

    proptest! {
        #[test]
        fn failing_never_raises_the_threshold(
            mean in prop::num::f64::NORMAL, deviation in 0.0..1000.0, games: u32, failed in 0..u32::MAX,
        ) {
            let (before, after) =
                (alone(mean, deviation, games, failed), alone(mean, deviation, games, failed + 1));
            prop_assert!(after.threshold() <= before.threshold());
            prop_assert!((0.0..=THRESHOLD).contains(&before.threshold()));
        }
    }
}
