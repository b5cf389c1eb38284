//! `create_account`: accounts are not made here (session.md section 10).

use crate::commands::Progress;
use crate::refusal::Refusal;
use crate::texts;

pub(crate) fn handle() -> Result<Progress, Refusal> {
    Err(Refusal::declined(texts::NO_REGISTRATION))
}
