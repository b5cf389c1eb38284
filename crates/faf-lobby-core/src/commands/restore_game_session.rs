//! `restore_game_session`: returns to a game that still runs (games.md section 1.3).
//!
//! Only players who were in the game return: those of a live game who have not ended it, and those
//! whose connection was lost in the lobby. There is no reply.

use faf_protocol::client_message::RestoreGameSession;

use crate::games::{Entry, check_can_play, ending, persistence};
use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{Activity, CommandResult, ConnectionState, Game, GameConnection, GameState, Lobby};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &RestoreGameSession) -> CommandResult {
    check_can_play(lobby, conn, Entry::Reconnect)?;
    let player = lobby.player_of(conn);
    let viewer = lobby.players.get(player);
    let is_known = |game: &&Game| viewer.is_some_and(|viewer| game.is_known_to(viewer));
    let known = lobby.games.current_game(request.game_id).filter(is_known).map(|game| game.id);
    let Some(game) = known.and_then(|game| lobby.games.get_mut(game)) else {
        return Err(Refusal::informed(texts::GAME_IS_GONE));
    };
    let belongs = match (game.state, &game.live) {
        (GameState::Lobby, _) => game.lost.contains(&player),
        // A player who has ended the game does not return to it.
        (GameState::Live, Some(live)) => live.player(player).is_some() && live.is_played_by(player),
        _ => return Err(Refusal::informed(texts::GAME_IS_OVER)),
    };
    if !belongs || game.state == GameState::Lobby && game.is_full() {
        return Err(Refusal::informed(texts::NOT_IN_GAME));
    }
    game.add_member(player);
    let id = game.id;
    if let Some(online) = lobby.players.get_mut(player) {
        online.activity = Activity::Playing;
        let (state, deadline) = (ConnectionState::Connected, lobby.now.elapsed);
        online.game = Some(GameConnection { game: id, state, deadline });
    }
    lobby.games.mark(id);
    ending::check_end(lobby, id, None);
    Ok(persistence::save_game(lobby, id, Some(conn)))
}
