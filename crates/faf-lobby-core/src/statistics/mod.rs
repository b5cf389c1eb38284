//! Statistics of the armies, which the game sends at its end (`JsonStats`), and the achievements
//! and events that follow from them (game-results.md section 8).
//!
//! ```text
//! text of JsonStats --- Statistics::read --->  Statistics
//! Statistics        --- updates ------------>  the player's achievements and events
//! Statistics        --- commander_kills ---->  the published result
//! ```
//!
//! All achievements are in one table in `achievements.rs`, all events in one in `events.rs`.

mod achievements;
mod army;
mod events;
mod read;
#[cfg(test)]
mod tests;

use faf_protocol::PlayerId;

pub use achievements::{AchievementUpdate, Operation};
pub use army::Statistics;
pub use events::EventUpdate;
pub use read::{LONGEST_NAME, LONGEST_TEXT, MOST_ARMIES, StatisticsError};

use army::{Army, Figures};

/// Minimum number of humans in a game for which the highest score counts.
const HUMANS_FOR_HIGHEST_SCORE: usize = 8;

/// Updates of a player's achievements and events, in the order of publication (section 8.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updates {
    /// Bodies of `request.achievement.update`, one message each. Never empty, as five achievements
    /// count games.
    pub achievements: Vec<AchievementUpdate>,
    /// Bodies of `request.event.update`, one message each.
    pub events: Vec<EventUpdate>,
}

/// Returns a player's updates for a game, or `None` if the game does not count for them
/// (section 8.1).
///
/// - `outcome_is_known`: the player's army has an outcome other than `UNKNOWN`.
/// - `has_won`: that outcome is `VICTORY`.
/// - `rating_type`: rating type of the game, such as `global`.
///
/// The caller checks the other conditions for the player: in the game at its launch, reported,
/// no cheats.
///
/// Returns `None` if there is an AI other than civilians, if there are fewer than two humans, if no
/// human army has the player's login as its name, or if the player's own army lacks a required
/// part. Parts missing from other armies do not affect the player, with one exception: if the score
/// of any human is missing, the highest score is unknown, and nobody gets the achievements for it.
#[must_use]
pub fn updates(
    player: PlayerId,
    login: &str,
    outcome_is_known: bool,
    has_won: bool,
    rating_type: &str,
    statistics: &Statistics,
) -> Option<Updates> {
    if !outcome_is_known || statistics.armies.iter().any(Army::is_opponent_ai) {
        return None;
    }
    // Only games between humans count, and only for humans among them.
    let humans: Vec<&Army> = statistics.armies.iter().filter(|army| army.is_human()).collect();
    if humans.len() < 2 {
        return None;
    }
    let own = humans.iter().position(|army| army.name.as_deref() == Some(login))?;
    let army = humans[own];
    army.score?;
    let played = Played {
        figures: army.figures.as_ref()?,
        commander_kills: army.commander_kills.unwrap_or(0),
        has_won,
        rating_type,
        has_highest_score: highest_score(&humans) == Some(own),
    };
    Some(Updates {
        achievements: achievements::updates(player, &played),
        events: events::updates(player, &played),
    })
}

/// The facts that the conditions of both tables depend on.
struct Played<'a> {
    figures: &'a Figures,
    commander_kills: u32,
    has_won: bool,
    rating_type: &'a str,
    has_highest_score: bool,
}

/// Returns the index of the human with the highest score above 0, the first one on a tie; `None` in
/// small games.
fn highest_score(humans: &[&Army]) -> Option<usize> {
    if humans.len() < HUMANS_FOR_HIGHEST_SCORE {
        return None;
    }
    let scores: Option<Vec<f64>> = humans.iter().map(|army| army.score).collect();
    let (mut highest, mut leader) = (0.0, None);
    for (index, score) in scores?.into_iter().enumerate() {
        if score > highest {
            (highest, leader) = (score, Some(index));
        }
    }
    leader
}
