//! `IceMsg`: passed on to another player of the same game, as it is (games.md section 6.6).

use faf_protocol::PlayerId;
use faf_protocol::gpgnet::ServerToGame;
use faf_protocol::json::Json;

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::games::Game;
use crate::world::World;

/// Longest message that is passed on, in bytes of JSON; those of adapters have some hundred. Larger ones are dropped, as
/// they could fill what waits to be sent to the receiver.
const MESSAGE_LIMIT: usize = 64 * 1024;

pub(crate) fn carry_out(world: &mut World, sender: Sender, receiver: PlayerId, message: Json) -> Progress {
    if message.as_ref().text().len() > MESSAGE_LIMIT {
        return Progress::Done;
    }
    // Not to somebody who only starts the process: a guest's adapter must hear of the host first.
    let is_in_game = |game: &&Game| game.is_member(receiver);
    let conn = world.games.get(sender.game).filter(is_in_game).and_then(|_| world.players.get(receiver));
    if let Some(conn) = conn.map(|peer| peer.conn) {
        world.send_to_game(conn, ServerToGame::IceMsg { sender_id: sender.player, message });
    }
    Progress::Done
}
