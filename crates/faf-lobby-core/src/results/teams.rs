use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use super::{Outcome, Reports};

/// The `Team` of players without a team.
pub(crate) const NO_TEAM: i64 = 1;

/// A player of a launched game, as the host set them up. Observers are not participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Id of the player.
    pub player: PlayerId,
    /// The option `Army`, if the host sent it.
    pub army: Option<i64>,
    /// The option `Team`, if the host sent it; 1 is "no team", the first real team is 2.
    pub team: Option<i64>,
}

/// The outcomes of all teams of a game, and the rule that decided them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Teams ordered by number, then players without a team ordered by id.
    pub teams: Vec<ResolvedTeam>,
    /// Rule that decided.
    pub rule: TeamRule,
}

/// The outcome of one team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedTeam {
    /// Victory, defeat or draw; unknown for all teams if the game is unresolved.
    pub outcome: Outcome,
    /// Players of the team, ordered by id.
    pub players: Vec<PlayerId>,
}

/// The rules that derive the outcomes of teams from those of their players, in the order in which
/// they are tried (game-results.md section 3). `Display` gives a sentence for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamRule {
    /// Unresolved: the host never set the team of a player (game-results.md R11).
    PlayerWithoutTeam,
    /// Unresolved: the number of teams is not two.
    NotTwoTeams,
    /// Unresolved: both teams have a player who won.
    BothWon,
    /// Only one team has a player who won, so it won, whatever the outcomes of all others.
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

/// Resolves the teams of a game (game-results.md section 3, without the override for
/// the matchmaker).
///
/// At most one team wins, and then the other loses.
#[must_use]
pub fn resolve_teams(participants: &[Participant], reports: &Reports) -> Resolution {
    resolve(participants, |participant| reports.verdict_of(participant).outcome)
}

/// Resolves the teams, given the outcome of each player.
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
    /// Returns whether the outcomes of the teams are known.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.rule.is_resolved()
    }
}

impl TeamRule {
    /// Returns whether the rule gives the teams an outcome other than unknown.
    #[must_use]
    pub fn is_resolved(self) -> bool {
        matches!(self, Self::OneWon | Self::BothDrew | Self::AllLost)
    }

    /// The first rule that matches the outcomes of each team's players.
    fn matching(teams: &[BTreeSet<Outcome>]) -> Self {
        let [one, other] = teams else { return Self::NotTwoTeams };
        let teams_with = |outcome| [one, other].into_iter().filter(|team| team.contains(&outcome)).count();
        match (teams_with(Outcome::Victory), teams_with(Outcome::Draw)) {
            (2, _) => Self::BothWon,
            (1, _) => Self::OneWon,
            (_, 2) => Self::BothDrew,
            (_, 1) => Self::OneDrew,
            _ if teams_with(Outcome::Unknown) + teams_with(Outcome::Conflicting) > 0 => Self::Unclear,
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

/// Groups players by team: teams ordered by number, then players without a team, each alone and
/// ordered by id. Players within a team are ordered by id.
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
