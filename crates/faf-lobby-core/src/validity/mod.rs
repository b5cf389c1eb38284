//! Whether a game counts: for ratings, for the leaderboard of co-op missions (game-results.md
//! sections 4, 5 and 7).
//!
//! [`check_at_launch`] looks at how the game was set up, [`check_at_end`] at how it went. Both say
//! every rule they looked at and what they found, so that an operator can be told why a game did
//! not count.

mod end;
mod launch;

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use end::{DESYNCS_MAX, EndChecks, EndFacts, Results, SHORT_PER_PLAYER, check_at_end, is_short};
pub use launch::{LaunchChecks, LaunchFacts, check_at_launch};

use crate::game_options::GameKind;

/// Whether a game counts, or why it does not (game-results.md section 5).
///
/// The numbers are those of `game_stats.validity` and never change. Serialised by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Validity {
    /// It counts.
    Valid = 0,
    /// The simulations of the players drifted apart.
    TooManyDesyncs = 1,
    /// Not the victory condition that counts for this kind of game.
    WrongVictoryCondition = 2,
    /// Fog of war is not as usual.
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
    /// It ended too early.
    TooShort = 9,
    /// A mod is not ranked.
    BadMod = 10,
    /// It is a co-op game with nothing wrong about it: it counts for its leaderboard, but never for
    /// ratings.
    CoopNotRanked = 11,
    /// Both sides agreed on a draw. Only in old games.
    MutualDraw = 12,
    /// There is only one player.
    SinglePlayer = 13,
    /// Everybody plays against everybody.
    FfaNotRanked = 14,
    /// Teams are not of the same size.
    UnevenTeamsNotRanked = 15,
    /// It is not known who won.
    UnknownResult = 16,
    /// Teams may change during the game.
    UnlockedTeams = 17,
    /// There are more than two teams.
    MultiTeam = 18,
    /// There are AIs, or they replace players who leave.
    HasAiPlayers = 19,
    /// Co-op: civilians are revealed.
    CiviliansRevealed = 20,
    /// Co-op: not the hardest difficulty.
    WrongDifficulty = 21,
    /// Co-op: the map does not expand.
    ExpansionDisabled = 22,
    /// Co-op: players do not start where the mission wants them.
    SpawnNotFixed = 23,
    /// For other services; never set by the lobby.
    OtherUnrank = 24,
    /// The host wished it so.
    HostSetUnranked = 25,
}

impl Validity {
    /// All of them with their names, in the order of their numbers.
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

    /// The validity of a game of this kind about which nothing was found (games.md section 2).
    #[must_use]
    pub fn initial(kind: GameKind) -> Self {
        match kind {
            GameKind::Custom => Self::Valid,
            GameKind::Coop => Self::CoopNotRanked,
        }
    }

    /// The number in the database.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The validity with this number; nothing beyond 25.
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
            .ok_or_else(|| D::Error::custom(format_args!("no validity: {text:?}")))
    }
}

/// One rule that was looked at, for operators who want to know why a game counts or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What the game is if the rule hits.
    pub validity: Validity,
    /// Whether it hit.
    pub is_hit: bool,
    /// What was found, for example `FogOfWar is "none", must be "explored"`. Long values are cut.
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
