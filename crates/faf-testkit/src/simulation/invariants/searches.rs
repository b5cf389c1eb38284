//! Searches in queues, as clients show them.

use std::collections::BTreeSet;

use faf_lobby_core::ConnId;
use faf_protocol::PlayerId;
use faf_protocol::server_message::{SearchInfo, SearchState};

use super::Checker;
use super::laws::{Law, Violation, broken, ensure};
use super::model::{SearchNumber, Searching};

impl Checker {
    /// Processes a search of a player that begins or ends.
    pub(super) fn search_told(&mut self, conn: ConnId, info: &SearchInfo) -> Result<(), Violation> {
        let (step, queue) = (self.step, info.queue_name.clone());
        self.searches_changed = true;
        let connection = self.connection(conn, "sent a search")?;
        let Some(player) = connection.player else {
            return broken(Law::SearchesAreReal, format!("connection {} is not logged in", conn.0));
        };
        match info.state {
            // It goes on, and the last round made no match of it.
            SearchState::Start if info.reason.is_some() => {
                let is_shown = connection.searches.contains_key(&queue);
                self.coverage.count("searches explained");
                ensure(is_shown, Law::SearchesAreReal, || format!("player {player} is told of {queue}"))?;
            }
            SearchState::Start => {
                let other = connection.searches.insert(queue.clone(), step);
                ensure(other.is_none(), Law::SearchesAreReal, || {
                    format!("player {player} already searches in {queue}")
                })?;
                self.coverage.count("searches");
                self.searching.entry((queue, step)).or_default().players.insert(player);
            }
            SearchState::Stop => {
                // It is also sent to players who did not search, because they may not.
                if let Some(search) = connection.searches.remove(&queue) {
                    self.coverage.count("searches ended without a match");
                    self.searching.entry((queue, search)).or_default().stopped.insert(player);
                }
            }
        }
        Ok(())
    }

    /// Processes a player who is sent that a match is found.
    pub(super) fn match_told(&mut self, conn: ConnId, queue: &str) -> Result<(), Violation> {
        self.searches_changed = true;
        let connection = self.connection(conn, "sent a match")?;
        let player = connection.player;
        let Some((player, search)) = player.zip(connection.searches.remove(queue)) else {
            return broken(
                Law::MatchedWereSearching,
                format!("player {player:?} is matched in {queue}, where the client shows no search"),
            );
        };
        self.searching.entry((queue.to_owned(), search)).or_default().matched.insert(player);
        let twice = self.just_matched.insert(player, (queue.to_owned(), search));
        ensure(twice.is_none(), Law::OneMatchEach, || format!("player {player} is matched twice"))
    }

    /// Forgets the searches of a player who goes offline.
    pub(super) fn forget_searches(&mut self, player: PlayerId) {
        self.searches_changed = true;
        for searching in self.searching.values_mut() {
            searching.is_broken |= searching.players.remove(&player);
        }
    }

    /// Checks that each search ends for all its players, and for all in the same way.
    pub(super) fn check_searches(&mut self) -> Result<(), Violation> {
        if !self.searches_changed {
            return Ok(());
        }
        for ((queue, _), searching) in &self.searching {
            let Searching { players, is_broken, stopped, matched } = searching;
            let is_same = |ended: &BTreeSet<PlayerId>| ended.is_empty() || players.is_subset(ended);
            let is_one_way = stopped.is_empty() || matched.is_empty();
            let has_ended = !is_broken || players.is_subset(stopped);
            ensure(
                is_one_way && is_same(stopped) && is_same(matched) && has_ended,
                Law::PartiesStayTogether,
                || format!("in {queue}: {searching:?}"),
            )?;
        }
        let is_going_on = |searching: &Searching| {
            !searching.players.is_empty() && searching.stopped.is_empty() && searching.matched.is_empty()
        };
        self.searching.retain(|_, searching| is_going_on(searching));
        Ok(())
    }

    /// Checks that clients show the searches that the lobby knows.
    ///
    /// # Errors
    /// If a client shows another one, or lacks one.
    pub fn check_shown_searches(
        &self,
        queues: &[&str],
        is_searching: impl Fn(PlayerId, &str) -> bool,
    ) -> Result<(), Violation> {
        for (player, conn) in &self.online {
            let Some(connection) = self.connections.get(conn) else { continue };
            for queue in queues {
                let (shown, real) = (connection.searches.contains_key(*queue), is_searching(*player, queue));
                ensure(shown == real, Law::SearchesAreReal, || {
                    format!("player {player} in {queue}: shown {shown}, real {real}")
                })?;
            }
        }
        Ok(())
    }

    /// Returns the players of a search who are online.
    pub(super) fn players_of(&self, search: &(String, SearchNumber)) -> Vec<PlayerId> {
        self.searching.get(search).into_iter().flat_map(|searching| &searching.players).copied().collect()
    }
}
