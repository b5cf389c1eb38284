//! `set_player_vetoes`: replaces the maps that a player does not want to play (matchmaking.md
//! section 12). Allowed at any time, also while the player searches or plays: the selection counts
//! for the next match.

use faf_protocol::client_message::SetPlayerVetoes;

use crate::io::ConnId;
use crate::matchmaking::vetoes::Vetoes;
use crate::queues;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: SetPlayerVetoes) -> CommandResult {
    let requested = Vetoes::from(request.vetoes);
    let vetoes = requested.adjusted(lobby.queues.veto_rules());
    let player = lobby.player_of(conn);
    let Some(online) = lobby.players.get_mut(player) else { return Ok(Progress::Done) };
    online.vetoes = vetoes.clone();
    // Those of players who search are saved with the searches.
    if lobby.queues.is_searching(player) {
        lobby.queues.mark_unsaved();
    }
    // Clients take silence for agreement.
    if vetoes != requested {
        lobby.send(conn, queues::vetoes_info(vetoes, false));
    }
    Ok(Progress::Done)
}

/// Refuses a selection that cannot be read. The player keeps the old one.
pub(super) fn refuse_unreadable() -> Refusal {
    Refusal::declined(texts::INVALID_VETO_DATA)
}
