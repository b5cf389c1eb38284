use std::collections::BTreeSet;

use faf_protocol::json::JsonRef;

use crate::game_options::{GameKind, GameOptions, VictoryCondition};
use crate::results::{NO_TEAM, Participant, group};

use super::{Check, Validity};

/// Maximum number of characters of an option's value in the detail of a check. All values that
/// occur fit, and a detail stays on one line.
const SHOWN_MAX: usize = 80;

/// Facts about a game at its launch, as the rules need them.
#[derive(Debug, Clone, Copy)]
pub struct LaunchFacts<'a> {
    /// Kind of the game.
    pub kind: GameKind,
    /// Options of the game.
    pub options: &'a GameOptions,
    /// Players of the game, without observers.
    pub participants: &'a [Participant],
    /// Whether there is an AI in the lobby.
    pub has_ai: bool,
    /// The uid of an active mod that is not ranked, if there is one.
    pub unranked_mod: Option<&'a str>,
    /// Whether the map is ranked.
    pub map_is_ranked: bool,
}

/// The verdict on a game at its launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchChecks {
    /// Validity of the game from now on.
    pub validity: Validity,
    /// Rules that were checked, in order. The last one that hit decided.
    pub checks: Vec<Check>,
}

/// Checks whether a game counts as it is launched (game-results.md section 5, "Order at launch").
///
/// The map comes first, except in co-op games, where any map will do. Then the other rules are
/// checked up to the first one that hits, which says more about the game than the map does.
#[must_use]
pub fn check_at_launch(facts: &LaunchFacts<'_>) -> LaunchChecks {
    let mut checks = Vec::new();
    if Validity::initial(facts.kind) == Validity::Valid {
        checks.push(Rule::Map.check(facts));
    }
    for rule in rules(facts.kind) {
        let check = rule.check(facts);
        let is_hit = check.is_hit;
        checks.push(check);
        if is_hit {
            break;
        }
    }
    let decisive = checks.iter().rfind(|check| check.is_hit);
    LaunchChecks { validity: decisive.map_or(Validity::initial(facts.kind), |check| check.validity), checks }
}

