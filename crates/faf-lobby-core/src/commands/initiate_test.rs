//! `InitiateTest`: the connectivity test of clients that are too old (session.md section 10).

use faf_protocol::client_message::ConnectivityTest;

use crate::commands::Progress;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// Remembers that this client cannot play, and says so.
pub(crate) fn handle(
    world: &mut World,
    conn: ConnId,
    _request: ConnectivityTest,
) -> Result<Progress, Refusal> {
    world.session_mut(conn).is_outdated = true;
    Err(Refusal::declined(texts::OUTDATED_CLIENT))
}
