//! Writes about games, and data that must not be lost.

use faf_lobby_core::request::StoreGame;
use faf_lobby_core::validity::DESYNCS_MAX;
use faf_lobby_core::{Contradiction, Decision, GameState, GameWrite, Note, ReplyTo, RequestId, Unavailable};
use faf_protocol::GameId;

use super::Checker;
use super::laws::{Law, Violation, broken, ensure};
use super::model::{Fact, Step};

/// Maximum number of one player's reports that are kept for a game.
const REPORTS_PER_REPORTER: usize = faf_lobby_core::results::REPORTS_PER_REPORTER_MAX;

impl Checker {
    /// Processes a request to store data of a game.
    pub(super) fn store_requested(
        &mut self,
        id: GameId,
        request: RequestId,
        write: &GameWrite,
    ) -> Result<Step, Violation> {
        let step = match write {
            GameWrite::Launch(_) => Step::Launch,
            GameWrite::Save(_) => Step::Save,
            GameWrite::Note(_) => Step::Note,
            GameWrite::End(_) => Step::End,
            GameWrite::Publish => Step::Publish,
        };
        let Some(game) = self.games.get_mut(&id) else {
            return broken(Law::GamesAreHosted, format!("{step:?} of game {id}"));
        };
        let other = game.storing.open.replace(request);
        ensure(other.is_none(), Law::OneWriteAtATime, || format!("{request:?} and {other:?} of game {id}"))?;
        let is_again = game.storing.is_failing;
        let fits = match (game.storing.requested, step) {
            (None, Step::Launch) => true,
            (None, _) => false,
            (Some(Step::Launch), Step::Launch) => is_again,
            (Some(_), Step::Launch) => false,
            // A game that continued after the server was killed may end again if its end was not
            // stored.
            (Some(_), _) if !game.storing.is_over => true,
            (Some(_), step) => matches!(step, Step::Note | Step::Publish),
        };
        let asked = game.storing.requested.replace(step);
        ensure(fits, Law::LaunchedThenEnded, || format!("{step:?} of game {id} after {asked:?}"))?;
        if let GameWrite::Note(Note::MissionComplete { .. }) = write {
            self.coverage.count("missions completed");
        }
        if let GameWrite::End(end) = write
            && end.decisions.iter().any(|decision| matches!(decision, Decision::NotWaitedFor { .. }))
        {
            self.coverage.count("games that waited for nobody silent");
        }
        if let GameWrite::End(end) = write
            && let Some(rated) = &end.rated
        {
            let mut players = rated.teams.iter().flat_map(|team| &team.players);
            let absent = players.find(|player| !game.begun.contains(player));
            ensure(absent.is_none(), Law::RatedHaveBegun, || format!("player {absent:?} in game {id}"))?;
        }
        if let GameWrite::Launch(launched) = write {
            game.players = launched.players.iter().map(|player| (player.id, player.army)).collect();
            if !is_again {
                self.coverage.count("games launched");
                if launched.players.len() > 1 {
                    self.coverage.count("games launched with several players");
                }
            }
        }
        Ok(step)
    }

    /// Processes the reply of the database to a write.
    pub(super) fn store_replied(&mut self, id: GameId, step: Step, reply: &ReplyTo<StoreGame>) {
        if let Ok(Ok(changes)) = reply {
            for change in changes {
                self.remember_what_is_seen(change.player);
            }
        }
        let Some(game) = self.games.get_mut(&id) else { return };
        let storing = &mut game.storing;
        storing.open = None;
        storing.launch_had_reply |= step == Step::Launch;
        storing.is_failing = reply.is_err();
        match reply {
            Ok(Ok(changes)) => {
                storing.is_over |= step == Step::End;
                for change in changes {
                    self.coverage.count("ratings changed");
                    // Ratings of offline players come from the database when they log in again.
                    let known = self.ratings.entry(change.player).or_default();
                    match known.iter_mut().find(|(name, _)| *name == change.leaderboard) {
                        Some((_, rating)) => {
                            rating.rating = change.after;
                            rating.number_of_games += 1;
                        }
                        None => {
                            let first = faf_protocol::server_message::LeaderboardRating {
                                rating: change.after,
                                number_of_games: 1,
                            };
                            known.push((change.leaderboard.clone(), first));
                        }
                    }
                }
                if step == Step::End {
                    self.coverage.count("games ended");
                    let what = if changes.is_empty() { "games not rated" } else { "games rated" };
                    self.coverage.count(what);
                }
            }
            Ok(Err(Contradiction)) => {
                storing.was_refused = true;
                storing.is_over |= step == Step::End;
                self.coverage.count("writes refused");
            }
            Err(Unavailable) => {}
        }
    }

    /// Processes a report about a live game that was handled.
    pub(super) fn acknowledged(&mut self, id: GameId, fact: Fact) {
        let is_live = self.seen.get(&id).is_some_and(|game| game.state == GameState::Live);
        let Some(game) = self.games.get_mut(&id).filter(|_| is_live) else { return };
        let handled = game.storing.kept.iter().chain(&game.storing.weak);
        match &fact {
            Fact::Result(report) => {
                let is_known = game.players.values().any(|army| *army == report.army);
                let is_of_reporter =
                    |fact: &&Fact| matches!(fact, Fact::Result(other) if other.reporter == report.reporter);
                if !is_known || handled.filter(is_of_reporter).count() >= REPORTS_PER_REPORTER {
                    return;
                }
                self.coverage.count("results reported");
            }
            Fact::Desync(player) => {
                let is_enough = handled.filter(|other| **other == fact).count() >= DESYNCS_MAX as usize;
                if is_enough || !game.counts_reports_of(*player) {
                    return;
                }
                self.coverage.count("desyncs");
            }
            Fact::EnforceRating(player) if !game.counts_reports_of(*player) => return,
            Fact::EnforceRating(_) | Fact::Done(_) => {}
        }
        game.storing.weak.push(fact);
        self.keep(id);
    }

    /// Marks handled facts as stored, unless the database was unavailable.
    pub(super) fn keep(&mut self, id: GameId) {
        if let Some(game) = self.games.get_mut(&id)
            && !game.storing.is_failing
        {
            let weak = std::mem::take(&mut game.storing.weak);
            game.storing.kept.extend(weak);
        }
    }
}
