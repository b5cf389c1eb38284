//! `leave_party`: leaves the party, or disbands it if it is the sender's own (parties.md section
//! 3.4).

use crate::io::ConnId;
use crate::parties;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> CommandResult {
    let player = lobby.player_of(conn);
    match parties::leave(lobby, player) {
        Some(_) => Ok(Progress::Done),
        None => Err(Refusal::declined(texts::NOT_IN_A_PARTY)),
    }
}
