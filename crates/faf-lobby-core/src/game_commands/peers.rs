//! `EstablishedPeer`, `DisconnectedPeer` and `LaunchStatus`: how far a game has got with connecting
//! to the others of a match (games.md section 6.8).

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

pub(crate) fn launch_status(lobby: &mut Lobby, sender: Sender, status: &str) -> Progress {
    matches::record_status(lobby, sender.game, sender.player, status);
    Progress::Done
}
