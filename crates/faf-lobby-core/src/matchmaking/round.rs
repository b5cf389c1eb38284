//! A round of a queue: matches, and a reason for each search without one (matchmaking.md
//! section 4).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::pairs;
use super::teams::{self, GameQuality};
use super::{Candidate, MatchmakingSettings};

/// The part of a queue that a round depends on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QueueRules {
    /// Number of players in each of the two teams; at least 1.
    pub team_size: u32,
    /// The usual displayed rating on the leaderboard, in rating points: the farther from it
    /// players are, the fewer opponents they find. Only games of teams depend on it.
    pub rating_peak: f64,
}

/// The result of a round. Each candidate is in exactly one match or unmatched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// Matches: pairs in the order in which their proposers came (M22), games of teams by
    /// falling quality.
    pub matches: Vec<Match>,
    /// All others: in the order in which they came if teams have one player, otherwise by rising
    /// average rating.
    pub unmatched: Vec<Unmatched>,
}

/// Two teams that play.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Positions of the candidates of each team. The first player of the first candidate of the
    /// first team is the host.
    pub teams: [Vec<usize>; 2],
    /// How good the match is, and why.
    pub quality: MatchQuality,
}

/// The quality of a match and the numbers from which it results.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchQuality {
    /// Of one player against another.
    Pair(PairQuality),
    /// Of teams.
    Teams(GameQuality),
}

impl MatchQuality {
    /// Returns the quality as one number; 1 or more is good. Those of pairs and of teams are
    /// not comparable.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Pair(pair) => pair.quality,
            Self::Teams(game) => game.quality,
        }
    }
}

impl fmt::Display for MatchQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pair(PairQuality { quality, thresholds: [one, other] }) => {
                write!(f, "{quality:.3}, where {one:.3} and {other:.3} were needed")
            }
            Self::Teams(game) => write!(f, "{:.3} ({game})", game.quality),
        }
    }
}

/// The quality of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairQuality {
    /// TrueSkill quality, from 0 to 1.
    pub quality: f64,
    /// Lowest quality to which each of the two agreed, in the order of the teams.
    pub thresholds: [f64; 2],
}

/// A candidate that found no match.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unmatched {
    /// Position of the candidate.
    pub candidate: usize,
    /// Why it found none.
    pub reason: UnmatchedReason,
}

/// The reason why a candidate found no match. `Display` gives a sentence that names nobody and
/// tells nobody's rating.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnmatchedReason {
    /// Too few players are in the queue.
    TooFewPlayers {
        /// Number of players in the queue whose parties fit into a team.
        waiting: u32,
        /// Number of players in a match.
        needed: u32,
    },
    /// The party is larger than a team: the team size of the queue was lowered after it came.
    PartyTooLarge {
        /// Number of players in the party.
        size: u32,
        /// Number of players in a team.
        team_size: u32,
    },

    /// Pairs: no opponent that the candidate was compared with reaches the candidate's
    /// own threshold.
    BelowThreshold {
        /// Position of the best of these opponents.
        opponent: usize,
        /// Quality of a match with this opponent.
        quality: f64,
        /// The candidate's threshold.
        threshold: f64,
    },
    /// Pairs: some opponents reach the candidate's threshold, but the candidate reaches none
    /// of theirs.
    RefusedByOpponents {
        /// Position of the opponent that is closest to agreeing.
        opponent: usize,
        /// Quality of a match with this opponent.
        quality: f64,
        /// Threshold of this opponent.
        threshold: f64,
    },
    /// Pairs: all opponents with whom a match was possible play others.
    OpponentsPlayOthers {
        /// Position of the best of these opponents.
        opponent: usize,
        /// Quality that a match with this opponent would have had.
        quality: f64,
    },
    /// Pairs: an opponent with whom a match was possible is left as well, but the round was over
    /// before they met (M17).
    RoundEnded {
        /// Position of the best of these opponents.
        opponent: usize,
        /// Quality that a match with this opponent would have had.
        quality: f64,
    },

    /// Teams: the sizes of the parties around the candidate do not add up to two teams.
    NoFullGame,
    /// Teams: the parties around the candidate cannot be split into two teams of equal size.
    UnevenTeams,
    /// Teams: the best game with the candidate is not good enough.
    GameTooPoor {
        /// Quality of that game, term by term.
        quality: GameQuality,
        /// Lowest quality of a game.
        minimum: f64,
    },
    /// Teams: the games with the candidate that were good enough had players in them who play a
    /// better one.
    OthersPlayBetterGames {
        /// Quality of the best of these games, term by term.
        quality: GameQuality,
    },
}

impl UnmatchedReason {
    /// Returns how much quality was missing; `None` if the reason is another.
    #[must_use]
    pub fn shortfall(self) -> Option<f64> {
        match self {
            Self::BelowThreshold { quality, threshold, .. }
            | Self::RefusedByOpponents { quality, threshold, .. } => Some(threshold - quality),
            Self::GameTooPoor { quality, minimum } => Some(minimum - quality.quality),
            Self::TooFewPlayers { .. }
            | Self::PartyTooLarge { .. }
            | Self::OpponentsPlayOthers { .. }
            | Self::RoundEnded { .. }
            | Self::NoFullGame
            | Self::UnevenTeams
            | Self::OthersPlayBetterGames { .. } => None,
        }
    }

