//! `social_remove`: ends a friendship or the opposite (session.md section 10).
//!
//! Only the named relation ends; it is not an error if it does not exist. There is no reply.

use faf_protocol::PlayerId;
use faf_protocol::client_message::SocialSubject;
use serde::{Deserialize, Serialize};

use crate::commands::social_add::subject_and_relation;
use crate::games::host_lists;
use crate::io::{ConnId, EndRelation, Relation, ReplyTo};
use crate::refusal::Refusal;
use crate::state::{Lobby, Progress, Resume};

/// Memo while the relation is removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Removed {
    subject: PlayerId,
    relation: Relation,
}

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &SocialSubject) -> Result<Progress, Refusal> {
    let Some((subject, relation)) = subject_and_relation(request) else { return Ok(Progress::Done) };
    let player = lobby.player_of(conn);
    Ok(lobby.request(conn, EndRelation { player, subject, relation }, Removed { subject, relation }))
}

impl Resume for EndRelation {
    type Memo = Removed;

    fn resume(
        Removed { subject, relation }: Removed,
        lobby: &mut Lobby,
        conn: ConnId,
        reply: ReplyTo<Self>,
    ) -> Result<Progress, Refusal> {
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
