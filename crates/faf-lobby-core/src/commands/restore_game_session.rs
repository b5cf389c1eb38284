//! `restore_game_session`: back into a game that still runs (games.md section 1.3).
//!
//! Only whoever was in the game comes back: players of a live game who have not ended it, and
//! players whose connection was lost in the lobby. There is no reply.

use faf_protocol::client_message::RestoreGameSession;

use crate::commands::Progress;
use crate::commands::entry::{Entry, check_can_play};
use crate::event::ConnId;
use crate::games::{Game, GameState};
use crate::players::{Activity, ConnectionState, GameConnection};
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

pub(crate) fn handle(
    world: &mut World,
    conn: ConnId,
    request: &RestoreGameSession,
) -> Result<Progress, Refusal> {
    check_can_play(world, conn, Entry::Reconnect)?;
    let player = world.player_of(conn);
    let viewer = world.players.get(player);
    let is_known = |game: &&Game| viewer.is_some_and(|viewer| game.is_known_to(viewer));
    let known = world.games.untold_game(request.game_id).filter(is_known).map(|game| game.id);
    let Some(game) = known.and_then(|game| world.games.get_mut(game)) else {
        return Err(Refusal::informed(texts::GAME_IS_GONE));
    };
    let belongs = match (game.state, &game.live) {
        (GameState::Lobby, _) => game.lost.contains(&player),
        // A player who has ended the game does not come back to it.
        (GameState::Live, Some(live)) => live.player(player).is_some() && live.is_played_by(player),
        _ => return Err(Refusal::informed(texts::GAME_IS_OVER)),
    };
    if !belongs || game.state == GameState::Lobby && game.is_full() {
        return Err(Refusal::informed(texts::NOT_IN_GAME));
    }
    game.add_member(player);
    let id = game.id;
    if let Some(online) = world.players.get_mut(player) {
        online.activity = Activity::Playing;
        let (state, deadline) = (ConnectionState::Connected, world.now.elapsed);
        online.game = Some(GameConnection { game: id, state, deadline });
    }
    world.games.mark(id);
    world.check_end(id, None);
    Ok(world.save_game(id, Some(conn)))
}
