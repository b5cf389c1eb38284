//! `ping`: a sign of life (session.md section 9).

use faf_protocol::ServerMessage;

use crate::commands::Progress;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::world::World;

pub(crate) fn handle(world: &mut World, conn: ConnId) -> Result<Progress, Refusal> {
    world.send(conn, ServerMessage::Pong);
    Ok(Progress::Done)
}
