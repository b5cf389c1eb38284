//! Matches, from the round that makes them to the launch of their games, and who is blamed if that
//! fails.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_lobby_core::{ConnId, MatchOutcome, Popped, Settings};
use faf_protocol::server_message::GameLaunch;
use faf_protocol::{GameId, PlayerId};

use super::Checker;
use super::laws::{Law, Violation, broken, ensure};
use super::model::{Found, Hosted};

use crate::simulation::COMMON_LOSSES_SHARE;

/// Longest time that the database of an evening takes for a reply.
const SLOWEST_REPLY: Duration = Duration::from_secs(8);

/// Time for which the loss of a connection counts.
const LOSSES_WINDOW: Duration = Duration::from_secs(60);

/// Number of losses that are nobody's fault, with a margin: the lobby counts 10 as usual.
const COMMON_LOSSES: usize = 12;

/// Share of the players whose loss is nobody's fault, with a margin.
const COMMON_SHARE: f64 = COMMON_LOSSES_SHARE + 0.02;

/// Time after which a player is judged whose connection was lost during a match.
const JUDGED_AFTER: Duration = Duration::from_secs(60);

/// Times at which players have last lost their connections.
#[derive(Debug, Default)]
pub(super) struct Losses(BTreeMap<PlayerId, Duration>);

impl Losses {
    pub(super) fn record(&mut self, player: PlayerId, now: Duration) {
        self.0.retain(|_, at| *at + LOSSES_WINDOW > now);
        self.0.insert(player, now);
    }

    /// Returns whether so many were lost lately that it must be nobody's fault.
    fn are_common(&self, now: Duration, online: usize) -> bool {
        let lost = self.0.values().filter(|at| **at + LOSSES_WINDOW > now).count();
        lost > COMMON_LOSSES && lost as f64 > COMMON_SHARE * (online + lost) as f64
    }
}

impl Checker {
    /// Processes a round with its matches.
    pub(super) fn popped(&mut self, popped: &Popped) -> Result<(), Violation> {
        for (made, game) in popped.round.matches.iter().zip(&popped.games) {
            let teams = made.teams.each_ref().map(|team| {
                let candidates = team.iter().filter_map(|place| popped.searches.get(*place));
                let members = candidates.flat_map(|search| search.candidate.members());
                members.map(|member| member.player).collect::<Vec<_>>()
            });
            self.coverage.count("matches made");
            for team in &teams {
                if team.len() > 1 {
                    self.coverage.count("matches of teams");
                }
                for player in team {
                    self.check_matched(*player, team)?;
                }
            }
            let players: Vec<PlayerId> = teams.iter().flatten().copied().collect();
            let conns = self.online.iter().filter(|(player, _)| players.contains(player));
            let conns = conns.map(|(player, conn)| (*player, *conn)).collect();
            let (since, ordered) = (self.now, BTreeSet::new());
            if let Some(game) = game {
                self.matches.insert(*game, Found { teams, conns, since, ordered, ordered_at: since });
            }
        }
        Ok(())
    }

    /// Checks a player of a team of a new match.
    fn check_matched(&mut self, player: PlayerId, team: &[PlayerId]) -> Result<(), Violation> {
        let Some(search) = self.just_matched.remove(&player) else {
            return broken(Law::MatchedWereSearching, format!("player {player} is not sent it"));
        };
        let party = self.players_of(&search);
        self.coverage.add("matches of parties", u64::from(party.len() > 1));
        ensure(party.iter().all(|member| team.contains(member)), Law::PartiesStayTogether, || {
            format!("of {party:?} only {team:?} are in one team")
        })?;
        // A player who was lost is in the earlier match no more; it fails when they are needed.
        let conn = self.online.get(&player);
        let is_in = |found: &Found| conn.is_some() && found.conns.get(&player) == conn;
        let other = self.matches.iter().find(|(_, found)| is_in(found));
        let other = other.map(|(id, _)| *id).or_else(|| self.games_of(player).next());
        ensure(other.is_none(), Law::OneMatchEach, || format!("player {player} is in {other:?}"))
    }

    /// Processes the order to start the game of a match.
    pub(super) fn match_ordered(&mut self, player: PlayerId, launch: &GameLaunch) -> Result<(), Violation> {
        let id = launch.uid;
        let now = self.now;
        let found = self.matches.get_mut(&id).filter(|found| found.players().any(|one| one == player));
        let Some(found) = found else {
            return broken(Law::LaunchIsAsked, format!("player {player} is in no match of game {id}"));
        };
        let is_new = found.ordered.insert(player);
        ensure(is_new, Law::LaunchIsAsked, || format!("player {player} starts game {id} twice"))?;
        found.ordered_at = now;
        // Team 1 is number 2 in the game.
        let team = launch.team.and_then(|team| usize::try_from(team - 2).ok());
        let is_theirs =
            team.and_then(|team| found.teams.get(team)).is_some_and(|team| team.contains(&player));
        ensure(is_theirs, Law::PartiesStayTogether, || {
            format!("player {player} is sent team {:?} of {found:?}", launch.team)
        })?;
        if found.ordered.len() == 1 {
            ensure(found.players().next() == Some(player), Law::GamesAreHosted, || {
                format!("the host of {found:?} is player {player}")
            })?;
            let hosted = Hosted::of_match(player, now, found.players().collect());
            ensure(self.numbers.insert(id), Law::NumbersAreNew, || format!("game {id}"))?;
            self.games.insert(id, hosted);
        }
        Ok(())
    }

