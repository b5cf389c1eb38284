//! Invariants that are checked between steps: every second, when the server is killed, and at the
//! end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::results::Report;
use faf_lobby_core::{GameState, Settings, World};
use faf_lobby_store::is_placed;
use faf_protocol::{GameId, PlayerId};
use serde_json::Value;

use super::laws::{Law, Violation, broken, ensure};
use super::matches::Losses;
use super::model::{Announced, Fact, Lists, rating_on};
use super::{Checker, Seen};
use crate::simulation::{GAMES_BEFORE, GLOBAL, LADDER};
use crate::store::{FakeGame, FakeStore};

/// Time that the lobby may take for due work: it reports changes every second.
const SLACK: Duration = Duration::from_secs(2);

/// Longest wait for a sign-in, at the lowest rate and with a slow database.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Number of objects that the lobby reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Number of connections.
    pub connections: usize,
    /// Number of players who are online.
    pub players: usize,
}

impl Size {
    /// Returns the size of a lobby.
    #[must_use]
    pub fn of(world: &World) -> Self {
        Self { connections: world.connection_count(), players: world.player_count() }
    }
}

impl Checker {
    /// Checks that nothing is kept without reason, and that nobody waits forever.
    ///
    /// # Errors
    /// If a law does not hold.
    pub fn second(&mut self, size: Size, settings: &Settings) -> Result<(), Violation> {
        let (connections, players) = (self.connections.len(), self.online.len());
        ensure(size.connections == connections, Law::SessionsAreConnections, || {
            format!("{connections} are open, the lobby knows {}", size.connections)
        })?;
        ensure(size.players == players, Law::PlayersAreLoggedIn, || {
            format!("{players} are logged in, the lobby knows {}", size.players)
        })?;
        for (conn, connection) in &self.connections {
            let waits_for_game = || {
                let of_player = connection.player.and_then(|player| self.processes.get(&player));
                let game = of_player.and_then(|id| self.games.get(id));
                game.is_some_and(|game| game.storing.open.is_some())
            };
            // A player who has proven their identity is logged in when their turn comes.
            let waits_since = connection.accepted.filter(|_| connection.player.is_none());
            ensure(
                waits_since.is_none_or(|since| self.now < since + LONGEST_WAIT),
                Law::LoginsAreAdmitted,
                || format!("connection {} still waits", conn.0),
            )?;
            let waits = || waits_for_game() || waits_since.is_some();
            let is_held = !connection.holds.is_empty() || !connection.unhandled.is_empty();
            let is_stuck = is_held && connection.open.is_empty() && !waits();
            ensure(!is_stuck, Law::NobodyIsStuck, || format!("connection {}", conn.0))?;
        }
        self.check_match_times(settings)?;
        self.check_owners(settings)
    }

    /// Time that the lobby may take for due work.
    pub(super) fn slack(&self) -> Duration {
        SLACK + self.lateness
    }

    fn check_owners(&mut self, settings: &Settings) -> Result<(), Violation> {
        // Co-op games may take longest.
        let slack = self.slack();
        let setup = settings.game_setup_timeout * 2 + slack;
        let grace = settings.reconnect_grace_period.max(settings.restart_grace_period) + slack;
        for (id, seen) in &self.seen {
            let Some(game) = self.games.get_mut(id) else { continue };
            let is_over = seen.state == GameState::Ended
                && seen.members.is_empty()
                && game.storing.open.is_none()
                && !game.storing.is_failing;
            game.over_since = is_over.then(|| game.over_since.unwrap_or(self.now));
            let lasts_too_long = |since: Option<Duration>, limit: Duration| {
                since.is_some_and(|since| self.now > since + limit)
            };
            let is_setting_up = (seen.state == GameState::Initializing).then_some(game.since);
            let is_left = lasts_too_long(is_setting_up, setup)
                || lasts_too_long(game.empty_since, grace)
                || lasts_too_long(game.over_since, slack);
            ensure(!is_left, Law::GamesHaveOwners, || format!("game {id} is {:?}", seen.state))?;
        }
        // No events follow for games that were never launched.
        let seen = &self.seen;
        self.games.retain(|id, game| seen.contains_key(id) || game.storing.requested.is_some());
        Ok(())
    }

