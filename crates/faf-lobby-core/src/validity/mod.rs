//! Whether a game counts for ratings or for the leaderboard of co-op missions (game-results.md
//! sections 4, 5 and 7).
//!
//! [`check_at_launch`] checks how the game was set up, [`check_at_end`] how it went. Both return
//! every rule that they checked with what they found, so that operators can see why a game did
//! not count.

mod end;
mod launch;

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use end::{DESYNCS_MAX, EndChecks, EndFacts, Results, SHORT_PER_PLAYER, check_at_end, is_short};
pub use launch::{LaunchChecks, LaunchFacts, check_at_launch};

use crate::game_options::GameKind;

/// Whether a game counts, or the reason why it does not (game-results.md section 5).
///
/// The numbers are those of `game_stats.validity` and never change. Serialised by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Validity {
    /// The game counts.
    #[default]
    Valid = 0,
    /// The simulations of the players drifted apart.
    TooManyDesyncs = 1,
    /// The victory condition is not one that counts for this kind of game.
    WrongVictoryCondition = 2,
    /// The fog of war is not the usual one.
    NoFogOfWar = 3,
    /// Cheats are allowed.
    CheatsEnabled = 4,
    /// Players begin with buildings.
    PrebuiltEnabled = 5,
    /// Players may not attack for some time.
    NorushEnabled = 6,
    /// Some units cannot be built.
    BadUnitRestrictions = 7,
    /// The map is not ranked.
    BadMap = 8,
    /// The game ended too early.
    TooShort = 9,
    /// A mod is not ranked.
    BadMod = 10,
    /// A co-op game that meets all rules: it counts for the leaderboard, but never for ratings.
    CoopNotRanked = 11,
    /// Both sides agreed on a draw. Only in old games.
    MutualDraw = 12,
    /// There is only one player.
    SinglePlayer = 13,
    /// A free-for-all: players without a team in a game of three or more.
    FfaNotRanked = 14,
    /// The teams are not of the same size.
    UnevenTeamsNotRanked = 15,
    /// The winner is not known.
    UnknownResult = 16,
    /// Teams may change during the game.
    UnlockedTeams = 17,
    /// There are more than two teams.
    MultiTeam = 18,
    /// There are AIs, or AIs replace players who leave.
    HasAiPlayers = 19,
    /// Co-op: civilians are revealed.
    CiviliansRevealed = 20,
    /// Co-op: the difficulty is not the highest.
    WrongDifficulty = 21,
    /// Co-op: the map does not expand.
    ExpansionDisabled = 22,
    /// Co-op: players do not start where the mission places them.
    SpawnNotFixed = 23,
    /// Reserved for other services; the lobby never sets it.
    OtherUnrank = 24,
    /// The host set the game to unranked.
    HostSetUnranked = 25,
}

impl Validity {
    /// All values with their names, in the order of their numbers.
    const ALL: [(Self, &str); 26] = [
        (Self::Valid, "VALID"),
        (Self::TooManyDesyncs, "TOO_MANY_DESYNCS"),
        (Self::WrongVictoryCondition, "WRONG_VICTORY_CONDITION"),
        (Self::NoFogOfWar, "NO_FOG_OF_WAR"),
        (Self::CheatsEnabled, "CHEATS_ENABLED"),
        (Self::PrebuiltEnabled, "PREBUILT_ENABLED"),
        (Self::NorushEnabled, "NORUSH_ENABLED"),
        (Self::BadUnitRestrictions, "BAD_UNIT_RESTRICTIONS"),
        (Self::BadMap, "BAD_MAP"),
        (Self::TooShort, "TOO_SHORT"),
        (Self::BadMod, "BAD_MOD"),
        (Self::CoopNotRanked, "COOP_NOT_RANKED"),
        (Self::MutualDraw, "MUTUAL_DRAW"),
        (Self::SinglePlayer, "SINGLE_PLAYER"),
        (Self::FfaNotRanked, "FFA_NOT_RANKED"),
        (Self::UnevenTeamsNotRanked, "UNEVEN_TEAMS_NOT_RANKED"),
        (Self::UnknownResult, "UNKNOWN_RESULT"),
        (Self::UnlockedTeams, "UNLOCKED_TEAMS"),
        (Self::MultiTeam, "MULTI_TEAM"),
        (Self::HasAiPlayers, "HAS_AI_PLAYERS"),
        (Self::CiviliansRevealed, "CIVILIANS_REVEALED"),
        (Self::WrongDifficulty, "WRONG_DIFFICULTY"),
        (Self::ExpansionDisabled, "EXPANSION_DISABLED"),
        (Self::SpawnNotFixed, "SPAWN_NOT_FIXED"),
        (Self::OtherUnrank, "OTHER_UNRANK"),
        (Self::HostSetUnranked, "HOST_SET_UNRANKED"),
    ];

