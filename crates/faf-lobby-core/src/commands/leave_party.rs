//! `leave_party`: leaves the party, or disbands it if it is the sender's own (parties.md section
//! 3.4).

use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;
use crate::{parties, queues};

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> CommandResult {
    let player = lobby.player_of(conn);
    lobby.returning.leave_parties(player);
    if lobby.parties.owner_of(player).is_none() {
        return Err(Refusal::declined(texts::NOT_IN_A_PARTY));
    }
    queues::cancel_searches_of(lobby, player);
    parties::leave(lobby, player);
    Ok(Progress::Done)
}
