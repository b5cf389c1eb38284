//! `create_account`: accounts are not made here (session.md section 10).

use crate::commands::Progress;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

pub(crate) fn handle(_world: &mut World, _conn: ConnId) -> Result<Progress, Refusal> {
    Err(Refusal::declined(texts::NO_REGISTRATION))
}
