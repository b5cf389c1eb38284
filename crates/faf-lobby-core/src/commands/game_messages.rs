//! Messages with `"target": "game"`: ignored without a running game, whatever they say (wire.md section 9).

use faf_protocol::gpgnet::GpgNetMessage;

use crate::commands::Progress;
use crate::refusal::Refusal;

#[expect(clippy::unnecessary_wraps, reason = "commands are alike")]
pub(crate) fn carry_out(_message: &GpgNetMessage) -> Result<Progress, Refusal> {
    Ok(Progress::Done)
}
