//! Ratings: a player's rating on each leaderboard, and how a game changes it (ratings.md).
//!
//! ```text
//!   stored ratings             teams and their outcomes
//!         |                                |
//!         v                                v
//!   Leaderboards::rating  ---------->  rate_game  ---------->  RatingChange
//!   stored, or derived                     |        on the game's board: all players
//!   from another board                     v        on `global`: adjusted players
//!                                   true_skill::rate
//! ```
//!
//! Everything here is arithmetic. The caller reads all stored ratings of the participants before
//! the game is rated, and stores and publishes the changes: all of them or, if one cannot be
//! stored, none (ratings.md R2).

mod initial;
mod rate;
pub mod true_skill;

use serde::{Deserialize, Serialize};

pub use initial::{Derived, START_RATING};
pub use rate::{NotRated, RATING_ADJUSTMENT_MAX_RATING, RatedTeam, RatingChange, rate_game};

/// The leaderboard of custom games; matchmaker games adjust it (ratings.md section 6).
pub const GLOBAL: &str = "global";

/// The leaderboard of one-against-one matchmaker games.
pub const LADDER: &str = "ladder_1v1";

/// A leaderboard, also called rating type: a row of the table `leaderboard`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaderboard {
    /// Number of the row.
    pub id: u32,
    /// Technical name, which games, queues and messages use.
    pub name: String,
    /// The `id` of the leaderboard whose rating is a player's first rating here; `None` for the
    /// start rating.
    pub initializer: Option<u32>,
}

/// All leaderboards. If two have the same name or number, the first counts. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Leaderboards(Vec<Leaderboard>);

impl Leaderboards {
    /// Takes the rows of the table; initializers may point nowhere or form cycles.
    #[must_use]
    pub fn new(leaderboards: Vec<Leaderboard>) -> Self {
        Self(leaderboards)
    }

    /// Returns the leaderboard with this technical name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Leaderboard> {
        self.iter().find(|leaderboard| leaderboard.name == name)
    }

    /// Returns the leaderboard with this number.
    #[must_use]
    pub fn by_id(&self, id: u32) -> Option<&Leaderboard> {
        self.iter().find(|leaderboard| leaderboard.id == id)
    }

    /// All leaderboards, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Leaderboard> {
        self.0.iter()
    }
}

impl From<Vec<Leaderboard>> for Leaderboards {
    fn from(leaderboards: Vec<Leaderboard>) -> Self {
        Self::new(leaderboards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaderboards_are_found_by_name_and_number() {
        let leaderboard =
            |id, name: &str, initializer| Leaderboard { id, name: name.to_owned(), initializer };
        let rows = vec![leaderboard(4, GLOBAL, None), leaderboard(2, "tmm_2v2", Some(4))];
        let leaderboards = Leaderboards::from(rows.clone());
        assert_eq!(leaderboards.get("tmm_2v2"), Some(&rows[1]));
        assert_eq!(leaderboards.by_id(4), Some(&rows[0]));
        assert_eq!(leaderboards.get(LADDER), None);
        assert_eq!(leaderboards.by_id(1), None);
        assert_eq!(Leaderboards::default().get(GLOBAL), None);

        let json = serde_json::to_string(&leaderboards).unwrap();
        assert_eq!(serde_json::from_str::<Leaderboards>(&json).unwrap(), leaderboards);
        assert!(json.starts_with(r#"[{"id":4,"name":"global","initializer":null}"#), "{json}");
    }
}