/// A condition that a game must meet to count.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Map,
    Mods,
    NoAi,
    TwoTeams,
    NoFreeForAll,
    /// An option must have a certain value.
    Option(Validity, &'static str, Must),
    ManyPlayers,
    EvenTeams,
    Victory(&'static [VictoryCondition]),
}

/// The value that an option must have.
#[derive(Debug, Clone, Copy)]
enum Must {
    BeOff,
    BeOn,
    /// This text exactly.
    Be(&'static str),
    /// The number 0 or `false`, but not a text.
    BeZero,
    /// The number 3, or a text of it (game-results.md R10).
    BeThree,
}

/// The rules for a kind of game, in order, except for the one on the map.
fn rules(kind: GameKind) -> impl Iterator<Item = &'static Rule> {
    const FIRST: [Rule; 3] = [Rule::Mods, Rule::NoAi, Rule::TwoTeams];
    const OPTIONS: [Rule; 8] = [
        Rule::Option(Validity::HasAiPlayers, "AIReplacement", Must::BeOff),
        Rule::Option(Validity::CheatsEnabled, "CheatsEnabled", Must::BeOff),
        Rule::Option(Validity::NoFogOfWar, "FogOfWar", Must::Be("explored")),
        Rule::Option(Validity::NorushEnabled, "NoRushOption", Must::BeOff),
        Rule::Option(Validity::PrebuiltEnabled, "PrebuiltUnits", Must::BeOff),
        Rule::Option(Validity::BadUnitRestrictions, "RestrictedCategories", Must::BeZero),
        Rule::Option(Validity::UnlockedTeams, "TeamLock", Must::Be("locked")),
        Rule::Option(Validity::HostSetUnranked, "Unranked", Must::BeOff),
    ];
    // Since 2025 missions for three or more players count, and their players have no team.
    const CUSTOM_BEFORE_OPTIONS: [Rule; 1] = [Rule::NoFreeForAll];
    const CUSTOM: [Rule; 3] = [
        Rule::ManyPlayers,
        Rule::EvenTeams,
        Rule::Victory(&[VictoryCondition::Demoralization, VictoryCondition::Decapitation]),
    ];
    const COOP: [Rule; 5] = [
        Rule::Victory(&[VictoryCondition::Sandbox]),
        Rule::Option(Validity::SpawnNotFixed, "TeamSpawn", Must::Be("fixed")),
        Rule::Option(Validity::CiviliansRevealed, "RevealedCivilians", Must::BeOff),
        Rule::Option(Validity::WrongDifficulty, "Difficulty", Must::BeThree),
        Rule::Option(Validity::ExpansionDisabled, "Expansion", Must::BeOn),
    ];
    let parts: [&'static [Rule]; 4] = match kind {
        GameKind::Custom | GameKind::Matchmaker => [&FIRST, &CUSTOM_BEFORE_OPTIONS, &OPTIONS, &CUSTOM],
        GameKind::Coop => [&FIRST, &[], &OPTIONS, &COOP],
    };
    parts.into_iter().flatten()
}

impl Rule {
    fn check(self, facts: &LaunchFacts<'_>) -> Check {
        let (is_hit, detail) = self.evaluate(facts);
        Check { validity: self.validity(), is_hit, detail }
    }

    fn validity(self) -> Validity {
        match self {
            Self::Map => Validity::BadMap,
            Self::Mods => Validity::BadMod,
            Self::NoAi => Validity::HasAiPlayers,
            Self::TwoTeams => Validity::MultiTeam,
            Self::NoFreeForAll => Validity::FfaNotRanked,
            Self::Option(validity, ..) => validity,
            Self::ManyPlayers => Validity::SinglePlayer,
            Self::EvenTeams => Validity::UnevenTeamsNotRanked,
            Self::Victory(_) => Validity::WrongVictoryCondition,
        }
    }

    /// Returns whether the rule hits, and the detail for operators.
    fn evaluate(self, facts: &LaunchFacts<'_>) -> (bool, String) {
        let players = facts.participants.len();
        // The detail has the value in both cases, so that operators see why a game passed, too.
        match self {
            Self::Map => {
                let word = if facts.map_is_ranked { "ranked" } else { "not ranked" };
                (!facts.map_is_ranked, format!("the map is {word}"))
            }
            Self::Mods => match facts.unranked_mod {
                Some(uid) => (true, format!("the mod {} is not ranked", shown(&format!("{uid:?}")))),
                None => (false, "all mods are ranked".to_owned()),
            },
            Self::NoAi => {
                let word = if facts.has_ai { "an" } else { "no" };
                (facts.has_ai, format!("there is {word} AI"))
            }
            Self::TwoTeams => {
                let teams: BTreeSet<i64> =
                    facts.participants.iter().filter_map(|participant| participant.team).collect();
                let is_hit = teams.len() > 2;
                let limit = if is_hit { ", at most 2 are allowed" } else { "" };
                (is_hit, format!("there are {} different values of Team{limit}", teams.len()))
            }
            Self::NoFreeForAll => {
                let alone = facts.participants.iter().filter(|one| one.team == Some(NO_TEAM)).count();
                (players >= 3 && alone > 0, format!("{alone} of {players} players have no team"))
            }
            Self::Option(_, key, must) => must.evaluate(key, facts.options),
            Self::ManyPlayers => {
                let is_hit = players < 2;
                let limit = if is_hit { ", there must be at least 2" } else { "" };
                (is_hit, format!("players: {players}{limit}"))
            }
            Self::EvenTeams => even_teams(facts.participants),
            Self::Victory(allowed) => {
                let victory = facts.options.victory();
                let is_hit = !allowed.contains(&victory);
                let names: Vec<_> = allowed.iter().map(|condition| condition.as_str()).collect();
                let requirement =
                    if is_hit { format!(", must be {}", names.join(" or ")) } else { String::new() };
                (is_hit, format!("Victory is {victory}{requirement}"))
            }
        }
    }
}

/// Checks that all teams have the same size. Two players without a team are two even teams; two
/// players of one team are not.
fn even_teams(participants: &[Participant]) -> (bool, String) {
    if let Some(one) = participants.iter().find(|participant| participant.team.is_none()) {
        return (true, format!("Team of player {} is not set", one.player));
    }
    let sizes: Vec<usize> = group(participants).iter().map(Vec::len).collect();
    let is_even = sizes.len() > 1 && sizes.iter().all(|size| *size == sizes[0]);
    let words: Vec<_> = sizes.iter().map(usize::to_string).collect();
    let requirement = if is_even { "" } else { ", there must be several of the same size" };
    (!is_even, format!("sizes of the teams: {}{requirement}", words.join(", ")))
}

impl Must {
    fn evaluate(self, key: &str, options: &GameOptions) -> (bool, String) {
        let value = options.get(key).map(|value| value.as_ref());
        let is_met = match self {
            Self::BeOff => options.is_off(key),
            Self::BeOn => options.is_on(key),
            Self::Be(text) => value.and_then(JsonRef::as_str).is_some_and(|value| value == text),
            Self::BeZero => value.is_some_and(|value| value.parse() == Ok(false) || value.parse() == Ok(0.0)),
            Self::BeThree => value.is_some_and(|value| match value.as_str() {
                Some(text) => text.trim().parse() == Ok(3.0),
                None => value.parse() == Ok(3.0),
            }),
        };
        let found = value.map_or("not set".to_owned(), |value| shown(value.text()));
        let requirement = match self {
            _ if is_met => String::new(),
            Self::BeOff => ", must be off".to_owned(),
            Self::BeOn => ", must be on".to_owned(),
            Self::Be(text) => format!(", must be {text:?}"),
            Self::BeZero => ", must be 0".to_owned(),
            Self::BeThree => ", must be 3".to_owned(),
        };
        (!is_met, format!("{key} is {found}{requirement}"))
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
