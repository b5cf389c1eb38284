//! `social_remove`: ends a friendship or the opposite (session.md section 10).
//!
//! Only the relation that is named ends. What does not exist need not end. There is no reply.

use faf_protocol::PlayerId;
use faf_protocol::client_message::SocialSubject;
use serde::{Deserialize, Serialize};

use crate::commands::social_add::subject_and_relation;
use crate::commands::{Continuation, Progress};
use crate::effect::{Question, Relation};
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::world::World;

/// What is remembered while the relation is removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Removed {
    subject: PlayerId,
    relation: Relation,
}

pub(crate) fn carry_out(
    world: &mut World,
    conn: ConnId,
    request: &SocialSubject,
) -> Result<Progress, Refusal> {
    let Some((subject, relation)) = subject_and_relation(request) else { return Ok(Progress::Done) };
    let player = world.player_of(conn);
    let question = Question::EndRelation { player, subject, relation };
    world.ask(conn, question, Continuation::SocialRemoved(Removed { subject, relation }))
}

pub(crate) fn go_on(world: &mut World, conn: ConnId, Removed { subject, relation }: &Removed) {
    let player = world.player_of(conn);
    let Some(online) = world.online(player) else { return };
    match relation {
        Relation::Friend => online.friends.remove(subject),
        Relation::Foe => online.foes.remove(subject),
    };
    world.host_lists_changed(player, *subject);
}
