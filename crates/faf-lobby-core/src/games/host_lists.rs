//! Changes of a host's friends and foes, which decide who sees the host's games.

use faf_protocol::PlayerId;

use crate::games::{persistence, visibility};
use crate::state::Lobby;

/// Copies the current lists of a host into the host's games.
pub(crate) fn take_over_lists(lobby: &mut Lobby, host: PlayerId) {
    let Some(lists) = lobby.players.get(host) else { return };
    for id in lobby.games.of_host(host).collect::<Vec<_>>() {
        let Some(game) = lobby.games.get_mut(id) else { continue };
        game.host.friends.clone_from(&lists.friends);
        game.host.foes.clone_from(&lists.foes);
    }
}

/// Handles a change of a host's lists: games appear or disappear for the player concerned.
pub(crate) fn host_lists_changed(lobby: &mut Lobby, host: PlayerId, subject: PlayerId) {
    let before = visibility::seen_by(lobby, subject);
    // Even if that player is offline, because they may log in later.
    take_over_lists(lobby, host);
    visibility::tell_difference(lobby, subject, &before);
    for id in lobby.games.of_host(host).collect::<Vec<_>>() {
        persistence::save_game(lobby, id, None);
    }
}
