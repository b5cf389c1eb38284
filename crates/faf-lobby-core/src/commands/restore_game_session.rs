//! `restore_game_session`: back into a game that still runs (session.md section 10). There are no games to go back to.

use crate::commands::Progress;
use crate::commands::initiate_test::check_not_outdated;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

pub(crate) fn carry_out(world: &World, conn: ConnId) -> Result<Progress, Refusal> {
    check_not_outdated(world, conn)?;
    Err(Refusal::Informed(texts::GAME_IS_GONE))
}