    /// The validity of a game of this kind before any rule has hit (games.md section 2).
    #[must_use]
    pub fn initial(kind: GameKind) -> Self {
        match kind {
            GameKind::Custom | GameKind::Matchmaker => Self::Valid,
            GameKind::Coop => Self::CoopNotRanked,
        }
    }

    /// The number in the database.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The validity with this number; `None` above 25.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).map(|&(validity, _)| validity)
    }

    /// The name in publications, for example `TOO_SHORT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[usize::from(self.number())].1
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Validity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Validity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|&(_, name)| name == text);
        found
            .map(|(validity, _)| validity)
            .ok_or_else(|| D::Error::custom(format_args!("not a validity: {text:?}")))
    }
}

/// The check of one rule, for operators who want to know why a game counts or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Validity that the game gets if the rule hits.
    pub validity: Validity,
    /// Whether the rule hit.
    pub is_hit: bool,
    /// Finding of the rule, for example `FogOfWar is "none", must be "explored"`. Long values
    /// are cut.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_belong_together() {
        for (number, &(validity, name)) in (0..).zip(&Validity::ALL) {
            assert_eq!(validity.number(), number);
            assert_eq!(Validity::from_number(number), Some(validity));
            assert_eq!(validity.to_string(), name);
            let text = serde_json::to_string(&validity).unwrap();
            assert_eq!(text, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<Validity>(&text).unwrap(), validity);
        }
        assert_eq!(Validity::from_number(26), None);
        assert_eq!(Validity::from_number(u8::MAX), None);
        assert!(serde_json::from_str::<Validity>("\"valid\"").is_err());
        assert!(serde_json::from_str::<Validity>("0").is_err());
    }

    /// The table in game-results.md section 5.
    #[test]
    fn the_numbers_are_those_of_the_database() {
        for (number, name) in [
            (0, "Valid"),
            (1, "TooManyDesyncs"),
            (2, "WrongVictoryCondition"),
            (3, "NoFogOfWar"),
            (4, "CheatsEnabled"),
            (5, "PrebuiltEnabled"),
            (6, "NorushEnabled"),
            (7, "BadUnitRestrictions"),
            (8, "BadMap"),
            (9, "TooShort"),
            (10, "BadMod"),
            (11, "CoopNotRanked"),
            (12, "MutualDraw"),
            (13, "SinglePlayer"),
            (14, "FfaNotRanked"),
            (15, "UnevenTeamsNotRanked"),
            (16, "UnknownResult"),
            (17, "UnlockedTeams"),
            (18, "MultiTeam"),
            (19, "HasAiPlayers"),
            (20, "CiviliansRevealed"),
            (21, "WrongDifficulty"),
            (22, "ExpansionDisabled"),
            (23, "SpawnNotFixed"),
            (24, "OtherUnrank"),
            (25, "HostSetUnranked"),
        ] {
            let validity = Validity::from_number(number).unwrap();
            assert_eq!(format!("{validity:?}"), name);
            assert_eq!(validity.name().replace('_', ""), name.to_uppercase());
        }
    }
}
