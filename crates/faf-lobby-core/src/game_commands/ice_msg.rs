//! `IceMsg`: passed on to another player of the same game, as it is (games.md section 6.6).

use faf_protocol::PlayerId;
use faf_protocol::gpgnet::ServerToGame;
use faf_protocol::json::Json;

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::world::World;

pub(crate) fn carry_out(world: &mut World, sender: Sender, receiver: PlayerId, message: Json) -> Progress {
    // Not to somebody who only starts the process: a guest's adapter must hear of the host first.
    let are_in_game = |game: &&crate::games::Game| game.is_member(sender.player) && game.is_member(receiver);
    let conn = world.games.get(sender.game).filter(are_in_game).and_then(|_| world.players.get(receiver));
    if let Some(conn) = conn.map(|peer| peer.conn) {
        world.send_to_game(conn, ServerToGame::IceMsg { sender_id: sender.player, message });
    }
    Progress::Done
}