    /// Processes a player who is sent that their match is cancelled.
    pub(super) fn cancellation_told(&mut self, conn: ConnId, game: Option<GameId>) -> Result<(), Violation> {
        let Some(player) = self.connection(conn, "sent the end of a match")?.player else {
            return broken(Law::MatchesEnd, format!("connection {} is not logged in", conn.0));
        };
        self.just_cancelled.insert(player);
        let Some(id) = game else { return Ok(()) };
        let is_theirs = self.matches.get(&id).is_some_and(|found| found.players().any(|one| one == player));
        ensure(is_theirs, Law::MatchesEnd, || format!("player {player} is not in match {id}"))
    }

    /// Processes a violation that a player is sent.
    pub(super) fn violation_told(&mut self, conn: ConnId) -> Result<(), Violation> {
        self.coverage.count("violations");
        let player = self.connection(conn, "sent a violation")?.player;
        let now = self.now;
        let is_due = |(accused, at): &(PlayerId, Duration)| {
            Some(*accused) == player && *at + JUDGED_AFTER <= now && now <= *at + JUDGED_AFTER + self.slack()
        };
        // Others are blamed in the step in which their match fails.
        if let Some(place) = self.accused.iter().position(is_due) {
            self.accused.remove(place);
        } else {
            self.just_blamed.extend(player);
        }
        let is_outage = self.is_unavailable && !self.just_blamed.is_empty();
        let is_common = self.losses.are_common(self.now, self.online.len());
        ensure(
            player.is_some() && !is_common && !self.is_draining && !is_outage,
            Law::BlameIsDeserved,
            || {
                format!(
                    "player {player:?}: common losses {is_common}, database away {}, shutting down {}",
                    self.is_unavailable, self.is_draining
                )
            },
        )
    }

    /// Processes the end of a match: those of its players who are still on the connection on which
    /// they were sent that it is found, are sent that it is cancelled.
    pub(super) fn match_ended(
        &mut self,
        game: Option<GameId>,
        outcome: MatchOutcome,
    ) -> Result<(), Violation> {
        self.coverage.count(match outcome {
            MatchOutcome::Launched => "matches launched",
            MatchOutcome::TimedOut => "matches that timed out",
            MatchOutcome::PlayerLeft => "matches that a player left",
            MatchOutcome::Errored => "matches that failed for the server",
        });
        let Some(found) = game.and_then(|game| self.matches.remove(&game)) else { return Ok(()) };
        if outcome == MatchOutcome::Launched {
            return Ok(());
        }
        self.just_blamed.retain(|player| !found.players().any(|one| one == *player));
        let now = self.now;
        let longest = JUDGED_AFTER + self.slack();
        self.accused.retain(|(_, at)| now <= *at + longest);
        let lost = found.conns.iter().filter(|(player, conn)| self.online.get(*player) != Some(*conn));
        self.accused.extend(lost.map(|(player, _)| (*player, now)));
        for (player, conn) in &found.conns {
            let stayed = self.online.get(player) == Some(conn) && !self.does_else(*player, *conn, game);
            ensure(!stayed || self.just_cancelled.contains(player), Law::MatchesEnd, || {
                format!("player {player} is not sent that match {game:?} is cancelled")
            })?;
        }
        Ok(())
    }

    /// Returns whether a player of a match does something else by now: the lobby has given up a
    /// process that did not start.
    fn does_else(&self, player: PlayerId, conn: ConnId, game: Option<GameId>) -> bool {
        let connection = self.connections.get(&conn);
        let searches = connection.is_some_and(|connection| !connection.searches.is_empty());
        let process = self.processes.get(&player).copied();
        let is_matched = self.matches.values().any(|other| other.conns.get(&player) == Some(&conn));
        searches || is_matched || process.is_some() && process != game
    }

    /// Checks that everybody who was sent a match in this step is in one, and everybody who was
    /// blamed in one that has failed. A match that cannot even get a number is cancelled at once.
    pub(super) fn check_all_matched(&self) -> Result<(), Violation> {
        ensure(self.just_blamed.is_empty(), Law::BlameIsDeserved, || {
            format!("of {:?} no match has failed", self.just_blamed)
        })?;
        let lost = self.just_matched.keys().find(|player| !self.just_cancelled.contains(player));
        ensure(lost.is_none(), Law::MatchedWereSearching, || format!("player {lost:?} is in no match"))
    }

    /// Checks that matches keep their time limits.
    pub(super) fn check_match_times(&self, settings: &Settings) -> Result<(), Violation> {
        let until_order = SLOWEST_REPLY + settings.game_setup_timeout * 2 + self.slack();
        for (id, found) in &self.matches {
            let players = found.players().count();
            let until_launch =
                Duration::from_secs(60) + Duration::from_secs(10) * players as u32 + self.slack();
            let has_ordered_all = found.ordered.len() == players;
            let late = found.conns.iter().find(|(player, conn)| {
                self.online.get(*player) == Some(*conn) && !found.ordered.contains(*player)
            });
            ensure(late.is_none() || self.now <= found.since + until_order, Law::MatchesAreTold, || {
                format!("player {late:?} waits in match {id}")
            })?;
            let until = if has_ordered_all { found.ordered_at } else { found.since + until_order };
            ensure(self.now <= until + until_launch, Law::MatchesEnd, || format!("match {id}: {found:?}"))?;
        }
        Ok(())
    }
}
