use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use super::{Outcome, Reports};

/// The `Team` of players who have none: each is on his own.
pub(crate) const NO_TEAM: i64 = 1;

/// A player of a game that was launched, as the host set him up. Observers are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The player.
    pub player: PlayerId,
    /// The option `Army`, if the host sent it.
    pub army: Option<i64>,
    /// The option `Team`, if the host sent it; 1 is "no team", the first real team is 2.
    pub team: Option<i64>,
}

/// How all teams of a game fared, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The teams by their number, then the players without one by their id.
    pub teams: Vec<ResolvedTeam>,
    /// Which rule decided.
    pub rule: TeamRule,
}

/// How one team fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedTeam {
    /// Victory, defeat or draw; unknown for all teams of the game if it is unresolved.
    pub outcome: Outcome,
    /// Its players by their id.
    pub players: Vec<PlayerId>,
}

/// The rules by which the outcome of teams follows from that of their players, in the order they
/// are tried (game-results.md section 3). Its text is a sentence for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamRule {
    /// Unresolved: the host never said in which team a player is (game-results.md R11).
    PlayerWithoutTeam,
    /// Unresolved: there are not two teams.
    NotTwoTeams,
    /// Unresolved: both teams have a player who won.
    BothWon,
    /// Only one team has a player who won: it won, whatever else its players or the others did.
    OneWon,
    /// Both teams have a player whose game was a draw: draw.
    BothDrew,
    /// Unresolved: only one team has a player whose game was a draw.
    OneDrew,
    /// Unresolved: the outcome of a player is unknown or conflicting.
    Unclear,
    /// All players lost: draw.
    AllLost,
}

/// How the teams fared (game-results.md section 3, without the override for the matchmaker).
///
/// At most one team has won, and if so the other has lost.
#[must_use]
pub fn resolve_teams(participants: &[Participant], reports: &Reports) -> Resolution {
    resolve(participants, |participant| reports.verdict_of(participant).outcome)
}

/// How the teams fared if their players fared so.
pub(super) fn resolve(participants: &[Participant], outcome: impl Fn(&Participant) -> Outcome) -> Resolution {
    let teams = group(participants);
    let outcomes: Vec<BTreeSet<Outcome>> =
        teams.iter().map(|team| team.iter().map(|participant| outcome(participant)).collect()).collect();
    let rule = if participants.iter().any(|participant| participant.team.is_none()) {
        TeamRule::PlayerWithoutTeam
    } else {
        TeamRule::matching(&outcomes)
    };
    let teams = teams
        .iter()
        .zip(&outcomes)
        .map(|(team, outcomes)| ResolvedTeam {
            outcome: rule.outcome(outcomes),
            players: team.iter().map(|participant| participant.player).collect(),
        })
        .collect();
    Resolution { teams, rule }
}

impl Resolution {
    /// Whether it is known how the teams fared.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.rule.is_resolved()
    }
}

impl TeamRule {
    /// Whether the rule gives the teams an outcome other than unknown.
    #[must_use]
    pub fn is_resolved(self) -> bool {
        matches!(self, Self::OneWon | Self::BothDrew | Self::AllLost)
    }

    /// The first rule that matches the outcomes of each team's players.
    fn matching(teams: &[BTreeSet<Outcome>]) -> Self {
        let [one, other] = teams else { return Self::NotTwoTeams };
        let with = |outcome| [one, other].into_iter().filter(|team| team.contains(&outcome)).count();
        match (with(Outcome::Victory), with(Outcome::Draw)) {
            (2, _) => Self::BothWon,
            (1, _) => Self::OneWon,
            (_, 2) => Self::BothDrew,
            (_, 1) => Self::OneDrew,
            _ if with(Outcome::Unknown) + with(Outcome::Conflicting) > 0 => Self::Unclear,
            _ => Self::AllLost,
        }
    }

    /// The outcome of a team whose players have these outcomes.
    fn outcome(self, players: &BTreeSet<Outcome>) -> Outcome {
        match self {
            Self::OneWon if players.contains(&Outcome::Victory) => Outcome::Victory,
            Self::OneWon => Outcome::Defeat,
            Self::BothDrew | Self::AllLost => Outcome::Draw,
            Self::PlayerWithoutTeam | Self::NotTwoTeams | Self::BothWon | Self::OneDrew | Self::Unclear => {
                Outcome::Unknown
            }
        }
    }
}

impl fmt::Display for TeamRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlayerWithoutTeam => "unresolved: the host did not say in which team every player is",
            Self::NotTwoTeams => "unresolved: there are not exactly two teams",
            Self::BothWon => "unresolved: players of both teams won",
            Self::OneWon => "only one team has players who won, so it won and the other lost",
            Self::BothDrew => "both teams have players whose game was a draw, so it is a draw",
            Self::OneDrew => "unresolved: only one team has players whose game was a draw",
            Self::Unclear => "unresolved: the outcome of at least one player is unknown or conflicting",
            Self::AllLost => "all players lost, so it is a draw",
        })
    }
}

/// The teams by their number, then everybody who is on his own by id; players within a team by id.
pub(crate) fn group(participants: &[Participant]) -> Vec<Vec<&Participant>> {
    let mut by_id: Vec<&Participant> = participants.iter().collect();
    by_id.sort_by_key(|participant| participant.player);
    let mut teams = BTreeMap::<i64, Vec<&Participant>>::new();
    let mut alone = Vec::new();
    for participant in by_id {
        match participant.team {
            None | Some(NO_TEAM) => alone.push(vec![participant]),
            Some(team) => teams.entry(team).or_default().push(participant),
        }
    }
    teams.into_values().chain(alone).collect()
}

#[cfg(test)]
mod tests;
