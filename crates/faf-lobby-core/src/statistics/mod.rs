//! What the game tells about its armies at the end (`JsonStats`), and the achievements and events
//! that follow from it (game-results.md section 8).
//!
//! ```text
//! text of JsonStats -- Statistics::read -->  Statistics  -- updates -->  for the player's achievements and events
//!                                                        -- commander_kills -->  for the published result
//! ```
//!
//! Which achievements and events there are stands in one table each, in `achievements.rs` and
//! `events.rs`.

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

/// Whoever has the highest score is told apart only in games of at least this many humans.
const HUMANS_FOR_HIGHEST_SCORE: usize = 8;

/// What a player's achievements and events grow by, in the order in which it is to be published
/// (section 8.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updates {
    /// For `request.achievement.update`, one message each. Never empty, as five count games.
    pub achievements: Vec<AchievementUpdate>,
    /// For `request.event.update`, one message each.
    pub events: Vec<EventUpdate>,
}

/// What a player gets for a game, or nothing if it does not count for him (section 8.1).
///
/// `outcome_is_known`: his army has an outcome other than `UNKNOWN`; `has_won`: it is `VICTORY`;
/// `rating_type`: of the game, such as `global`. Whether he is ready at all (frozen, reported, no
/// cheats) is for the caller to know.
///
/// Nothing if there is an AI that is no civilian, if there are fewer than two humans, if no human
/// has his login, or if his own army lacks a required part. Parts that other armies lack do not
/// take anything from him, with one exception: if the score of any human is missing, nobody knows
/// who has the highest, and nobody gets what there is for it.
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

/// What the conditions of both tables are about.
struct Played<'a> {
    figures: &'a Figures,
    commander_kills: u32,
    has_won: bool,
    rating_type: &'a str,
    has_highest_score: bool,
}

/// Which human has the highest score above 0, the first of them on a tie; nobody in small games.
fn highest_score(humans: &[&Army]) -> Option<usize> {
    if humans.len() < HUMANS_FOR_HIGHEST_SCORE {
        return None;
    }
    let scores: Option<Vec<f64>> = humans.iter().map(|army| army.score).collect();
    let (mut highest, mut whose) = (0.0, None);
    for (index, score) in scores?.into_iter().enumerate() {
        if score > highest {
            (highest, whose) = (score, Some(index));
        }
    }
    whose
}
