//! `matchmaker_info`: the queues of the matchmaker. There are none as long as there is no matchmaker.

use faf_protocol::server_message::{QueueList, ServerMessage};

use crate::commands::Progress;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::world::World;

pub(crate) fn handle(world: &mut World, conn: ConnId) -> Result<Progress, Refusal> {
    world.send(conn, ServerMessage::MatchmakerInfo(QueueList::default()));
    Ok(Progress::Done)
}
