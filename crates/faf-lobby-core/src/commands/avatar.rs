//! `avatar`: lists the avatars granted to a player, or selects one (session.md section 10).

use faf_protocol::client_message::AvatarAction;
use faf_protocol::server_message::{AvatarList, ServerMessage};

use crate::io::{AvatarNotGranted, ConnId, ListAvatars, ReplyTo, SelectAvatar};
use crate::other_services::avatar_changed;
use crate::state::{CommandResult, Lobby, Progress, Resume};

/// Longest URL of an avatar, in bytes; the column of FAF's tables has 255 characters. A longer one
/// cannot be a player's avatar, and the database would copy it several times to find that out.
const URL_LIMIT: usize = 4096;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, action: AvatarAction) -> CommandResult {
    let player = lobby.player_of(conn);
    match action {
        AvatarAction::List => Ok(lobby.request(conn, ListAvatars { player }, ())),
        AvatarAction::Select { avatar: Some(url) } if url.len() > URL_LIMIT => Ok(Progress::Done),
        AvatarAction::Select { avatar: url } => Ok(lobby.request(conn, SelectAvatar { player, url }, ())),
        AvatarAction::SelectOther { .. } => Ok(Progress::Done),
    }
}

impl Resume for ListAvatars {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let avatarlist = reply?;
        lobby.send(conn, ServerMessage::Avatar(AvatarList { avatarlist }));
        Ok(Progress::Done)
    }
}

impl Resume for SelectAvatar {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let avatar = match reply? {
            Ok(avatar) => avatar,
            Err(AvatarNotGranted) => return Ok(Progress::Done),
        };
        let player = lobby.player_of(conn);
        lobby.players.change(player, |info| info.avatar = avatar.map(Box::new));
        avatar_changed::outdate(lobby, player);
        Ok(Progress::Done)
    }
}
