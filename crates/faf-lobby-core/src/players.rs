//! Who is online, and what has to be told about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Player, PlayerState};

use crate::event::ConnId;

/// A player who has logged in.
#[derive(Debug)]
pub(crate) struct OnlinePlayer {
    /// The connection the player uses.
    pub(crate) conn: ConnId,
    /// The player, as everybody is told.
    pub(crate) info: Arc<Player>,
    pub(crate) friends: BTreeSet<PlayerId>,
    pub(crate) foes: BTreeSet<PlayerId>,
}

/// Everybody who is online. A player is here as long as the connection is logged in, and at most once.
#[derive(Debug, Default)]
pub(crate) struct Players {
    online: BTreeMap<PlayerId, OnlinePlayer>,
    /// The newest state of everybody whose state has not been told yet.
    changed: BTreeMap<PlayerId, Arc<Player>>,
}

impl Players {
    pub(crate) fn len(&self) -> usize {
        self.online.len()
    }

    pub(crate) fn get(&self, player: PlayerId) -> Option<&OnlinePlayer> {
        self.online.get(&player)
    }

    pub(crate) fn get_mut(&mut self, player: PlayerId) -> Option<&mut OnlinePlayer> {
        self.online.get_mut(&player)
    }

    /// Everybody, as is told at login.
    pub(crate) fn list(&self) -> Vec<Arc<Player>> {
        self.online.values().map(|player| Arc::clone(&player.info)).collect()
    }

    /// Takes a player in, in place of the same player on another connection.
    pub(crate) fn insert(&mut self, player: OnlinePlayer) {
        self.changed.insert(player.info.id, Arc::clone(&player.info));
        self.online.insert(player.info.id, player);
    }

    /// Takes a player out, if it is this connection that the player uses.
    pub(crate) fn remove(&mut self, player: PlayerId, conn: ConnId) -> Option<OnlinePlayer> {
        if self.online.get(&player)?.conn != conn {
            return None;
        }
        let gone = self.online.remove(&player)?;
        let offline = Player { state: Some(PlayerState::Offline), ..Player::clone(&gone.info) };
        self.changed.insert(player, Arc::new(offline));
        Some(gone)
    }

    /// Changes what everybody is told about a player.
    pub(crate) fn change(&mut self, player: PlayerId, change: impl FnOnce(&mut Player)) {
        if let Some(online) = self.online.get_mut(&player) {
            change(Arc::make_mut(&mut online.info));
            self.changed.insert(player, Arc::clone(&online.info));
        }
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What has changed since this was last asked: each player once, in the newest state.
    pub(crate) fn take_changes(&mut self) -> Vec<Arc<Player>> {
        std::mem::take(&mut self.changed).into_values().collect()
    }
}
