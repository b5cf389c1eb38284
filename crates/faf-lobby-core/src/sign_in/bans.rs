//! Bans: which players are rejected, and the text that they receive.

use std::time::Duration;

use faf_protocol::server_message::{Notice, NoticeStyle};

use crate::io::Ban;
use crate::refusal::Refusal;
use crate::state::Lobby;
use crate::texts;

/// A ban that lasts longer than this counts as permanent.
const FOREVER: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// Refuses a player who has a ban in force.
pub(crate) fn check_not_banned(lobby: &Lobby, ban: Option<Ban>) -> Result<(), Refusal> {
    match ban.and_then(|ban| ban_in_force(lobby, &ban)) {
        Some(notice) => Err(Refusal::Ejected(Box::new(notice))),
        None => Ok(()),
    }
}

/// Returns the notice for a player with this ban; `None` if the ban is not in force.
pub(crate) fn ban_in_force(lobby: &Lobby, ban: &Ban) -> Option<Notice> {
    (ban.expires_at > lobby.now.utc).then(|| ban_notice(lobby, ban))
}

fn ban_notice(lobby: &Lobby, ban: &Ban) -> Notice {
    let remaining = Some(ban.expires_at.since(lobby.now.utc)).filter(|remaining| *remaining <= FOREVER);
    Notice {
        i18n_key: Some("login.banned".to_owned()),
        i18n_args: vec![ban.reason.clone()],
        expires_at: remaining.map(|_| ban.expires_at.to_string()),
        ..Notice::new(NoticeStyle::Error, texts::banned(&ban.reason, remaining))
    }
}
