//! Limits of the columns in FAF's own tables; every database stores values within them.

use std::ops::RangeInclusive;

use faf_lobby_core::{LivePlayer, Relation};

/// Longest title of a game, in characters.
pub const TITLE_LIMIT: usize = 128;

/// Latest stored time of a team kill, in seconds; later times are stored as this value.
pub const TEAMKILL_TIME_LIMIT: u32 = 16_777_215;

/// Largest stored number of players of a mission.
pub const MISSION_PLAYERS_LIMIT: u32 = i8::MAX as u32;

/// Names of the campaigns; the index is the campaign's number.
const CAMPAIGNS: [&str; 5] = [
    "FA Campaign",
    "Aeon Vanilla Campaign",
    "Cybran Vanilla Campaign",
    "UEF Vanilla Campaign",
    "Custom Missions",
];

/// Returns the name of the campaign with this number; `None` if no client knows it.
#[must_use]
pub fn campaign(number: i64) -> Option<&'static str> {
    usize::try_from(number).ok().and_then(|number| CAMPAIGNS.get(number)).copied()
}

/// Status of a friend.
const FRIEND: &str = "FRIEND";

/// Returns the status with which a relation is stored.
#[must_use]
pub fn status_of_relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Friend => FRIEND,
        Relation::Foe => "FOE",
    }
}

/// Returns the relation that a stored status means: any status other than friend means foe.
#[must_use]
pub fn relation_of_status(status: Option<&str>) -> Relation {
    if status == Some(FRIEND) { Relation::Friend } else { Relation::Foe }
}

/// Columns of a player in a game, within the limits of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the faction.
    pub faction: i64,
    /// Number of the colour.
    pub color: i64,
    /// Number of the team; 1 means no team.
    pub team: i64,
    /// Start position on the map.
    pub place: i64,
}

/// Returns whether a player is stored: only if the host has reported where the player is placed.
#[must_use]
pub fn is_placed(player: &LivePlayer) -> bool {
    place(player).is_some()
}

/// Returns the columns to store for a player; `None` if the host has not reported the placement.
#[must_use]
pub fn place(player: &LivePlayer) -> Option<Place> {
    const SIGNED: RangeInclusive<i64> = i8::MIN as i64..=i8::MAX as i64;
    const UNSIGNED: RangeInclusive<i64> = 0..=u8::MAX as i64;

    let is_set = |value: Option<i64>| value.filter(|value| *value >= 0);
    let within = |value: i64, range: RangeInclusive<i64>| value.clamp(*range.start(), *range.end());
    Some(Place {
        faction: within(player.faction, UNSIGNED),
        color: within(player.color, SIGNED),
        team: within(is_set(player.team)?, SIGNED),
        place: within(is_set(player.start_spot)?, UNSIGNED),
    })
}
