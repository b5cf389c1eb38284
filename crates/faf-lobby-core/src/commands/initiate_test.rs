//! `InitiateTest`: the connectivity test of clients that are too old (session.md section 10).

use crate::commands::Progress;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// Remembers that this client cannot play, and says so.
pub(crate) fn carry_out(world: &mut World, conn: ConnId) -> Result<Progress, Refusal> {
    world.session_mut(conn).is_outdated = true;
    Err(Refusal::Declined(texts::OUTDATED_CLIENT))
}

/// Refuses what needs a client that can play.
pub(super) fn check_not_outdated(world: &World, conn: ConnId) -> Result<(), Refusal> {
    match world.session(conn).is_outdated {
        true => Err(Refusal::Declined(texts::OUTDATED_CLIENT_NO_GAMES)),
        false => Ok(()),
    }
}
