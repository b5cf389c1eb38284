//! `coop_list`: one message for every co-op mission (session.md section 10).

use faf_protocol::ServerMessage;

use crate::io::{ConnId, ListCoopMissions, ReplyTo};
use crate::state::{CommandResult, Lobby, Progress, Resume};

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> CommandResult {
    Ok(lobby.request(conn, ListCoopMissions {}, ()))
}

impl Resume for ListCoopMissions {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        for mission in reply? {
            lobby.send(conn, ServerMessage::CoopInfo(mission));
        }
        Ok(Progress::Done)
    }
}
