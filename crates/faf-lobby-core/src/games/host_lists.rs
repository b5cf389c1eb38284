//! Changes of a host's friends and foes, which decide who sees the host's games.

use std::collections::BTreeSet;

use faf_protocol::PlayerId;

use crate::games::{persistence, visibility};
use crate::state::Lobby;

/// Handles the login of a host, whose lists may have changed while the host was offline: games
/// appear or disappear for the players concerned.
pub(crate) fn host_logged_in(lobby: &mut Lobby, host: PlayerId) {
    let Some(lists) = lobby.players.get(host) else { return };
    let mut concerned = BTreeSet::new();
    for game in lobby.games.of_host(host).filter_map(|id| lobby.games.get(id)) {
        concerned.extend(game.host.friends.symmetric_difference(&lists.friends).copied());
        concerned.extend(game.host.foes.symmetric_difference(&lists.foes).copied());
    }
    // The host is sent all games anyway.
    concerned.remove(&host);
    take_over_lists(lobby, host, concerned);
}

/// Handles a change of a host's lists: games appear or disappear for the player concerned.
pub(crate) fn host_lists_changed(lobby: &mut Lobby, host: PlayerId, subject: PlayerId) {
    // Even if that player is offline, because they may log in later.
    take_over_lists(lobby, host, BTreeSet::from([subject]));
    for id in lobby.games.of_host(host).collect::<Vec<_>>() {
        persistence::save_game(lobby, id, None);
    }
}

/// Copies the current lists of a host into the host's games, and sends the players concerned, as
/// far as they are online, the games that appear or disappear for them.
fn take_over_lists(lobby: &mut Lobby, host: PlayerId, mut concerned: BTreeSet<PlayerId>) {
    concerned.retain(|player| lobby.players.get(*player).is_some());
    let seen: Vec<_> =
        concerned.into_iter().map(|player| (player, visibility::seen_by(lobby, player))).collect();
    let Some(lists) = lobby.players.get(host) else { return };
    for id in lobby.games.of_host(host).collect::<Vec<_>>() {
        let Some(game) = lobby.games.get_mut(id) else { continue };
        game.host.friends.clone_from(&lists.friends);
        game.host.foes.clone_from(&lists.foes);
    }
    for (player, before) in seen {
        visibility::send_difference(lobby, player, &before);
    }
}
