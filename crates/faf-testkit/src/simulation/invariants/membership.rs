//! Members of games, and how they became members.

use std::collections::BTreeSet;

use faf_lobby_core::GameState;
use faf_protocol::{GameId, PlayerId};

use super::Checker;
use super::laws::{Law, Violation, broken, ensure};
use super::model::{Fact, Received};

impl Checker {
    /// Checks the members after a change of the games.
    pub(super) fn check_membership(&mut self) -> Result<(), Violation> {
        let mut players = BTreeSet::new();
        for (id, game) in &self.seen {
            let Some(hosted) = self.games.get(id).filter(|hosted| hosted.host == game.host) else {
                return broken(Law::GamesAreHosted, format!("player {} has not hosted game {id}", game.host));
            };
            if game.state == GameState::Lobby {
                ensure(game.members.contains(&game.host), Law::LobbiesHaveHosts, || format!("game {id}"))?;
            }
            let before = self.before.get(id).map(|before| before.state);
            ensure(before.is_none_or(|before| before <= game.state), Law::StatesGoForward, || {
                format!("game {id}: {before:?}, then {:?}", game.state)
            })?;
            // Early commands of a host's process are handled in the same step.
            let is_new = before.is_some() || game.state != GameState::Live;
            ensure(is_new, Law::StatesGoForward, || format!("game {id} begins as {:?}", game.state))?;
            for member in &game.members {
                ensure(players.insert(*member), Law::OneGameEach, || format!("player {member}"))?;
                ensure(self.online.contains_key(member), Law::MembersAreOnline, || {
                    format!("player {member} in game {id}")
                })?;
                let was_in = self.before.get(id).is_some_and(|before| before.members.contains(member));
                if !was_in {
                    let is_proper = self.comes_properly(*id, *member, hosted.host);
                    ensure(is_proper, Law::MembersComeProperly, || format!("player {member}, game {id}"))?;
                    let is_live = game.state == GameState::Live;
                    let has_ended = is_live && hosted.has_handled(&Fact::Done(*member));
                    ensure(!has_ended, Law::EndedStayOut, || format!("player {member}, game {id}"))?;
                }
            }
        }
        let come: Vec<(GameId, PlayerId)> = self
            .seen
            .iter()
            .flat_map(|(id, game)| game.members.iter().map(|member| (*id, *member)))
            .collect();
        for (id, member) in come {
            if let Some(game) = self.games.get_mut(&id) {
                let was_there_once = !game.ever.insert(member);
                let was_in = self.before.get(&id).is_some_and(|before| before.members.contains(&member));
                if was_there_once && !was_in {
                    self.processes.insert(member, id);
                    let is_live = self.seen[&id].state == GameState::Live;
                    let what = if is_live { "live games restored" } else { "lobbies restored" };
                    self.coverage.count(what);
                }
            }
        }
        for (id, game) in &mut self.games {
            let seen = self.seen.get(id);
            let is_empty = seen.is_some_and(|seen| {
                seen.state == GameState::Live
                    && !seen.members.iter().any(|member| game.counts_reports_of(*member))
            });
            game.empty_since = is_empty.then(|| game.empty_since.unwrap_or(self.now));
        }
        Ok(())
    }

    /// Returns whether a new member of a game may be one.
    fn comes_properly(&self, game: GameId, player: PlayerId, host: PlayerId) -> bool {
        let Some(connection) = self.online.get(&player).and_then(|conn| self.connections.get(conn)) else {
            return false;
        };
        let has_process = self.processes.get(&player) == Some(&game);
        let is_host = || {
            player == host && connection.unhandled.iter().any(|received| matches!(received, Received::Idle))
        };
        let is_guest = self.joined.contains(&(player, game));
        let hosted = &self.games[&game];
        let was_here = hosted.ever.contains(&player)
            && (hosted.players.is_empty() || hosted.players.contains_key(&player));
        let comes_back = || {
            let asks = |received: &Received| matches!(received, Received::Restore(wanted) if *wanted == game);
            connection.unhandled.iter().any(asks) && was_here
        };
        has_process && (is_host() || is_guest) || comes_back()
    }
}
