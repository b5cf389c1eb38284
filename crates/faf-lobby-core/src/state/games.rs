//! [`Games`]: all games that the lobby knows.

use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::{GameId, PlayerId, Secret};
use serde::{Deserialize, Serialize};

use crate::snapshots::Listing;
use crate::state::{Game, GameState, Live, Storage};

/// All games the lobby knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Games {
    last: GameId,
    pub(crate) games: BTreeMap<GameId, Game>,
    /// Every game with its host, by host.
    hosts: BTreeSet<(PlayerId, GameId)>,
    /// Games that have changed since the last report.
    changed: BTreeSet<GameId>,
    /// The first game that the last report had no room for; the next report begins with it.
    #[serde(default)]
    turn: GameId,
    /// The writes that are queued for each game.
    pub(crate) storage: BTreeMap<GameId, Storage>,
    /// The snapshot for logins.
    #[serde(skip)]
    pub(crate) listing: Listing,
}

impl Games {
    pub(crate) fn new(last: GameId) -> Self {
        Self { last, ..Self::default() }
    }

    pub(crate) fn get(&self, game: GameId) -> Option<&Game> {
        self.games.get(&game)
    }

    /// Returns a game whose end has not been reported. Once it has been, the id is treated like one
    /// that no game has had, even if game processes still run.
    pub(crate) fn current_game(&self, game: GameId) -> Option<&Game> {
        self.get(game).filter(|game| self.is_current(game))
    }

    fn is_current(&self, game: &Game) -> bool {
        game.state != GameState::Ended || self.changed.contains(&game.id)
    }

    /// Returns a game, to change it.
    pub(crate) fn get_mut(&mut self, game: GameId) -> Option<&mut Game> {
        self.listing.touch(game);
        self.games.get_mut(&game)
    }

    /// Returns a live game, to change it.
    pub(crate) fn live_mut(&mut self, game: GameId) -> Option<&mut Live> {
        self.get_mut(game).filter(|game| game.state == GameState::Live)?.live.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Game> {
        self.games.values()
    }

    /// Returns the ids of all games of a host, including those that are over and not yet forgotten.
    pub(crate) fn of_host(&self, host: PlayerId) -> impl Iterator<Item = GameId> {
        self.hosts.range((host, GameId(0))..=(host, GameId(u32::MAX))).map(|(_, game)| *game)
    }

    /// Returns the passwords of all games. They are never sent to anyone, so replacing them changes
    /// nothing else.
    pub(crate) fn passwords(&mut self) -> impl Iterator<Item = &mut Secret> {
        self.games.values_mut().filter_map(|game| game.password.as_mut())
    }

    /// Marks the `game_info` of a game as outdated, though the game has not changed.
    pub(crate) fn touch(&mut self, game: GameId) {
        self.listing.touch(game);
    }

    /// Returns the games whose end has not been reported.
    pub(crate) fn current(&self) -> impl Iterator<Item = &Game> {
        self.iter().filter(|game| self.is_current(game))
    }

    /// Returns the id for a new game; `None` if all ids are used up. No id is given twice: players,
    /// results and replays of one game would be taken for those of another.
    pub(crate) fn next_id(&mut self) -> Option<GameId> {
        // Clients read ids as 32-bit integers.
        let next = self.last.0.checked_add(1).filter(|next| *next <= i32::MAX as u32)?;
        self.last = GameId(next);
        Some(self.last)
    }

    /// The next game gets this id.
    pub(crate) fn set_next_id(&mut self, game: GameId) {
        self.last = GameId(game.0.saturating_sub(1));
    }

    pub(crate) fn insert(&mut self, game: Game) {
        self.last = self.last.max(game.id);
        self.listing.touch(game.id);
        self.hosts.insert((game.host.id, game.id));
        self.games.insert(game.id, game);
    }

    fn remove(&mut self, game: GameId) {
        if let Some(Game { host, .. }) = self.games.remove(&game) {
            self.hosts.remove(&(host.id, game));
            self.listing.touch(game);
        }
    }

    /// Marks a game for the next report.
    pub(crate) fn mark(&mut self, game: GameId) {
        if self.games.contains_key(&game) {
            self.changed.insert(game);
        }
    }

    /// Returns whether a launch has not been stored yet. It is not reported before: everything that
    /// is reported is durable.
    pub(crate) fn is_launching(&self, game: GameId) -> bool {
        self.storage.get(&game).is_some_and(Storage::is_first_try_of_launch)
    }

    /// Takes the games to report, in the order of their turns.
    pub(crate) fn take_changes(&mut self) -> Vec<GameId> {
        let changed = std::mem::take(&mut self.changed);
        let (waiting, mut due) = changed.into_iter().partition::<Vec<_>, _>(|game| self.is_launching(*game));
        self.changed.extend(waiting);
        let turn = std::mem::take(&mut self.turn);
        let first = due.partition_point(|game| *game < turn);
        due.rotate_left(first);
        due
    }

    /// Leaves a change for the next report, which begins with the first game that is postponed.
    pub(crate) fn put_off(&mut self, game: GameId) {
        self.changed.insert(game);
        if self.turn == GameId::default() {
            self.turn = game;
        }
    }

    /// Returns whether there is a change of games that can be reported now.
    pub(crate) fn has_due_changes(&self) -> bool {
        self.changed.iter().any(|game| !self.is_launching(*game))
    }

    /// Forgets a game that is over, once no game process is left and everything is stored.
    pub(crate) fn forget_if_over(&mut self, game: GameId) {
        let is_over = self
            .games
            .get(&game)
            .is_some_and(|game| game.state == GameState::Ended && game.members.is_empty());
        if is_over && !self.changed.contains(&game) && !self.storage.contains_key(&game) {
            self.remove(game);
        }
    }

    /// Returns whether any game is open or live, or its results are not stored yet.
    pub(crate) fn are_going_on(&self) -> bool {
        self.games.values().any(Game::is_listed) || !self.storage.is_empty()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.changed.is_empty() && self.storage.is_empty() && self.hosts.len() == self.games.len()
    }
}
