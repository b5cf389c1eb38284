//! The last matches of the matchmaker.

use std::collections::VecDeque;
use std::sync::Arc;

use faf_lobby_core::{MatchOutcome, Popped, QueueEvent, Timestamp, World};
use faf_protocol::{GameId, PlayerId};
use serde::Serialize;

use super::{as_text, shown};
use crate::clock::utc_now;

/// Number of matches that are kept.
const KEPT_MATCHES: usize = 20;

/// The last matches, newest last. An entry changes once, when the match is launched or fails.
#[derive(Debug, Default)]
pub(super) struct RecentMatches(VecDeque<Arc<RecentMatch>>);

/// A match: its ratings stay private.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RecentMatch {
    /// Number of the match, from 1.
    number: u64,
    /// Time of the round that made it.
    #[serde(serialize_with = "as_text")]
    at: Timestamp,
    queue: String,
    /// Names of the players of the two teams.
    teams: [Vec<String>; 2],
    quality: f64,
    /// How long its searches took, in seconds, from the shortest to the longest.
    waited_seconds: Vec<u64>,
    /// Its game; `None` if there was no id for it.
    game: Option<GameId>,
    /// How it ended; `None` while it is being set up.
    outcome: Option<MatchOutcome>,
}

impl RecentMatches {
    pub(super) fn observe(&mut self, event: &QueueEvent, world: &World) {
        match event {
            QueueEvent::Popped(popped) => self.popped(popped, world),
            QueueEvent::MatchEnded { game: Some(game), outcome, .. } => {
                let found = self.0.iter_mut().find(|found| found.game == Some(*game));
                if let Some(found) = found {
                    Arc::make_mut(found).outcome = Some(*outcome);
                }
            }
            // A match without a game has ended before the round is reported.
            QueueEvent::MatchEnded { game: None, .. }
            | QueueEvent::SearchBegan { .. }
            | QueueEvent::SearchRestored { .. }
            | QueueEvent::SearchCancelled { .. } => {}
        }
    }

    /// Returns all of them, newest last.
    pub(super) fn all(&self) -> Vec<Arc<RecentMatch>> {
        self.0.iter().cloned().collect()
    }

    fn popped(&mut self, popped: &Popped, world: &World) {
        let queue = world.queues().find(|queue| queue.data().id == popped.queue);
        let queue = queue.map(|queue| shown(&queue.data().name)).unwrap_or_default();
        let name = |player: PlayerId| world.login(player).map_or_else(|| player.to_string(), shown);
        for (found, game) in popped.round.matches.iter().zip(&popped.games) {
            let searches = |team: &[usize]| {
                let searches = team.iter().filter_map(|search| popped.searches.get(*search));
                searches.collect::<Vec<_>>()
            };
            let teams = found.teams.each_ref().map(|team| searches(team));
            let mut waited_seconds: Vec<u64> =
                teams.iter().flatten().map(|search| search.waited.as_secs()).collect();
            waited_seconds.sort_unstable();
            let number = self.0.back().map_or(1, |last| last.number + 1);
            if self.0.len() == KEPT_MATCHES {
                self.0.pop_front();
            }
            self.0.push_back(Arc::new(RecentMatch {
                number,
                at: utc_now(),
                queue: queue.clone(),
                teams: teams.map(|team| {
                    let members = team.into_iter().flat_map(|search| search.candidate.members());
                    members.map(|member| name(member.player)).collect()
                }),
                quality: found.quality.value(),
                waited_seconds,
                game: *game,
                outcome: game.is_none().then_some(MatchOutcome::Errored),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faf_lobby_core::matchmaking::queue::QueueId;
    use faf_lobby_core::matchmaking::{Candidate, MatchmakingSettings, Member, QueueRules, play_round};
    use faf_lobby_core::{InitialState, Moment, PoppedSearch, SearchId, Settings};
    use faf_protocol::server_message::Rating;

    use super::*;

    fn world() -> World {
        let now = Moment { elapsed: Duration::ZERO, utc: Timestamp(0) };
        World::new(Settings::default(), now, InitialState::default())
    }

    /// Returns a round in which two players, who are not online, are matched.
    fn round(game: Option<GameId>) -> QueueEvent {
        let settings = MatchmakingSettings::default();
        let search = |number: u32| {
            let rating = Rating { mean: 1500.0, deviation: 80.0 };
            let member = Member { player: PlayerId(number), rating, games: 100 };
            let candidate = Candidate::new(vec![member], 0, 0.9, &settings);
            let waited = Duration::from_secs(100 / u64::from(number));
            PoppedSearch { search: SearchId(number.into()), waited, candidate }
        };
        let searches = vec![search(1), search(2)];
        let candidates: Vec<_> = searches.iter().map(|search| search.candidate.clone()).collect();
        let round = play_round(&candidates, QueueRules { team_size: 1, rating_peak: 1000.0 }, &settings);
        assert_eq!(round.matches.len(), 1);
        let wait = Duration::from_secs(15);
        QueueEvent::Popped(Box::new(Popped { queue: QueueId(1), wait, searches, round, games: vec![game] }))
    }

    #[test]
    fn only_the_last_matches_are_kept() {
        let (mut matches, world) = (RecentMatches::default(), world());
        for game in 1..=30 {
            matches.observe(&round(Some(GameId(game))), &world);
        }
        let all = matches.all();
        assert_eq!((all.len(), all[0].number, all[19].number), (KEPT_MATCHES, 11, 30));
        assert_eq!(all[0].waited_seconds, [50, 100]);
        assert_eq!(all[0].teams.concat().len(), 2);
    }

    #[test]
    fn a_match_is_shown_with_its_end() {
        let (mut matches, world) = (RecentMatches::default(), world());
        for game in [Some(GameId(1)), Some(GameId(2)), None] {
            matches.observe(&round(game), &world);
        }
        let (queue, outcome) = (QueueId(1), MatchOutcome::TimedOut);
        matches.observe(&QueueEvent::MatchEnded { queue, game: Some(GameId(2)), outcome }, &world);
        let outcomes: Vec<_> = matches.all().iter().map(|found| found.outcome).collect();
        assert_eq!(outcomes, [None, Some(MatchOutcome::TimedOut), Some(MatchOutcome::Errored)]);
    }
}
