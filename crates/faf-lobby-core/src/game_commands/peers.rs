//! `EstablishedPeer` and `DisconnectedPeer`: the game of a player reaches another player's, or no
//! longer (games.md section 6.8).

use faf_protocol::PlayerId;

use crate::game_commands::sender::Sender;
use crate::matches;
use crate::state::{Lobby, Progress};

pub(crate) fn established(lobby: &mut Lobby, sender: Sender, peer: PlayerId) -> Progress {
    matches::record_peer(lobby, sender.game, sender.player, peer, true);
    Progress::Done
}

pub(crate) fn disconnected(lobby: &mut Lobby, sender: Sender, peer: PlayerId) -> Progress {
    matches::record_peer(lobby, sender.game, sender.player, peer, false);
    Progress::Done
}
