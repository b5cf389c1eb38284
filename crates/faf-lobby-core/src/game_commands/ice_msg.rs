//! `IceMsg`: passed on to another player of the same game, as it is (games.md section 6.6).

use faf_protocol::PlayerId;
use faf_protocol::gpgnet::ServerToGame;
use faf_protocol::json::Json;

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::world::World;

pub(crate) fn carry_out(world: &mut World, sender: Sender, receiver: PlayerId, message: Json) -> Progress {
    let is_in_game = |connection: &crate::players::GameConnection| connection.game == sender.game;
    let receiver = world.players.get(receiver).filter(|peer| peer.game.as_ref().is_some_and(is_in_game));
    if let Some(conn) = receiver.map(|peer| peer.conn) {
        world.send_to_game(conn, ServerToGame::IceMsg { sender_id: sender.player, message });
    }
    Progress::Done
}
