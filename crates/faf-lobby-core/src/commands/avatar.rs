//! `avatar`: lists the avatars granted to a player, or selects one (session.md section 10).

use faf_protocol::client_message::AvatarAction;
use faf_protocol::server_message::{AvatarList, ServerMessage};

use crate::commands::Progress;
use crate::event::ConnId;
use crate::io::records::AvatarNotGranted;
use crate::io::request::{ListAvatars, ReplyTo, SelectAvatar};
use crate::pending::Resume;
use crate::refusal::Refusal;
use crate::world::World;

/// Longest address of an avatar, in bytes; the column of FAF's tables has 255 characters. A longer one is no player's avatar, and
/// the database would copy it several times to find that out.
const URL_LIMIT: usize = 4096;

pub(crate) fn handle(world: &mut World, conn: ConnId, action: AvatarAction) -> Result<Progress, Refusal> {
    let player = world.player_of(conn);
    match action {
        AvatarAction::List => world.request(conn, ListAvatars { player }, ()),
        AvatarAction::Select { avatar: Some(url) } if url.len() > URL_LIMIT => Ok(Progress::Done),
        AvatarAction::Select { avatar: url } => world.request(conn, SelectAvatar { player, url }, ()),
        AvatarAction::SelectOther { .. } => Ok(Progress::Done),
    }
}

impl Resume for ListAvatars {
    type Memo = ();

    fn resume((): (), world: &mut World, conn: ConnId, reply: ReplyTo<Self>) -> Result<Progress, Refusal> {
        let avatarlist = reply?;
        world.send(conn, ServerMessage::Avatar(AvatarList { avatarlist }));
        Ok(Progress::Done)
    }
}

impl Resume for SelectAvatar {
    type Memo = ();

    fn resume((): (), world: &mut World, conn: ConnId, reply: ReplyTo<Self>) -> Result<Progress, Refusal> {
        let avatar = match reply? {
            Ok(avatar) => avatar,
            Err(AvatarNotGranted) => return Ok(Progress::Done),
        };
        let player = world.player_of(conn);
        world.players.change(player, |info| info.avatar = avatar.map(Box::new));
        Ok(Progress::Done)
    }
}