    /// Checks that clients show the games that their players may see. Must be called right after a
    /// report, when no change waits to be sent.
    ///
    /// # Errors
    /// If a client shows other games.
    pub fn reported(&self, store: &FakeStore) -> Result<(), Violation> {
        if self.open.is_empty() {
            self.check_knowledge(store)?;
        }
        // A time limit that expires at this very moment comes with the next report.
        if self.changed_at == self.now {
            return Ok(());
        }
        for (player, conn) in &self.online {
            let Some(connection) = self.connections.get(conn) else { continue };
            let visible: BTreeSet<GameId> = self.visible_to(*player).into_iter().collect();
            // A launch is reported once it is durable.
            let is_told = |id: &&GameId| self.games.get(*id).is_some_and(|game| !game.is_launching());
            let difference: Vec<GameId> =
                visible.symmetric_difference(&connection.shown).filter(is_told).copied().collect();
            ensure(difference.is_empty(), Law::NoGhosts, || {
                let shown: Vec<_> = difference.iter().map(|id| (connection.shown.contains(id), id)).collect();
                format!("player {player} on connection {}, whether shown, game: {shown:?}", conn.0)
            })?;
        }
        Ok(())
    }

    /// Checks that the ratings that the lobby knows equal those in the database, at a time at which
    /// no request is open.
    ///
    /// # Errors
    /// If they differ.
    pub fn check_knowledge(&self, store: &FakeStore) -> Result<(), Violation> {
        let accounts = store.accounts.values().filter(|account| self.online.contains_key(&account.id));
        for account in accounts {
            let player = account.id;
            let (known, stored) =
                (rating_on(self.ratings.get(&player), GLOBAL), rating_on(Some(&account.ratings), GLOBAL));
            ensure(known == stored, Law::RatingsAreShown, || {
                format!("the lobby has {known:?} for player {player}, stored is {stored:?}")
            })?;
        }
        Ok(())
    }

    /// Called when the server is killed; the next lobby starts with the stored data. Checks that
    /// nothing is lost.
    ///
    /// # Errors
    /// If data is lost.
    pub fn killed(&mut self, store: &FakeStore) -> Result<(), Violation> {
        self.coverage.count("server kills");
        let ids: Vec<GameId> = self.games.keys().copied().collect();
        for id in ids {
            if self.games[&id].is_all_stored() {
                self.keep(id);
            }
            let (game, stored) = (&self.games[&id], store.games.get(&id));
            if game.storing.was_refused {
                continue;
            }
            if let Some(saved) = stored.and_then(|stored| stored.saved.as_ref()) {
                let saved = serde_json::to_value(saved).unwrap_or_default();
                check_kept(id, &saved, &game.storing.kept)?;
            }
            let was_stored = game.storing.launch_had_reply && !game.storing.is_failing;
            let is_lost =
                was_stored && !stored.is_some_and(|game| game.saved.is_some() || game.end.is_some());
            ensure(!is_lost, Law::AcknowledgedIsKept, || format!("game {id} was launched"))?;
        }
        self.connections.clear();
        self.online.clear();
        self.processes.clear();
        self.searching.clear();
        self.matches.clear();
        self.losses = Losses::default();
        self.accused.clear();
        self.is_draining = false;
        self.open.clear();
        self.last_request = None;
        (self.has_stopped, self.is_closing) = (false, false);
        self.games.retain(|id, _| store.games.contains_key(id));
        for (id, game) in &mut self.games {
            // An end that was refused is retried.
            game.storing.is_over = store.games.get(id).is_some_and(|stored| stored.end.is_some());
            game.storing.open = None;
            game.storing.is_failing = false;
            // The launch is stored, whether the killed lobby received the reply or not.
            game.storing.launch_had_reply = true;
            // The end is sent again if it was not stored.
            game.announced = game.announced.min(Announced::Playing);
            game.empty_since = None;
            game.over_since = None;
            game.storing.weak.clear();
        }
        // The stored lists are in force, whether the killed lobby received the reply or not.
        for (player, lists) in &mut self.lists {
            if let Some(account) = store.accounts.get(player) {
                *lists = Lists { friends: account.friends.clone(), foes: account.foes.clone() };
            }
        }
        self.before.clear();
        self.seen.clear();
        Ok(())
    }

    /// Called when a lobby starts with these games.
    pub fn resumed(&mut self, seen: Seen) {
        self.coverage.add("games resumed after a kill", seen.len() as u64);
        for (id, game) in &mut self.games {
            game.empty_since = seen.contains_key(id).then_some(self.now);
        }
        self.before.clone_from(&seen);
        self.seen = seen;
    }

