//! `InitiateTest`: the connectivity test of clients that are too old (session.md section 10).

use faf_protocol::client_message::ConnectivityTest;

use crate::io::conn::ConnId;
use crate::refusal::Refusal;
use crate::state::Lobby;
use crate::state::pending::Progress;
use crate::texts;

/// Remembers that this client cannot play, and says so.
pub(crate) fn handle(
    lobby: &mut Lobby,
    conn: ConnId,
    _request: ConnectivityTest,
) -> Result<Progress, Refusal> {
    lobby.session_mut(conn).is_outdated = true;
    Err(Refusal::declined(texts::OUTDATED_CLIENT))
}
