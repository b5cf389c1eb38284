//! `GameMods`: the active mods of the simulation (games.md section 6.2).
//!
//! The list of games shows the mods to everybody, so their size is bounded. A mod that does not fit
//! is not shown but still makes the game unranked, so nobody can hide one.

use std::collections::BTreeMap;

use faf_protocol::gpgnet::GameMods;
use serde::{Deserialize, Serialize};

use crate::client_text::cut;
use crate::game_commands::sender::Sender;
use crate::io::{ConnId, FindModNames, ReplyTo};
use crate::snapshots::size;
use crate::state::{CommandResult, Lobby, Progress, Resume};

/// Name for mods that are not in the vault.
const UNKNOWN: &str = "Unknown sim mod";

/// Maximum number of mods that are shown. Players rarely use more than ten at the same time.
const MODS_LIMIT: usize = 48;

/// Longest uid, in bytes: the size of the column in the vault.
const UID_LIMIT: usize = 40;

/// JSON bytes for the uids and names of all mods of a game: 3 KiB. [`MODS_LIMIT`] of the longest
/// uids fit; names that are too long are cut to an equal share of the rest.
pub(crate) const MODS_BYTES: usize = 3072;

/// Memo while the mods are looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Activated {
    uids: Vec<String>,
    /// The first mod that is not shown.
    unlisted: Option<String>,
}

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, mods: GameMods) -> Progress {
    let Some(game) = sender.hosted_lobby(lobby) else { return Progress::Done };
    match mods {
        GameMods::Activated { count: 0 } => {
            game.mods.clear();
            game.unlisted_mod = None;
        }
        GameMods::Activated { .. } => {}
        GameMods::Uids { uids } => {
            let mut memo = Activated { uids: Vec::new(), unlisted: None };
            for uid in uids.split_whitespace() {
                if is_uid(uid) && memo.uids.len() < MODS_LIMIT {
                    memo.uids.push(uid.to_owned());
                } else {
                    memo.unlisted = Some(cut(uid.to_owned(), UID_LIMIT));
                    break;
                }
            }
            let request = FindModNames { uids: memo.uids.clone() };
            return sender.request(lobby, request, memo);
        }
        GameMods::Other { .. } => return Progress::Done,
    }
    lobby.games.mark(sender.game);
    Progress::Done
}

impl Resume for FindModNames {
    type Memo = Activated;

    fn resume(memo: Activated, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let Activated { uids, unlisted } = memo;
        // The process may have ended in the meantime, or be another one.
        let Some(sender) = Sender::of(lobby, conn) else { return Ok(Progress::Done) };
        if let Some(game) = sender.hosted_lobby(lobby) {
            let mut names = reply.unwrap_or_default();
            let mut name = |uid: &str| names.remove(uid).unwrap_or_else(|| UNKNOWN.to_owned());
            game.mods = uids.into_iter().map(|uid| (uid.clone(), name(&uid))).collect();
            shorten_names(&mut game.mods);
            game.unlisted_mod = unlisted;
            lobby.games.mark(sender.game);
        }
        Ok(Progress::Done)
    }
}

/// Returns whether a mod in the vault can have this uid: at most 40 ASCII letters, digits and a few
/// marks. Most are UUIDs, some contain words. Clients look mods up by uid.
fn is_uid(uid: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+{}".contains(&byte);
    uid.len() <= UID_LIMIT && uid.bytes().all(is_usual)
}

fn shorten_names(mods: &mut BTreeMap<String, String>) {
    let bytes = |(uid, name): (&String, &String)| size::mod_bytes(uid, name);
    if mods.iter().map(bytes).sum::<usize>() <= MODS_BYTES {
        return;
    }
    let uids: usize = mods.keys().map(|uid| size::mod_bytes(uid, "")).sum();
    let share = MODS_BYTES.saturating_sub(uids) / mods.len().max(1);
    for name in mods.values_mut() {
        size::cut_to_bytes(name, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_as_the_vault_has_them() {
        for uid in [
            "0f0e0d0c-0001-4000-8000-000000000001",
            "25D57D85-7D84-27HT-A501-BR3WL4N000079",
            "unknown-uid-1",
            "{My_Mod.v2+}",
        ] {
            assert!(is_uid(uid), "{uid}");
        }
        for uid in ["\u{1}", "a\"b", "a\\b", "../x", "a/b", "ä", "<b>", "a%20b", &"x".repeat(41)] {
            assert!(!is_uid(uid), "{uid}");
        }
    }

    #[test]
    fn names_share_what_uids_leave() {
        let mods = |name: &str, count: usize| {
            let uid = |number| format!("{number:040}");
            let mut mods = (0..count).map(|number| (uid(number), name.to_owned())).collect();
            shorten_names(&mut mods);
            let bytes: usize = mods.iter().map(|(uid, name)| size::mod_bytes(uid, name)).sum();
            assert!(bytes <= MODS_BYTES, "{bytes}");
            mods.into_values().next().unwrap()
        };
        assert_eq!(mods("Total Mayhem", 40), "Total Mayhem");
        assert_eq!(mods(&"x".repeat(100), MODS_LIMIT), "x".repeat(16));
        assert_eq!(mods(&"ä".repeat(100), MODS_LIMIT), "ää");
        assert_eq!(mods(&"\u{1}".repeat(100), 20).len(), 17);
    }
}