    /// Returns whether the lobby has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// Returns whether the lobby closes all connections, or has closed them.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Called at the end, when everyone has left and the database has worked for long enough.
    ///
    /// # Errors
    /// If an object is left.
    pub fn ended(&self, is_settled: bool, store: &FakeStore) -> Result<(), Violation> {
        let (games, open) = (self.seen.len(), self.open.len());
        ensure(is_settled && games == 0 && open == 0, Law::EverythingEnds, || {
            format!("{games} games, {open} requests, settled: {is_settled}")
        })?;
        for (id, game) in &store.games {
            let was_refused = self.games.get(id).is_some_and(|game| game.storing.was_refused);
            ensure(was_refused || game.end.is_some() && game.saved.is_none(), Law::EndedOnce, || {
                format!("game {id}")
            })?;
        }
        check_ratings(store)
    }
}

/// Checks that facts are part of the stored game.
fn check_kept(id: GameId, saved: &Value, facts: &[Fact]) -> Result<(), Violation> {
    let live = &saved["live"];
    let reports: Vec<Report> = serde_json::from_value(live["reports"].clone()).unwrap_or_default();
    let done: Vec<u64> = serde_json::from_value(live["done"].clone()).unwrap_or_default();
    for fact in facts {
        let is_kept = match fact {
            Fact::Result(report) => reports.contains(report),
            Fact::Desync(player) => {
                let desyncs = facts.iter().filter(|other| *other == fact).count() as u64;
                live["desyncs_by"][player.to_string()].as_u64() >= Some(desyncs)
            }
            Fact::EnforceRating(_) => live["enforces_rating"] == true,
            Fact::Done(player) => done.contains(&u64::from(player.0)),
        };
        ensure(is_kept, Law::AcknowledgedIsKept, || format!("game {id}: {fact:?}"))?;
    }
    Ok(())
}

/// Checks that ratings follow from the rated games.
fn check_ratings(store: &FakeStore) -> Result<(), Violation> {
    let mut changes: BTreeMap<(PlayerId, &str), u32> = BTreeMap::new();
    for (id, game) in &store.games {
        check_rated(*id, game)?;
        for change in &game.ratings {
            *changes.entry((change.player, &change.leaderboard)).or_default() += 1;
        }
    }
    for account in store.accounts.values() {
        let player = account.id;
        for leaderboard in [GLOBAL, LADDER] {
            let known = account.ratings.iter().find(|(name, _)| name == leaderboard);
            let games = known.map_or(0, |(_, rating)| rating.number_of_games);
            let rated = changes.get(&(player, leaderboard)).copied().unwrap_or(0);
            ensure(games % GAMES_BEFORE == rated, Law::RatedOnce, || {
                format!("player {player} has {games} games on {leaderboard}, and was rated {rated} times")
            })?;
        }
    }
    Ok(())
}

fn check_rated(id: GameId, game: &FakeGame) -> Result<(), Violation> {
    let rated = game.end.as_ref().and_then(|end| end.rated.as_ref());
    let mut players: Vec<PlayerId> =
        rated.into_iter().flat_map(|rated| &rated.teams).flat_map(|team| &team.players).copied().collect();
    let changed_on = |is_own: bool| -> Vec<PlayerId> {
        let own = rated.map(|rated| rated.leaderboard.as_str());
        let changes =
            game.ratings.iter().filter(|change| (Some(change.leaderboard.as_str()) == own) == is_own);
        let mut changed: Vec<PlayerId> = changes.map(|change: &RatingChange| change.player).collect();
        changed.sort_unstable();
        changed
    };
    let changed = changed_on(true);
    players.sort_unstable();
    let launched = |player: &PlayerId| game.launched.players.iter().find(|launched| launched.id == *player);
    // A player without a place on the map is not stored, and then nobody is rated (ratings.md R2).
    let is_stored = |player: &PlayerId| launched(player).is_some_and(is_placed);
    let expected = if players.iter().all(is_stored) { players.as_slice() } else { &[] };
    if expected != changed || players.iter().any(|player| launched(player).is_none()) {
        return broken(
            Law::RatedOnce,
            format!("game {id}: {players:?} were rated, {changed:?} have changed"),
        );
    }
    // A game of the matchmaker may adjust its players on the global leaderboard.
    let adjusted = changed_on(false);
    let is_once = adjusted.windows(2).all(|pair| pair[0] != pair[1]);
    let is_global = game.ratings.iter().all(|change| {
        change.leaderboard == GLOBAL || rated.is_some_and(|rated| rated.leaderboard == change.leaderboard)
    });
    ensure(
        is_once && is_global && adjusted.iter().all(|player| changed.contains(player)),
        Law::RatedOnce,
        || format!("game {id}: {players:?} were rated, {adjusted:?} were adjusted"),
    )?;
    Ok(())
}
