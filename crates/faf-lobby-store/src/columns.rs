//! What the columns of FAF's own tables can hold; every database stores the same.

use std::ops::RangeInclusive;

use faf_lobby_core::LivePlayer;

/// Longest title of a game, in characters.
pub const TITLE_LIMIT: usize = 128;

/// Latest time of a killing that is stored, in seconds; a later one is stored as this.
pub const TEAMKILL_TIME_LIMIT: u32 = 16_777_215;

/// Most players of a mission that are stored.
pub const MISSION_PLAYERS_LIMIT: u32 = i8::MAX as u32;

/// Campaigns, by their number.
pub const CAMPAIGNS: [&str; 5] = [
    "FA Campaign",
    "Aeon Vanilla Campaign",
    "Cybran Vanilla Campaign",
    "UEF Vanilla Campaign",
    "Custom Missions",
];

/// A player of a game as far as the columns hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Faction.
    pub faction: i64,
    /// Colour.
    pub color: i64,
    /// Number of the team; 1 is none.
    pub team: i64,
    /// Place on the map.
    pub place: i64,
}

/// Whether a player is stored: the host has said where the player stands.
#[must_use]
pub fn is_placed(player: &LivePlayer) -> bool {
    place(player).is_some()
}

/// What is stored of a player; nothing if the host has not said where the player stands.
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
