//! The games that a client receives at login.

use std::sync::Arc;

use faf_protocol::GameId;
use faf_protocol::server_message::{GameInfo, GameList, Visibility};

use crate::snapshots::{SnapshotId, in_lists};
use crate::state::{Game, Games, OnlinePlayer, Players};

impl Games {
    /// Returns the game as the list of games shows it.
    pub(crate) fn info(&mut self, id: GameId, players: &Players) -> Option<Arc<GameInfo>> {
        if let Some(info) = self.listing.info(id) {
            return Some(Arc::clone(info));
        }
        let info = self.games.get(&id)?.info(players);
        if !self.listing.is_complete {
            return Some(info);
        }
        // It stays touched: which list it belongs to is decided when a list is next needed.
        self.listing.set_info(id, Some(info));
        self.listing.infos.get(&id).cloned()
    }

    /// Returns the games that a player receives at login, without those that are being launched:
    /// they are in the next report. There is at least one list, which is empty if there are
    /// no games.
    pub(crate) fn lists_for(
        &mut self,
        viewer: &OnlinePlayer,
        players: &Players,
    ) -> Vec<(Option<SnapshotId>, Arc<GameList>)> {
        self.update_listing(players);
        // A client that gets these must learn of their end, even if it comes before the next
        // report.
        self.games.values_mut().filter(|game| game.is_listed()).for_each(|game| game.is_told = true);
        let listing = &self.listing;
        let sees = |id: &GameId| self.games.get(id).is_some_and(|game| game.is_visible_to(viewer));
        let info = |id: &GameId| listing.infos.get(id).cloned();
        let mut shared = Vec::new();
        let mut own = Vec::new();
        if listing.shunned.contains_key(&viewer.info.id) {
            own.extend(in_lists(listing.shared.keys().filter(|id| sees(id)).filter_map(info).collect()));
        } else {
            shared.extend(listing.parts.values().flat_map(|part| &part.lists));
        }
        own.extend(in_lists(listing.restricted.iter().filter(|id| sees(id)).filter_map(info).collect()));
        if shared.is_empty() && own.is_empty() {
            own.push(Arc::default());
        }
        let shared = shared.into_iter().map(|(id, list)| (Some(*id), Arc::clone(list)));
        shared.chain(own.into_iter().map(|list| (None, list))).collect()
    }

    /// Checks all games that may have changed.
    fn update_listing(&mut self, players: &Players) {
        if !std::mem::replace(&mut self.listing.is_complete, true) {
            self.listing.touched = self.games.keys().copied().collect();
        }
        for id in std::mem::take(&mut self.listing.touched) {
            let is_launching = self.is_launching(id);
            let game = self.games.get(&id);
            self.listing.set_info(id, game.map(|game| game.info(players)));
            let listed = game.filter(|game| game.is_listed() && !is_launching);
            self.listing.set_shared(id, listed.filter(|game| game.is_for_all()).map(|game| &game.host.foes));
            if listed.is_some_and(|game| !game.is_for_all()) {
                self.listing.restricted.insert(id);
            } else {
                self.listing.restricted.remove(&id);
            }
        }
        self.listing.update_parts();
    }
}

impl Game {
    /// Returns whether everyone but the host's foes sees the game.
    fn is_for_all(&self) -> bool {
        self.visibility == Visibility::Public && !self.enforce_rating_range
    }
}
