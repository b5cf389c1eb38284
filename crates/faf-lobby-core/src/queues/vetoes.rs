//! The selections of vetoes when the brackets have changed (matchmaking.md section 12).

use faf_protocol::PlayerId;
use faf_protocol::server_message::{ServerMessage, VetoesInfo};

use crate::io::LogLine;
use crate::matchmaking::vetoes::{Readjusted, VetoRules, Vetoes};
use crate::queues::searching::cancel_searches_of;
use crate::state::{Lobby, OnlinePlayer};

/// Takes the rules of the brackets that are stored now. If they are others than before, each player
/// keeps what they allow of the selection. A player who loses a veto of a map that can still be
/// played searches no more, because a match might now be on that map.
pub(super) fn readjust(lobby: &mut Lobby) {
    let mut invalid = Vec::new();
    let mut brackets = Vec::new();
    for queue in lobby.queues.iter().map(|queue| &queue.data) {
        for bracket in &queue.brackets {
            // A bracket without tokens has no vetoes, however few maps it has.
            let has_tokens = bracket.vetoes.veto_tokens_per_player > 0;
            if has_tokens && !bracket.vetoes.is_valid(queue.team_size, bracket.pool.len()) {
                let (queue, bracket) = (queue.name.clone(), bracket.id);
                invalid.push(LogLine::InvalidVetoSettings { queue, bracket });
            }
            brackets.push((bracket, queue.team_size));
        }
    }
    let rules = VetoRules::new(brackets);
    for line in invalid {
        lobby.log(line);
    }
    if !lobby.queues.set_veto_rules(rules) {
        return;
    }
    let rules = lobby.queues.veto_rules();
    let with_vetoes = lobby.players.iter().filter(|online| !online.vetoes.is_empty());
    let change = |online: &OnlinePlayer| Some((online.info.id, online.vetoes.readjusted(rules)?));
    let changed: Vec<(PlayerId, Readjusted)> = with_vetoes.filter_map(change).collect();
    for (player, Readjusted { vetoes, is_forced }) in changed {
        let Some(online) = lobby.players.get_mut(player) else { continue };
        online.vetoes = vetoes.clone();
        let conn = online.conn;
        lobby.send(conn, vetoes_info(vetoes, is_forced));
        if lobby.queues.is_searching(player) {
            lobby.queues.mark_unsaved();
        }
        if is_forced {
            cancel_searches_of(lobby, player);
        }
    }
}

/// Returns the selection of a player as the client is sent it.
pub(crate) fn vetoes_info(vetoes: Vetoes, forced: bool) -> ServerMessage {
    ServerMessage::VetoesInfo(VetoesInfo { forced, vetoes: vetoes.into() })
}
