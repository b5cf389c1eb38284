//! What must hold before somebody gets into a game (games.md section 1).

use crate::event::ConnId;
use crate::players::Activity;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// What a player wants to do, as it stands in texts.
const GAME_COMMANDS: [(&str, &str); 3] = [
    ("game_host", "host a game"),
    ("game_join", "join a game"),
    ("restore_game_session", "reconnect to a game"),
];

/// The client can play, and the player does nothing else.
pub(crate) fn check_can_play(world: &World, conn: ConnId, command: &str) -> Result<(), Refusal> {
    let Some((_, wish)) = GAME_COMMANDS.iter().find(|(name, _)| *name == command) else { return Ok(()) };
    if world.session(conn).is_outdated {
        return Err(Refusal::declined(texts::OUTDATED_CLIENT_NO_GAMES));
    }
    match world.players.get(world.player_of(conn)).map(|online| online.activity) {
        None | Some(Activity::Idle) => Ok(()),
        Some(busy) => Err(Refusal::declined(texts::busy(wish, busy.name()))),
    }
}

/// The same for a message that cannot be read: whoever is busy hears of that first, and keeps the connection.
pub(crate) fn check_before_reading(
    world: &World,
    conn: ConnId,
    command: Option<&str>,
) -> Result<(), Refusal> {
    match command {
        Some(command) if world.session(conn).player.is_some() => check_can_play(world, conn, command),
        _ => Ok(()),
    }
}
