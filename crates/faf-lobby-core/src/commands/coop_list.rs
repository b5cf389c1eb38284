//! `coop_list`: one message for every co-op mission (session.md section 10).

use faf_protocol::ServerMessage;

use crate::commands::Progress;
use crate::event::ConnId;
use crate::io::request::{ListCoopMissions, ReplyTo};
use crate::pending::Resume;
use crate::refusal::Refusal;
use crate::world::World;

pub(crate) fn handle(world: &mut World, conn: ConnId) -> Result<Progress, Refusal> {
    world.request(conn, ListCoopMissions {}, ())
}

impl Resume for ListCoopMissions {
    type Memo = ();

    fn resume((): (), world: &mut World, conn: ConnId, reply: ReplyTo<Self>) -> Result<Progress, Refusal> {
        for mission in reply? {
            world.send(conn, ServerMessage::CoopInfo(mission));
        }
        Ok(Progress::Done)
    }
}