    /// Returns the reason in few words without numbers, so that it can be counted.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::TooFewPlayers { .. } => "too few players",
            Self::PartyTooLarge { .. } => "the party is larger than a team",
            Self::BelowThreshold { .. } => "no opponent is close enough",
            Self::RefusedByOpponents { .. } => "opponents wait for a closer match",
            Self::OpponentsPlayOthers { .. } => "all possible opponents play others",
            Self::RoundEnded { .. } => "the round was over before a possible match was tried",
            Self::NoFullGame => "the parties nearby do not add up to two full teams",
            Self::UnevenTeams => "the parties nearby cannot be split into two teams of equal size",
            Self::GameTooPoor { .. } => "no game is even enough",
            Self::OthersPlayBetterGames { .. } => "other games were better",
        }
    }
}

impl fmt::Display for UnmatchedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::TooFewPlayers { waiting, needed } => {
                write!(f, "{kind}: {waiting} of {needed} are in the queue")
            }
            Self::PartyTooLarge { size, team_size } => {
                write!(f, "the party has {size} players, but a team of this queue has {team_size}")
            }
            Self::BelowThreshold { quality, threshold, .. } => write!(
                f,
                "{kind}: the best match has a quality of {quality:.3}, and {threshold:.3} is needed"
            ),
            Self::RefusedByOpponents { quality, threshold, .. } => {
                write!(f, "{kind}: the best has a quality of {quality:.3}, and {threshold:.3} is needed")
            }
            Self::OpponentsPlayOthers { quality, .. } => {
                write!(f, "{kind}: the best match would have had a quality of {quality:.3}")
            }
            Self::RoundEnded { quality, .. } => write!(
                f,
                "the round was over before a possible match with a quality of {quality:.3} was tried"
            ),
            Self::NoFullGame | Self::UnevenTeams => f.write_str(kind),
            Self::GameTooPoor { quality, minimum } => write!(
                f,
                "{kind}: the best has a quality of {:.3}, and {minimum:.3} is needed ({quality})",
                quality.quality
            ),
            Self::OthersPlayBetterGames { quality } => {
                write!(f, "{kind}: the best with this party has a quality of {:.3}", quality.quality)
            }
        }
    }
}

/// Plays one round of a queue: decides who of the candidates, given in the order in which their
/// searches began, plays whom.
///
/// Positions in the result are positions in `candidates`. A party is never split, and nobody is
/// in two matches. Parties larger than a team take no part, and are not counted among the players
/// who wait.
///
/// The time grows with the number of candidates, not with its square; reasons cost no more than
/// the matches.
#[must_use]
pub fn play_round(candidates: &[Candidate], queue: QueueRules, settings: &MatchmakingSettings) -> Round {
    let team_size = queue.team_size;
    let (taking_part, too_large): (Vec<usize>, Vec<usize>) =
        (0..candidates.len()).partition(|&candidate| candidates[candidate].size() <= team_size);

    let mut round = if team_size == 1 {
        pairs::play(candidates, &taking_part)
    } else {
        teams::play(candidates, &taking_part, queue, settings)
    };
    let waiting = taking_part.iter().map(|&candidate| candidates[candidate].size()).sum();
    let needed = team_size.saturating_mul(2);
    if waiting < needed {
        // No match can have been made, but the order of the unmatched is that of any other round.
        for unmatched in &mut round.unmatched {
            unmatched.reason = UnmatchedReason::TooFewPlayers { waiting, needed };
        }
    }
    round.unmatched.extend(too_large.into_iter().map(|candidate| {
        let size = candidates[candidate].size();
        Unmatched { candidate, reason: UnmatchedReason::PartyTooLarge { size, team_size } }
    }));
    round
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_sentences() {
        let quality = GameQuality {
            imbalance: 0.1,
            spread: 0.8,
            time_bonus: 0.01,
            newbie_bonus: 0.0,
            minority_bonus: 0.002,
            quality: 0.206,
        };
        for (reason, sentence) in [
            (
                UnmatchedReason::TooFewPlayers { waiting: 3, needed: 8 },
                "too few players: 3 of 8 are in the queue",
            ),
            (
                UnmatchedReason::BelowThreshold { opponent: 1, quality: 0.5, threshold: 0.7599 },
                "no opponent is close enough: the best match has a quality of 0.500, and 0.760 is needed",
            ),
            (
                UnmatchedReason::RefusedByOpponents { opponent: 1, quality: 0.5, threshold: 0.7599 },
                "opponents wait for a closer match: the best has a quality of 0.500, and 0.760 is needed",
            ),
            (
                UnmatchedReason::GameTooPoor { quality, minimum: 0.4 },
                "no game is even enough: the best has a quality of 0.206, and 0.400 is needed (imbalance 0.100, \
                 spread 0.800, bonus for waiting 0.010, for newbies 0.000, for ratings far from the peak 0.002)",
            ),
        ] {
            assert_eq!(reason.to_string(), sentence);
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<UnmatchedReason>(&json).unwrap(), reason);
        }
    }
}
