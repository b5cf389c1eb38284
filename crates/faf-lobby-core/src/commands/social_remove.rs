//! `social_remove`: ends a friendship or the opposite (session.md section 10).
//!
//! Only the named relation ends; it is not an error if it does not exist. There is no reply.

use faf_protocol::client_message::SocialSubject;

use crate::commands::social_add::Named;
use crate::games::host_lists;
use crate::io::{ConnId, EndRelation, Relation, ReplyTo};
use crate::state::{CommandResult, Lobby, Progress, Resume};

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &SocialSubject) -> CommandResult {
    let Some(named @ Named { subject, relation }) = Named::of(request) else { return Ok(Progress::Done) };
    let player = lobby.player_of(conn);
    Ok(lobby.request(conn, EndRelation { player, subject, relation }, named))
}

impl Resume for EndRelation {
    type Memo = Named;

    fn resume(memo: Named, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let Named { subject, relation } = memo;
        reply?;
        let player = lobby.player_of(conn);
        let Some(online) = lobby.online(player) else { return Ok(Progress::Done) };
        match relation {
            Relation::Friend => online.friends.remove(&subject),
            Relation::Foe => online.foes.remove(&subject),
        };
        host_lists::host_lists_changed(lobby, player, subject);
        Ok(Progress::Done)
    }
}
