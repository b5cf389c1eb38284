//! `admin`: actions of administrators and moderators (session.md section 10).
//!
//! The permission is looked up at every use. Without it, and for unknown actions and players who
//! are not online, nothing happens and nobody is notified; every use is logged.

use faf_protocol::PlayerId;
use faf_protocol::client_message::AdminAction;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage, Social};
use serde::{Deserialize, Serialize};

use crate::connections::closing;
use crate::io::{ConnId, HasPermission, LogLine, Permission, ReplyTo};
use crate::state::{CommandResult, Lobby, Progress, Resume};
use crate::texts;

/// Memo while the permission is looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Permitted {
    action: AdminAction,
    permission: Permission,
}

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, action: AdminAction) -> CommandResult {
    let permission = match action {
        AdminAction::CloseFa { .. } | AdminAction::CloseLobby { .. } => Permission::KickServer,
        AdminAction::Broadcast { .. } => Permission::BroadcastMessage,
        AdminAction::JoinChannel { .. } => Permission::JoinChannel,
        AdminAction::Other { .. } => return Ok(Progress::Done),
    };
    let player = lobby.player_of(conn);
    Ok(lobby.request(conn, HasPermission { player, permission }, Permitted { action, permission }))
}

impl Resume for HasPermission {
    type Memo = Permitted;

    fn resume(memo: Permitted, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let Permitted { action, permission } = memo;
        let player = lobby.player_of(conn);
        match reply? {
            true => act(lobby, player, action),
            false => lobby.log(LogLine::NoPermission { player, permission }),
        }
        Ok(Progress::Done)
    }
}

fn act(lobby: &mut Lobby, player: PlayerId, action: AdminAction) {
    let log = |lobby: &mut Lobby, action: String| lobby.log(LogLine::Admin { player, action });
    match action {
        AdminAction::CloseFa { user_id } => {
            log(lobby, format!("ends the game of player {user_id}"));
            if let Some(target) = lobby.players.conn(user_id) {
                lobby.send(target, ServerMessage::Notice(Notice::without_text(NoticeStyle::Kill)));
            }
        }
        AdminAction::CloseLobby { user_id } => {
            log(lobby, format!("disconnects player {user_id}"));
            if let Some(target) = lobby.players.conn(user_id) {
                closing::kick(lobby, target, "administrator", texts::DISCONNECTED_BY_ADMINISTRATOR);
            }
        }
        AdminAction::Broadcast { message } => {
            if let Some(text) = message.filter(|text| !text.is_empty()) {
                log(lobby, format!("tells everybody: {text}"));
                lobby.broadcast(texts::information(text));
            }
        }
        AdminAction::JoinChannel { user_ids, channel } => {
            log(lobby, format!("makes {} players join {channel}", user_ids.len()));
            let targets = user_ids.into_iter().filter_map(|player| lobby.players.conn(player)).collect();
            let social = Social { autojoin: vec![channel], ..Social::default() };
            lobby.send_several(targets, ServerMessage::Social(social));
        }
        AdminAction::Other { .. } => {}
    }
}
