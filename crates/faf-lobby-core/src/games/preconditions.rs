//! What must hold before somebody gets into a game (games.md section 1).

use faf_protocol::CommandError;
use serde::{Deserialize, Serialize};

use crate::commands::{Continuation, Progress};
use crate::effect::Question;
use crate::event::{Ban, ConnId};
use crate::login;
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

/// Commands for which bans are looked up.
const BAN_COMMANDS: [&str; 2] = ["game_host", "game_join"];

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

/// What is remembered of a message that cannot be read while the player's bans are looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unreadable {
    command: String,
    reason: String,
}

/// Refuses a message that cannot be read. A player who may not play anyway is told of that first: one
/// who is busy keeps the connection, one who is banned does not.
pub(crate) fn refuse_unreadable(
    world: &mut World,
    conn: ConnId,
    error: CommandError,
) -> Result<Progress, Refusal> {
    let (Some(command), Some(player)) = (&error.command, world.session(conn).player) else {
        return Err(error.into());
    };
    check_can_play(world, conn, command)?;
    if !BAN_COMMANDS.contains(&command.as_str()) {
        return Err(error.into());
    }
    let unreadable = Unreadable { command: command.clone(), reason: error.error.to_string() };
    let question = Question::FindBan { player, joining: None };
    world.ask(conn, question, Continuation::Unreadable(unreadable))
}

pub(crate) fn unreadable_refused(
    world: &mut World,
    conn: ConnId,
    Unreadable { command, reason }: Unreadable,
    ban: Option<Ban>,
) -> Result<Progress, Refusal> {
    check_can_play(world, conn, &command)?;
    login::check_not_banned(world, ban)?;
    Err(Refusal::invalid(Some(command), reason))
}
