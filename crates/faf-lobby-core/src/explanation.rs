//! Why a game is rated or not, step by step, for operators.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::results::{Outcome, TeamRule};
use crate::validity::{Check, Validity};

/// One step on the way from the launch of a game to its rating. It displays as a line of text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The game was launched.
    Launched {
        /// The time.
        at: Timestamp,
        /// Number of players.
        players: usize,
    },
    /// A rule was looked at.
    Check(Check),
    /// All others had agreed on the result for long, so the game ended without these.
    NotWaitedFor {
        /// Names of those who had not ended it.
        players: Vec<String>,
    },
    /// The game has ended.
    Ended {
        /// The time.
        at: Timestamp,
    },
    /// Reports of those who only watched did not count, as players have reported.
    Ignored {
        /// Number of reports.
        reports: usize,
    },
    /// The reports about one army were counted.
    Army {
        /// Whose it is.
        player: String,
        /// Its number.
        army: i64,
        /// What follows from the reports.
        outcome: Outcome,
        /// How many players reported what.
        votes: BTreeMap<Outcome, usize>,
        /// Its score.
        score: i64,
    },
    /// It was decided who has won.
    Teams {
        /// The rule.
        rule: TeamRule,
    },
    /// The game is rated.
    Rated {
        /// The leaderboard.
        leaderboard: String,
    },
    /// The game is not rated.
    NotRated {
        /// The reason, as a code.
        validity: Validity,
    },
    /// The rating itself could not be done.
    RatingFailed {
        /// The reason.
        reason: String,
    },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launched { at, players } => write!(f, "launched at {at} with {players} players"),
            Self::Check(check) => {
                let word = if check.is_hit { "hit" } else { "ok" };
                write!(f, "{word:>4}  {}: {}", check.validity, check.detail)
            }
            Self::NotWaitedFor { players } => {
                write!(f, "all others agree on the result, so it does not wait for {}", players.join(", "))
            }
            Self::Ended { at } => write!(f, "ended at {at}"),
            Self::Ignored { reports } => {
                write!(f, "{reports} reports of observers do not count, as players have reported")
            }
            Self::Army { player, army, outcome, votes, score } => {
                write!(f, "army {army} of {player}: {}, score {score}; reported", outcome.as_str())?;
                if votes.is_empty() {
                    return f.write_str(" by nobody");
                }
                for (number, (outcome, count)) in votes.iter().enumerate() {
                    let separator = if number == 0 { "" } else { "," };
                    write!(f, "{separator} {} by {count}", outcome.as_str())?;
                }
                Ok(())
            }
            Self::Teams { rule } => write!(f, "teams: {rule}"),
            Self::Rated { leaderboard } => write!(f, "rated on {leaderboard}"),
            Self::NotRated { validity } => write!(f, "not rated: {validity}"),
            Self::RatingFailed { reason } => write!(f, "not rated after all: {reason}"),
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
        assert_eq!(army(&[]).to_string(), "army 1 of Ada: VICTORY, score 10; reported by nobody");
        let players = vec!["Ada".to_owned(), "Bob".to_owned()];
        assert_eq!(
            Decision::NotWaitedFor { players }.to_string(),
            "all others agree on the result, so it does not wait for Ada, Bob"
        );
        assert_eq!(
            Decision::Ignored { reports: 4 }.to_string(),
            "4 reports of observers do not count, as players have reported"
        );
        assert_eq!(Decision::NotRated { validity: Validity::TooShort }.to_string(), "not rated: TOO_SHORT");
    }
}
