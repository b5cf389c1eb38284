//! `IceMsg`: passed on unchanged to another player of the same game (games.md section 6.6).

use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::gpgnet::ServerToGame;
use faf_protocol::json::Json;
use faf_protocol::server_message::ServerMessage;

use crate::game_commands::sender::Sender;
use crate::io::{Count, Effect};
use crate::state::{Lobby, Progress};
use crate::texts;

/// Longest message that is passed on, in bytes of JSON: 16 KiB.
///
/// The adapter of today's clients sends all its candidates for a peer in one message, some 190
/// bytes each (a recorded message with four has 830); others send each candidate, or a description
/// of a session, alone, in 300 to 3000 bytes. A machine with ten addresses and three relays has
/// about fifty candidates, which take 10 KiB. The shell, which performs [`Effect::Relay`], limits
/// the bytes in flight.
const MESSAGE_LIMIT: usize = 16 * 1024;

/// Minimum time between two notices to a player whose game sends longer messages.
const NOTICE_INTERVAL: Duration = Duration::from_secs(60);

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, receiver: PlayerId, message: Json) -> Progress {
    let length = message.as_ref().text().len();
    if length > MESSAGE_LIMIT {
        refuse_to_relay(lobby, sender, length);
        return Progress::Done;
    }
    // Not to a player whose process is only starting: a guest's adapter must learn of the host
    // first.
    let is_in_game = lobby.games.get(sender.game).is_some_and(|game| game.is_member(receiver));
    if let Some(to) = lobby.players.conn(receiver).filter(|_| is_in_game) {
        let message = ServerMessage::Game(ServerToGame::IceMsg { sender_id: sender.player, message }.into());
        lobby.emit(Effect::Relay { from: sender.conn, to, message });
    }
    Progress::Done
}

fn refuse_to_relay(lobby: &mut Lobby, sender: Sender, length: usize) {
    lobby.count(Count::RelayTooLong);
    let now = lobby.now.elapsed;
    let session = lobby.session_mut(sender.conn);
    if session.relay_refusal_told.is_some_and(|told| now < told + NOTICE_INTERVAL) {
        return;
    }
    session.relay_refusal_told = Some(now);
    lobby.send(sender.conn, texts::information(texts::relay_too_long(length, MESSAGE_LIMIT)));
}
