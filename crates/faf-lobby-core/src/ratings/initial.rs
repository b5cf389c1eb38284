//! The rating of a player on a leaderboard, whether or not they have played there (ratings.md
//! section 2).

use faf_protocol::server_message::Rating;

use super::Leaderboards;

/// Default rating of an unknown player; operators can change it
/// (`START_RATING_MEAN`, `START_RATING_DEV`).
pub const START_RATING: Rating = Rating { mean: 1500.0, deviation: 500.0 };

/// Growth of the deviation on a board whose rating is derived from another one: skill there is
/// similar, but not the same.
const DERIVED_MORE_DEVIATION: f64 = 150.0;

/// Limit up to which the deviation of a derived rating grows; a larger one stays as it is.
const DERIVED_MAX_DEVIATION: f64 = 250.0;

/// A rating, either stored or derived from another board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Derived {
    /// Value of the rating.
    pub rating: Rating,
    /// Whether the player has a row on this leaderboard itself.
    pub is_stored: bool,
}

impl Leaderboards {
    /// Returns the rating on the leaderboard `name`: the stored one, else that of the nearest
    /// initializer with a stored one, else `start`.
    ///
    /// `stored` returns the player's stored rating by technical name. Unknown names, unknown
    /// initializers and cycles of initializers lead to `start`.
    #[must_use]
    pub fn rating(&self, name: &str, start: Rating, stored: impl Fn(&str) -> Option<Rating>) -> Derived {
        if let Some(rating) = stored(name) {
            return Derived { rating, is_stored: true };
        }
        let mut current = self.get(name);
        // More steps than there are boards would go round a cycle in which nothing is stored.
        for _ in 0..self.iter().len() {
            current = current.and_then(|leaderboard| self.by_id(leaderboard.initializer?));
            let Some(leaderboard) = current else { break };
            if let Some(rating) = stored(&leaderboard.name) {
                return Derived { rating: less_certain(rating), is_stored: false };
            }
        }
        Derived { rating: start, is_stored: false }
    }
}

fn less_certain(rating: Rating) -> Rating {
    if rating.deviation > DERIVED_MAX_DEVIATION {
        return rating;
    }
    let deviation = (rating.deviation + DERIVED_MORE_DEVIATION).min(DERIVED_MAX_DEVIATION);
    Rating { deviation, ..rating }
}

#[cfg(test)]
mod tests {
    use super::super::{GLOBAL, LADDER, Leaderboard};
    use super::*;

    const TMM: &str = "tmm_2v2";

    #[test]
    fn the_table_of_the_specification() {
        let short = boards(&[(GLOBAL, None), (LADDER, None), (TMM, Some(1))]);
        let long = boards(&[(GLOBAL, Some(2)), (LADDER, None), (TMM, Some(1))]);
        type Row<'a> = (&'a Leaderboards, &'a [(&'a str, f64, f64)], &'a str, (f64, f64));
        let rows: [Row; 9] = [
            (&short, &[], TMM, (1500.0, 500.0)),
            (&short, &[(GLOBAL, 2000.0, 125.0)], TMM, (2000.0, 250.0)),
            (&short, &[(GLOBAL, 1340.5, 62.52)], TMM, (1340.5, 212.52)),
            (&short, &[(GLOBAL, 900.0, 250.0)], TMM, (900.0, 250.0)),
            (&short, &[(GLOBAL, 900.0, 250.5)], TMM, (900.0, 250.5)),
            (&short, &[(GLOBAL, 1800.0, 90.0), (TMM, 300.0, 200.0)], TMM, (300.0, 200.0)),
            (&long, &[(LADDER, 1000.0, 50.0)], GLOBAL, (1000.0, 200.0)),
            (&long, &[(LADDER, 1000.0, 50.0)], TMM, (1000.0, 200.0)),
            (&long, &[(LADDER, 1000.0, 50.0), (GLOBAL, 700.0, 60.0)], TMM, (700.0, 210.0)),
        ];
        for (leaderboards, stored, asked, (mean, deviation)) in rows {
            let derived = leaderboards.rating(asked, START_RATING, find(stored));
            assert_eq!(derived.rating, Rating { mean, deviation }, "{asked} with {stored:?}");
            assert_eq!(derived.is_stored, stored.iter().any(|row| row.0 == asked), "{asked} with {stored:?}");
        }
    }

    #[test]
    fn initializers_that_lead_nowhere_give_the_start_rating() {
        let start = Rating { mean: 1000.0, deviation: 400.0 };
        let cycle = boards(&[("a", Some(2)), ("b", Some(1)), ("itself", Some(3)), ("lost", Some(9))]);
        for name in ["a", "b", "itself", "lost", "unknown"] {
            let derived = cycle.rating(name, start, |_| None);
            assert_eq!(derived, Derived { rating: start, is_stored: false }, "{name}");
        }
        let derived = cycle.rating("a", start, find(&[("b", 700.0, 60.0)]));
        assert_eq!(derived.rating, Rating { mean: 700.0, deviation: 210.0 });
    }

    #[test]
    fn a_chain_of_initializers_is_followed_to_its_end() {
        let chain = boards(&[("a", Some(2)), ("b", Some(3)), ("c", Some(4)), ("d", None)]);
        let derived = chain.rating("a", START_RATING, find(&[("d", 700.0, 60.0)]));
        assert_eq!(derived.rating, Rating { mean: 700.0, deviation: 210.0 });
    }

    /// Leaderboards given by name and initializer, numbered from 1.
    fn boards(rows: &[(&str, Option<u32>)]) -> Leaderboards {
        let board = |(id, (name, initializer)): (u32, &(&str, Option<u32>))| Leaderboard {
            id,
            name: (*name).to_owned(),
            initializer: *initializer,
        };
        Leaderboards::new((1..).zip(rows).map(board).collect())
    }

    fn find(stored: &[(&str, f64, f64)]) -> impl Fn(&str) -> Option<Rating> {
        move |name| {
            let row = stored.iter().find(|row| row.0 == name)?;
            Some(Rating { mean: row.1, deviation: row.2 })
        }
    }
}
