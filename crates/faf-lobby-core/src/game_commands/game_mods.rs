//! `GameMods`: the active mods of the simulation (games.md section 6.2).

use std::collections::BTreeMap;

use faf_protocol::gpgnet::GameMods;
use serde::{Deserialize, Serialize};

use crate::commands::Progress;
use crate::effect::Question;
use crate::event::Answer;
use crate::game_commands::{Continuation, Sender};
use crate::world::World;

/// The name of mods that are not in the vault.
const UNKNOWN: &str = "Unknown sim mod";

/// Active mods at the same time; further ones are ignored. Players rarely use more than ten.
const MODS_LIMIT: usize = 100;

/// Longest uid, in bytes; mods with longer ones are ignored. The vault has none above 40.
const UID_LIMIT: usize = 100;

/// What is remembered while the mods are looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ModsNamed {
    uids: Vec<String>,
}

pub(crate) fn carry_out(world: &mut World, sender: Sender, mods: GameMods) -> Progress {
    let Some(game) = world.hosted_lobby(sender) else { return Progress::Done };
    match mods {
        GameMods::Activated { count: 0 } => game.mods.clear(),
        GameMods::Activated { .. } => {}
        GameMods::Uids { uids } => {
            let uids: Vec<String> = uids
                .split_whitespace()
                .filter(|uid| uid.len() <= UID_LIMIT)
                .take(MODS_LIMIT)
                .map(str::to_owned)
                .collect();
            let question = Question::NameMods { uids: uids.clone() };
            return world.ask_for_game(sender, question, Continuation::ModsNamed(ModsNamed { uids }));
        }
        GameMods::Other { .. } => return Progress::Done,
    }
    world.games.mark(sender.game);
    Progress::Done
}

pub(super) fn named(
    world: &mut World,
    sender: Sender,
    ModsNamed { uids }: ModsNamed,
    answer: Answer,
) -> Progress {
    if let Some(game) = world.hosted_lobby(sender) {
        let mut names = match answer {
            Answer::ModNames(names) => names,
            _ => BTreeMap::new(),
        };
        let mut name = |uid: &str| names.remove(uid).unwrap_or_else(|| UNKNOWN.to_owned());
        game.mods = uids.into_iter().map(|uid| (uid.clone(), name(&uid))).collect();
        world.games.mark(sender.game);
    }
    Progress::Done
}
