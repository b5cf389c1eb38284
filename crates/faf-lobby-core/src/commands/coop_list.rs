//! `coop_list`: one message for every co-op mission (session.md section 10).

use faf_protocol::server_message::{CoopMission, ServerMessage};

use crate::commands::{Continuation, Progress};
use crate::effect::Question;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::world::World;

pub(crate) fn carry_out(world: &mut World, conn: ConnId) -> Result<Progress, Refusal> {
    world.ask(conn, Question::CoopMissions, Continuation::MissionsListed)
}

pub(crate) fn go_on(
    world: &mut World,
    conn: ConnId,
    missions: Vec<CoopMission>,
) -> Result<Progress, Refusal> {
    for mission in missions {
        world.send(conn, ServerMessage::CoopInfo(mission));
    }
    Ok(Progress::Done)
}
