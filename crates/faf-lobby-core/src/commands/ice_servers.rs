//! `ice_servers`: an empty list; clients get them from the web API (session.md section 10; deprecated).

use faf_protocol::server_message::{IceServers, ServerMessage};

use crate::commands::Progress;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::world::World;

pub(crate) fn carry_out(world: &mut World, conn: ConnId) -> Result<Progress, Refusal> {
    world.send(conn, ServerMessage::IceServers(IceServers::default()));
    Ok(Progress::Done)
}
