use serde::{Deserialize, Serialize};

use super::map_choice::AntiRepetition;
use super::map_pool::RatingSelection;
use super::violations::ViolationSettings;

/// The numbers of the rules of matching. Each field is the configuration key of FAF's server in
/// lower case, with that server's default.
///
/// The rules accept any numbers without panicking; within the bounds given here the results mean
/// something. A key that is missing when settings are deserialized has its default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MatchmakingSettings {
    /// `NEWBIE_BASE_MEAN`: mean that a player without games is given for the quality of a pair, in
    /// rating points; default 500.
    pub newbie_base_mean: f64,
    /// `NEWBIE_MIN_GAMES`: number of games on the leaderboard up to which a player is a newbie;
    /// default 10.
    pub newbie_min_games: u32,
    /// `HIGH_RATED_PLAYER_MIN_RATING`: displayed rating from which a player is high-rated, in
    /// rating points; default 1400. A game with such a player gets no newbie bonus.
    pub high_rated_player_min_rating: f64,
    /// `TOP_PLAYER_MIN_RATING`: displayed rating from which a player is a top player, in rating
    /// points; default 2000.
    pub top_player_min_rating: f64,

    /// `MINIMUM_GAME_QUALITY`: quality below which two teams do not play; default 0.4.
    pub minimum_game_quality: f64,
    /// `MAXIMUM_RATING_IMBALANCE`: difference between the sums of two teams that costs a quality
    /// of 1, in rating points; default 250; above 0. It is a scale, no limit.
    pub maximum_rating_imbalance: f64,
    /// `MAXIMUM_RATING_DEVIATION`: standard deviation between the parties of a game that costs a
    /// quality of 1, in rating points; default 250; above 0. It is a scale, no limit.
    pub maximum_rating_deviation: f64,
    /// `TIME_BONUS`: quality that a team gains for each failed attempt of a whole team;
    /// default 0.01.
    pub time_bonus: f64,
    /// `MAXIMUM_TIME_BONUS`: maximum of that gain for each team; default 0.2.
    pub maximum_time_bonus: f64,
    /// `NEWBIE_TIME_BONUS`: the same for each failed attempt of a team of newbies; default 0.25.
    pub newbie_time_bonus: f64,
    /// `MAXIMUM_NEWBIE_TIME_BONUS`: maximum of that gain for each team; default 3.
    pub maximum_newbie_time_bonus: f64,
    /// `MINORITY_BONUS`: quality that a team gains if all its players are
    /// `minority_bonus_rating_range` away from the peak, and maximum for the whole game;
    /// default 1.
    pub minority_bonus: f64,
    /// `MINORITY_BONUS_RATING_RANGE`: distance from the rating peak of the queue, in rating
    /// points; default 1250; above 0.
    pub minority_bonus_rating_range: f64,

    /// `LADDER_SEARCH_EXPANSION_STEP`: how much each failed attempt lowers the threshold of a
    /// search, in quality; default 0.05.
    pub ladder_search_expansion_step: f64,
    /// `LADDER_SEARCH_EXPANSION_MAX`: how much all failed attempts together may; default 0.25.
    pub ladder_search_expansion_max: f64,
    /// `LADDER_TOP_PLAYER_SEARCH_EXPANSION_STEP`: the same if a top player is in the search;
    /// default 0.15, in production since 2026 0.5.
    pub ladder_top_player_search_expansion_step: f64,
    /// `LADDER_TOP_PLAYER_SEARCH_EXPANSION_MAX`: default 0.3, in production since 2026 0.5.
    pub ladder_top_player_search_expansion_max: f64,
    /// `LADDER_NEWBIE_SEARCH_EXPANSION_STEP`: the same if a newbie is in the search and no top
    /// player (M15); default 0.1.
    pub ladder_newbie_search_expansion_step: f64,
    /// `LADDER_NEWBIE_SEARCH_EXPANSION_MAX`: default 0.6.
    pub ladder_newbie_search_expansion_max: f64,

    /// `QUEUE_POP_TIME_MAX`: longest time between two rounds, in seconds; default 90. The first
    /// round comes after half of it.
    pub queue_pop_time_max: f64,
    /// `QUEUE_POP_TIME_MIN`: shortest time between two rounds, in seconds; default 15. It
    /// wins over a maximum below it.
    pub queue_pop_time_min: f64,
    /// `QUEUE_POP_DESIRED_MATCHES`: number of matches for which the players of a round should
    /// suffice; default 2.5.
    pub queue_pop_desired_matches: f64,
    /// `QUEUE_POP_TIME_MOVING_AVG_SIZE`: number of rounds from which the next wait is computed;
    /// default 5; at least 1.
    pub queue_pop_time_moving_avg_size: usize,
}

impl Default for MatchmakingSettings {
    fn default() -> Self {
        Self {
            newbie_base_mean: 500.0,
            newbie_min_games: 10,
            high_rated_player_min_rating: 1400.0,
            top_player_min_rating: 2000.0,
            minimum_game_quality: 0.4,
            maximum_rating_imbalance: 250.0,
            maximum_rating_deviation: 250.0,
            time_bonus: 0.01,
            maximum_time_bonus: 0.2,
            newbie_time_bonus: 0.25,
            maximum_newbie_time_bonus: 3.0,
            minority_bonus: 1.0,
            minority_bonus_rating_range: 1250.0,
            ladder_search_expansion_step: 0.05,
            ladder_search_expansion_max: 0.25,
            ladder_top_player_search_expansion_step: 0.15,
            ladder_top_player_search_expansion_max: 0.3,
            ladder_newbie_search_expansion_step: 0.1,
            ladder_newbie_search_expansion_max: 0.6,
            queue_pop_time_max: 90.0,
            queue_pop_time_min: 15.0,
            queue_pop_desired_matches: 2.5,
            queue_pop_time_moving_avg_size: 5,
        }
    }
}

/// Rules for setting up matches: their maps, and what follows if they fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MatchSettings {
    /// `MAP_POOL_RATING_SELECTION`: the rating of a match that decides on its bracket; default the
    /// mean of all players.
    pub map_pool_rating_selection: RatingSelection,
    /// `LADDER_ANTI_REPETITION_LIMIT`: number of recent games of each player that the choice of a
    /// map considers; default 1.
    pub ladder_anti_repetition_limit: u32,
    /// Rules that keep players from playing the same map again and again.
    pub anti_repetition: AntiRepetition,
    /// Rules for players who make matches fail.
    pub violations: ViolationSettings,
    /// Share of all players, from 0 to 1, above which players who lose their connection within a
    /// minute do so for a common cause, and no failed match is held against anybody; default 0.1.
    pub common_losses_share: f64,
}

impl Default for MatchSettings {
    fn default() -> Self {
        Self {
            map_pool_rating_selection: RatingSelection::default(),
            ladder_anti_repetition_limit: 1,
            anti_repetition: AntiRepetition::default(),
            violations: ViolationSettings::default(),
            common_losses_share: 0.1,
        }
    }
}
