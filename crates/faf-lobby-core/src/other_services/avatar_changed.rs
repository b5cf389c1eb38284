//! Another service has changed a player's avatar.

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use crate::io::{ConnId, ReadAvatar, ReplyTo};
use crate::sign_in::admission;
use crate::state::{AvatarRead, Lobby, ResumeLobby};

/// The player whose avatar is read, on the connection at the time of the request: the profile of a
/// player who has logged in again is newer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AvatarOf {
    player: PlayerId,
    conn: ConnId,
}

/// Reads the avatar of an online player again. There is at most one such request at a time for each
/// player, however often the avatar is changed.
pub(crate) fn avatar_changed(lobby: &mut Lobby, player: PlayerId) {
    if lobby.has_stopped() {
        return;
    }
    admission::profile_changed(lobby, player);
    let Some(online) = lobby.players.get_mut(player) else { return };
    if online.avatar_read.is_some() {
        online.avatar_read = Some(AvatarRead::Outdated);
        return;
    }
    online.avatar_read = Some(AvatarRead::Pending);
    let memo = AvatarOf { player, conn: online.conn };
    lobby.request_for_lobby(ReadAvatar { player }, memo);
}

/// Notes that the avatar of a player is newer than the one that is being read, if one is.
pub(crate) fn outdate(lobby: &mut Lobby, player: PlayerId) {
    if let Some(read) = lobby.players.get_mut(player).and_then(|online| online.avatar_read.as_mut()) {
        *read = AvatarRead::Outdated;
    }
}

impl ResumeLobby for ReadAvatar {
    type Memo = AvatarOf;

    fn resume(AvatarOf { player, conn }: AvatarOf, lobby: &mut Lobby, reply: ReplyTo<Self>) {
        let Some(online) = lobby.players.get_mut(player).filter(|online| online.conn == conn) else { return };
        let was_outdated = online.avatar_read.take() == Some(AvatarRead::Outdated);
        match reply {
            _ if was_outdated => avatar_changed(lobby, player),
            Ok(avatar) => lobby.players.change(player, |info| info.avatar = avatar.map(Box::new)),
            // The player keeps the old one until the next change or login. The shell has logged
            // the failure.
            Err(_) => {}
        }
    }
}
