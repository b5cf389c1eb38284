//! `admin`: actions of administrators and moderators (session.md section 10).
//!
//! The permission is looked up at every use. Without it, and for unknown actions and players who are not online,
//! nothing happens and nobody is told; every use is logged.

use faf_protocol::PlayerId;
use faf_protocol::client_message::AdminAction;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage, Social};
use serde::{Deserialize, Serialize};

use crate::commands::Progress;
use crate::effect::LogLine;
use crate::event::ConnId;
use crate::io::records::Permission;
use crate::io::request::{HasPermission, ReplyTo};
use crate::pending::Resume;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// What is remembered while the permission is looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Permitted {
    action: AdminAction,
    permission: Permission,
}

pub(crate) fn handle(world: &mut World, conn: ConnId, action: AdminAction) -> Result<Progress, Refusal> {
    let permission = match action {
        AdminAction::CloseFa { .. } | AdminAction::CloseLobby { .. } => Permission::KickServer,
        AdminAction::Broadcast { .. } => Permission::BroadcastMessage,
        AdminAction::JoinChannel { .. } => Permission::JoinChannel,
        AdminAction::Other { .. } => return Ok(Progress::Done),
    };
    let player = world.player_of(conn);
    world.request(conn, HasPermission { player, permission }, Permitted { action, permission })
}

impl Resume for HasPermission {
    type Memo = Permitted;

    fn resume(
        Permitted { action, permission }: Permitted,
        world: &mut World,
        conn: ConnId,
        reply: ReplyTo<Self>,
    ) -> Result<Progress, Refusal> {
        let player = world.player_of(conn);
        match reply? {
            true => act(world, player, action),
            false => world.log(LogLine::NoPermission { player, permission }),
        }
        Ok(Progress::Done)
    }
}

fn act(world: &mut World, player: PlayerId, action: AdminAction) {
    let log = |world: &mut World, action: String| world.log(LogLine::Admin { player, action });
    match action {
        AdminAction::CloseFa { user_id } => {
            log(world, format!("ends the game of player {user_id}"));
            if let Some(target) = connection_of(world, user_id) {
                world.send(target, ServerMessage::Notice(Notice::without_text(NoticeStyle::Kill)));
            }
        }
        AdminAction::CloseLobby { user_id } => {
            log(world, format!("disconnects player {user_id}"));
            if let Some(target) = connection_of(world, user_id) {
                let notice = Notice {
                    reason: Some("administrator".to_owned()),
                    ..Notice::new(NoticeStyle::Kick, texts::DISCONNECTED_BY_ADMINISTRATOR)
                };
                world.turn_out(target, notice);
            }
        }
        AdminAction::Broadcast { message } => {
            if let Some(text) = message.filter(|text| !text.is_empty()) {
                log(world, format!("tells everybody: {text}"));
                world.broadcast(ServerMessage::Notice(Notice::new(NoticeStyle::Info, text)));
            }
        }
        AdminAction::JoinChannel { user_ids, channel } => {
            log(world, format!("makes {} players join {channel}", user_ids.len()));
            let targets = user_ids.into_iter().filter_map(|player| connection_of(world, player)).collect();
            let social = Social { autojoin: vec![channel], ..Social::default() };
            world.send_several(targets, ServerMessage::Social(social));
        }
        AdminAction::Other { .. } => {}
    }
}

fn connection_of(world: &World, player: PlayerId) -> Option<ConnId> {
    world.players.get(player).map(|online| online.conn)
}
