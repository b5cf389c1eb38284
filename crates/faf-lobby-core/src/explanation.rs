//! The steps that lead to a game being rated or not, for operators; in matches, also how they were
//! made.

mod match_made;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::results::{Outcome, TeamRule};
use crate::validity::{Check, Validity};

pub use match_made::{MatchMade, MatchedSearch, WeighedMap};

/// One step on the way of a game to its rating. Displays as a line of text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The matchmaker made the match that was played in the game.
    Matched(Box<MatchMade>),
    /// The game was launched.
    Launched {
        /// Time of the launch.
        at: Timestamp,
        /// Number of players, without observers.
        players: usize,
    },
    /// A rule was checked.
    Check(Check),
    /// All others had long agreed on the result, so the game ended without waiting for
    /// these players.
    NotWaitedFor {
        /// Names of the players who had not ended the game.
        players: Vec<String>,
    },
    /// The game has ended.
    Ended {
        /// Time of the end.
        at: Timestamp,
    },
    /// Reports of observers did not count, as players have reported.
    Ignored {
        /// Number of reports that did not count.
        reports: usize,
    },
    /// The reports about one army were counted.
    Army {
        /// Name of the player with this army.
        player: String,
        /// Number of the army.
        army: i64,
        /// Outcome that follows from the reports.
        outcome: Outcome,
        /// Number of players who reported each outcome.
        votes: BTreeMap<Outcome, usize>,
        /// Score of the army.
        score: i64,
    },
    /// The outcomes of the teams were decided.
    Teams {
        /// Rule that decided.
        rule: TeamRule,
    },
    /// The game is rated.
    Rated {
        /// Technical name of the leaderboard.
        leaderboard: String,
    },
    /// The game is not rated.
    NotRated {
        /// Reason why the game is not rated.
        validity: Validity,
    },
    /// The game should have been rated, but rating it failed.
    RatingFailed {
        /// Reason of the failure.
        reason: String,
    },
}

impl Decision {
    /// Returns it as lines of text. These are several only for a match.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Matched(made) => made.lines(),
            other => vec![other.to_string()],
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matched(made) => made.fmt(f),
            Self::Launched { at, players } => write!(f, "launched at {at} with {players} players"),
            Self::Check(check) => {
                let word = if check.is_hit { "hit" } else { "ok" };
                write!(f, "{word:>4}  {}: {}", check.validity, check.detail)
            }
            Self::NotWaitedFor { players } => {
                write!(
                    f,
                    "all others agree on the result, so the game did not wait for {}",
                    players.join(", ")
                )
            }
            Self::Ended { at } => write!(f, "ended at {at}"),
            Self::Ignored { reports } => {
                write!(f, "{reports} reports of observers do not count, as players have reported")
            }
            Self::Army { player, army, outcome, votes, score } => {
                write!(f, "army {army} of {player}: {}, score {score};", outcome.as_str())?;
                if votes.is_empty() {
                    return f.write_str(" no reports");
                }
                for (number, (outcome, count)) in votes.iter().enumerate() {
                    let separator = if number == 0 { " reported" } else { "," };
                    write!(f, "{separator} {} by {count}", outcome.as_str())?;
                }
                Ok(())
            }
            Self::Teams { rule } => write!(f, "teams: {rule}"),
            Self::Rated { leaderboard } => write!(f, "rated on {leaderboard}"),
            Self::NotRated { validity } => write!(f, "not rated: {validity}"),
            Self::RatingFailed { reason } => write!(f, "rating failed: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_read_as_sentences() {
        let army = |votes: &[(Outcome, usize)]| Decision::Army {
            player: "Ada".to_owned(),
            army: 1,
            outcome: Outcome::Victory,
            votes: votes.iter().copied().collect(),
            score: 10,
        };
        assert_eq!(
            army(&[(Outcome::Victory, 2), (Outcome::Defeat, 1)]).to_string(),
            "army 1 of Ada: VICTORY, score 10; reported VICTORY by 2, DEFEAT by 1"
        );
        assert_eq!(army(&[]).to_string(), "army 1 of Ada: VICTORY, score 10; no reports");
        let players = vec!["Ada".to_owned(), "Bob".to_owned()];
        assert_eq!(
            Decision::NotWaitedFor { players }.to_string(),
            "all others agree on the result, so the game did not wait for Ada, Bob"
        );
        assert_eq!(
            Decision::Ignored { reports: 4 }.to_string(),
            "4 reports of observers do not count, as players have reported"
        );
        assert_eq!(Decision::NotRated { validity: Validity::TooShort }.to_string(), "not rated: TOO_SHORT");
    }
}
