//! The searches of a round as games of teams see them.

use super::super::{Candidate, MatchmakingSettings, QueueRules};

/// The parties of a round, and what each of them adds to every game, computed once. A party is
/// named by its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Parties {
    parties: Vec<Party>,
    /// Displayed ratings of all players, one party after the other.
    displayed_ratings: Vec<f64>,
}

/// A party, and its share in the terms of the quality of a game.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Party {
    /// Number of players; at least 1.
    pub(super) size: u32,
    /// Position of the first player's rating among those of all parties.
    first_player: usize,
    pub(super) cumulative_rating: f64,
    pub(super) average_rating: f64,
    pub(super) is_high_rated: bool,
    pub(super) time_bonus: f64,
    pub(super) newbie_bonus: f64,
    /// Before it is scaled.
    pub(super) minority_bonus: f64,
}

impl Parties {
    /// Takes the searches of a queue; their parties have the same positions.
    #[must_use]
    pub fn new<'a>(
        candidates: impl IntoIterator<Item = &'a Candidate>,
        queue: QueueRules,
        settings: &MatchmakingSettings,
    ) -> Self {
        let mut displayed_ratings = Vec::new();
        let parties = candidates
            .into_iter()
            .map(|candidate| {
                let party = Party::new(candidate, displayed_ratings.len(), queue, settings);
                displayed_ratings.extend(candidate.displayed_ratings());
                party
            })
            .collect();
        Self { parties, displayed_ratings }
    }

    /// Number of parties.
    #[must_use]
    pub fn count(&self) -> usize {
        self.parties.len()
    }

    /// Returns the number of players in some parties.
    ///
    /// # Panics
    ///
    /// If there is no party at one of the positions.
    #[must_use]
    pub fn players(&self, parties: &[usize]) -> u32 {
        parties.iter().map(|&party| self.parties[party].size).sum()
    }

    /// Returns the sum of the displayed ratings of all players in some parties, added up in
    /// this order.
    ///
    /// # Panics
    ///
    /// If there is no party at one of the positions.
    #[must_use]
    pub fn cumulative_rating(&self, parties: &[usize]) -> f64 {
        let ratings = |&party: &usize| {
            let Party { first_player, size, .. } = self.parties[party];
            &self.displayed_ratings[first_player..first_player + size as usize]
        };
        parties.iter().flat_map(ratings).sum()
    }

    pub(super) fn get(&self, party: usize) -> &Party {
        &self.parties[party]
    }

    /// The sizes of all parties, in their order.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u32> {
        self.parties.iter().map(|party| party.size)
    }
}

impl Party {
    fn new(
        candidate: &Candidate,
        first_player: usize,
        queue: QueueRules,
        settings: &MatchmakingSettings,
    ) -> Self {
        let failed_attempts = f64::from(candidate.failed_attempts());
        let share = |players: u32| f64::from(players) / f64::from(queue.team_size);
        let bonus = |step: f64, maximum: f64| (step * failed_attempts).min(maximum);
        let average_rating = candidate.average_rating();
        let distance = (average_rating - queue.rating_peak) / settings.minority_bonus_rating_range;
        Self {
            size: candidate.size(),
            first_player,
            cumulative_rating: candidate.cumulative_rating(),
            average_rating,
            is_high_rated: candidate.is_high_rated(),
            time_bonus: bonus(settings.time_bonus, settings.maximum_time_bonus) * share(candidate.size()),
            newbie_bonus: bonus(settings.newbie_time_bonus, settings.maximum_newbie_time_bonus)
                * share(candidate.newbies()),
            // Not `powi`, whose last digit differs between machines.
            minority_bonus: (distance * distance) * (distance * distance) * share(candidate.size()),
        }
    }
}
