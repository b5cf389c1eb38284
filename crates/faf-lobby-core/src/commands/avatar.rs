//! `avatar`: lists the avatars granted to a player, or selects one (session.md section 10).

use faf_protocol::client_message::AvatarAction;
use faf_protocol::server_message::{Avatar, AvatarList, ServerMessage};

use crate::commands::{Continuation, Progress};
use crate::effect::Question;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::world::World;

/// Longest address of an avatar, in bytes; the column of FAF's tables has 255 characters. A longer one is no player's avatar, and
/// the database would copy it several times to find that out.
const URL_LIMIT: usize = 4096;

pub(crate) fn carry_out(world: &mut World, conn: ConnId, action: AvatarAction) -> Result<Progress, Refusal> {
    let player = world.player_of(conn);
    match action {
        AvatarAction::List => world.ask(conn, Question::ListAvatars { player }, Continuation::AvatarsListed),
        AvatarAction::Select { avatar: Some(url) } if url.len() > URL_LIMIT => Ok(Progress::Done),
        AvatarAction::Select { avatar: url } => {
            world.ask(conn, Question::SelectAvatar { player, url }, Continuation::AvatarSelected)
        }
        AvatarAction::SelectOther { .. } => Ok(Progress::Done),
    }
}

pub(crate) fn listed(world: &mut World, conn: ConnId, avatarlist: Vec<Avatar>) -> Result<Progress, Refusal> {
    world.send(conn, ServerMessage::Avatar(AvatarList { avatarlist }));
    Ok(Progress::Done)
}

pub(crate) fn selected(world: &mut World, conn: ConnId, avatar: Option<Avatar>) -> Result<Progress, Refusal> {
    let player = world.player_of(conn);
    world.players.change(player, |info| info.avatar = avatar.map(Box::new));
    Ok(Progress::Done)
}
