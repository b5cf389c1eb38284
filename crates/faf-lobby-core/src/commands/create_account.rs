//! `create_account`: always refused, because accounts are created elsewhere (session.md section
//! 10).

use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby};
use crate::texts;

pub(crate) fn handle(_lobby: &mut Lobby, _conn: ConnId) -> CommandResult {
    Err(Refusal::declined(texts::NO_REGISTRATION))
}
