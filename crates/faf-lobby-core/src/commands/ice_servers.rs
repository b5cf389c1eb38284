//! `ice_servers`: an empty list; clients get them from the web API (session.md section
//! 10; deprecated).

use faf_protocol::server_message::{IceServers, ServerMessage};

use crate::io::ConnId;
use crate::state::{CommandResult, Lobby, Progress};

/// Validity of the list, in seconds: a day. The Python client asks again every five seconds while
/// less than ten hours are left.
const LIFETIME: u32 = 24 * 60 * 60;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> CommandResult {
    let list = IceServers { ice_servers: Vec::new(), ttl: Some(LIFETIME) };
    lobby.send(conn, ServerMessage::IceServers(list));
    Ok(Progress::Done)
}
