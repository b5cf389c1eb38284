//! `PlayerOption`: what the host says about a player (games.md sections 4.2 and 6.3).

use faf_protocol::PlayerId;
use faf_protocol::json::Json;

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::world::World;

/// Players a host may say something about; further ones are ignored. A game has 16 and a few who watch.
const PLAYERS_LIMIT: usize = 100;

pub(crate) fn carry_out(
    world: &mut World,
    sender: Sender,
    player: PlayerId,
    key: &str,
    value: &Json,
) -> Progress {
    let Some(game) = world.hosted_lobby(sender) else { return Progress::Done };
    if game.slots.len() >= PLAYERS_LIMIT && !game.slots.contains_key(&player) {
        return Progress::Done;
    }
    // That the host says anything is the sign that the player is connected to the host.
    let slot = game.slots.entry(player).or_default();
    if let Some(value) = integer(value) {
        slot.set(key, value);
    }
    world.games.mark(sender.game);
    Progress::Done
}

/// An integer or its text; games send both. Clients read it as a 32-bit integer, so others are none.
pub(super) fn integer(value: &Json) -> Option<i64> {
    let number: Option<i32> = match value.as_ref().as_str() {
        Some(text) => text.trim().parse().ok(),
        None => value.as_ref().parse().ok(),
    };
    number.map(i64::from)
}
