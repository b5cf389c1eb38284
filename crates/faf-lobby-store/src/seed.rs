//! The seed format: one JSON object with a list for each kind of record.
//! `docs/src/guide/seed-format.md` describes it for operators.

#![expect(missing_docs, reason = "fields are the members that docs/src/guide/seed-format.md describes")]

mod names;
mod rows;

use std::collections::BTreeMap;
use std::fmt;

use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::SeedError;

pub use rows::{Earlier, Named, Row};

/// A seed file. All lists may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedFile {
    #[serde(rename = "about")]
    _about: IgnoredAny,
    /// Configuration of the recorded server; not stored in the database.
    #[serde(rename = "config_assumed")]
    _config_assumed: IgnoredAny,
    /// Ignored: the number follows from `past_games`.
    #[serde(rename = "first_new_game_id")]
    _first_new_game_id: IgnoredAny,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub clans: Vec<Clan>,
    pub avatars: Vec<SeedAvatar>,
    pub featured_mods: Vec<FeaturedMod>,
    pub leaderboards: Vec<Leaderboard>,
    pub maps: Vec<MapVersion>,
    pub map_pools: Vec<MapPool>,
    pub queues: Vec<Queue>,
    pub coop_maps: Vec<CoopMap>,
    pub mods: Vec<Mod>,
    pub past_games: Vec<PastGame>,
}

impl SeedFile {
    /// Parses the text of a seed file.
    ///
    /// # Errors
    /// A description of the first problem, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for user in &file.users {
            let has_password = user.password.is_some() || user.password_sha256_hex.is_some();
            if !has_password && !user.token_only {
                return Err(format!("user {} has neither `password` nor `password_sha256_hex`", user.login));
            }
        }
        Ok(file)
    }

    /// Checks for names that must not be planted: those that people cannot read or tell apart.
    /// Every database calls this before it plants.
    ///
    /// # Errors
    /// [`SeedError::Record`] for the first such name.
    pub fn check(&self) -> Result<(), SeedError> {
        names::check(self)
    }

    /// Returns the rows of the file in FAF's tables, in the order in which they must be written.
    ///
    /// # Errors
    /// [`SeedError::Record`] for the first record that cannot be written as rows.
    pub fn rows(&self) -> Result<Vec<Row>, SeedError> {
        rows::rows(self)
    }

    /// Returns the number of records of the main kinds.
    #[must_use]
    pub fn planted(&self) -> Planted {
        Planted { users: self.users.len(), maps: self.maps.len(), mods: self.mods.len() }
    }
}

/// Number of planted records of the main kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planted {
    /// Number of accounts.
    pub users: usize,
    /// Number of map versions.
    pub maps: usize,
    /// Number of mods in the vault.
    pub mods: usize,
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} accounts, {} maps and {} mods", self.users, self.maps, self.mods)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub id: u32,
    pub login: String,
    /// Password as the player types it.
    pub password: Option<String>,
    /// Password as clients send it; takes precedence over `password`.
    pub password_sha256_hex: Option<String>,
    /// The account has no password, and can log in with tokens only.
    #[serde(default)]
    pub token_only: bool,
    /// Hash of the password, which the server fills in; empty for an account without a password.
    #[serde(skip)]
    pub hash: String,
    pub email: Option<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    /// Tag of the player's clan.
    pub clan: Option<String>,
    /// Ratings by technical name of the leaderboard.
    #[serde(default)]
    pub ratings: BTreeMap<String, SeedRating>,
    #[serde(default)]
    pub avatars: Vec<Grant>,
    #[serde(default)]
    pub friends: Vec<u32>,
    #[serde(default)]
    pub foes: Vec<u32>,
    #[serde(default)]
    pub bans: Vec<SeedBan>,
    #[serde(default, rename = "note")]
    _note: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRating {
    pub mean: f64,
    pub deviation: f64,
    pub total_games: u32,
    pub won_games: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub avatar_id: u32,
    #[serde(default)]
    pub selected: bool,
    pub expired_since_hours: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedBan {
    /// Level of the ban: `CHAT`, `GLOBAL` or `VAULT`.
    pub level: String,
    pub reason: String,
    /// Either `never` or absent; both mean the same.
    #[serde(rename = "expires")]
    _expires: Option<Never>,
    /// Hours until the ban ends; negative for a ban that has ended.
    pub expires_in_hours: Option<f64>,
    pub revoked_hours_ago: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Never {
    Never,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub id: u32,
    pub technical_name: String,
    pub permissions: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clan {
    pub id: u32,
    pub name: String,
    pub tag: String,
    #[serde(default, rename = "founder")]
    _founder: IgnoredAny,
    #[serde(default, rename = "leader")]
    _leader: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedAvatar {
    pub id: u32,
    pub url: String,
    pub tooltip: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeaturedMod {
    pub id: u32,
    pub technical_name: String,
    pub name: String,
    pub publish: bool,
    #[serde(default)]
    pub order: i64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaderboard {
    pub id: u32,
    pub technical_name: String,
    /// Technical name of another leaderboard.
    pub initializer: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapVersion {
    pub map_id: u32,
    pub version_id: u32,
    pub display_name: String,
    /// Name of the file, in the form `maps/FOLDER.zip`.
    pub filename: String,
    pub version: u32,
    pub ranked: bool,
    pub max_players: u32,
    pub width: u32,
    pub height: u32,
}

impl MapVersion {
    /// Returns the folder of the map.
    ///
    /// # Errors
    /// [`SeedError::Record`] if `filename` does not have the form `maps/FOLDER.zip`.
    pub fn folder(&self) -> Result<&str, SeedError> {
        let folder = self.filename.strip_prefix("maps/").and_then(|rest| rest.strip_suffix(".zip"));
        folder.ok_or_else(|| SeedError::Record {
            record: format!("map {}", self.filename),
            problem: "`filename` must have the form maps/FOLDER.zip".to_owned(),
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapPool {
    pub id: u32,
    pub name: String,
    pub maps: Vec<PoolMap>,
}

/// A map of a pool: a stored map, or the parameters of a generated one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolMap {
    pub version_id: Option<u32>,
    #[serde(flatten)]
    pub params: Params,
    pub weight: u32,
    /// Comment that the parameters are intentionally wrong.
    #[serde(default, rename = "invalid")]
    _invalid: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    pub id: u32,
    pub technical_name: String,
    pub featured_mod: String,
    pub leaderboard: String,
    pub team_size: u32,
    #[serde(flatten)]
    pub params: Params,
    pub enabled: bool,
    pub pools: Vec<QueuePool>,
}

/// Parameters, stored as text: `params` is any JSON value, `params_raw` is text that is stored
/// unchanged, even if it is not valid JSON.
#[derive(Debug, Clone, Deserialize)]
pub struct Params {
    params: Option<serde_json::Value>,
    params_raw: Option<String>,
}

impl Params {
    pub fn text(&self) -> Option<String> {
        self.params_raw.clone().or_else(|| self.params.as_ref().map(ToString::to_string))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueuePool {
    pub pool: u32,
    pub min_rating: Option<i32>,
    pub max_rating: Option<i32>,
    #[serde(default)]
    pub veto_tokens_per_player: u8,
    #[serde(default)]
    pub max_tokens_per_map: u8,
    /// Must be greater than 0.
    #[serde(default = "one")]
    pub minimum_maps_after_veto: f64,
}

fn one() -> f64 {
    VetoSettings::default().minimum_maps_after_veto
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoopMap {
    pub id: u32,
    #[serde(rename = "type")]
    pub campaign: u32,
    pub name: String,
    pub description: Option<String>,
    pub filename: String,
    pub version: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mod {
    pub id: u32,
    pub version_id: u32,
    pub display_name: String,
    pub author: String,
    pub uid: String,
    /// Kind of the mod: `UI` or `SIM`.
    #[serde(rename = "type")]
    pub kind: String,
    pub version: u32,
    pub description: String,
    pub filename: String,
    pub icon: Option<String>,
    pub ranked: bool,
    pub hidden: bool,
    pub likes: u32,
    /// JSON list of player numbers, as text.
    pub likers: String,
    pub downloads: u32,
    pub played: u32,
    /// Time of creation in UTC, `YYYY-MM-DD HH:MM:SS`.
    pub created: String,
}

impl Mod {
    /// Returns the time of the upload, in Unix seconds.
    ///
    /// # Errors
    /// [`SeedError::Record`] if `created` does not have the form `YYYY-MM-DD HH:MM:SS`.
    pub fn created_at(&self) -> Result<i64, SeedError> {
        let numbers: Result<Vec<i64>, _> = self.created.split(['-', ' ', ':']).map(str::parse).collect();
        match numbers.as_deref() {
            Ok([year, month @ 1..=12, day @ 1..=31, hour @ 0..=23, minute @ 0..=59, second @ 0..=59]) => {
                Ok(days(*year, *month, *day) * 86_400 + hour * 3600 + minute * 60 + second)
            }
            _ => Err(SeedError::Record {
                record: format!("mod {}", self.display_name),
                problem: "`created` must have the form YYYY-MM-DD HH:MM:SS".to_owned(),
            }),
        }
    }
}

/// Returns the number of days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // A year starts in March here, so that the leap day is its last day.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastGame {
    pub id: u32,
    pub host: u32,
    pub featured_mod: String,
    /// The `version_id` of an entry in `maps`.
    pub map_version: Option<u32>,
    /// The `id` of an entry in `queues`.
    pub queue: Option<u32>,
    pub started_minutes_ago: f64,
    pub players: Vec<u32>,
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_file_is_refused() {
        assert!(SeedFile::parse(r#"{"user": []}"#).unwrap_err().contains("unknown field `user`"));
        assert_eq!(
            SeedFile::parse(r#"{"users": [{"id": 1, "login": "Ada"}]}"#).unwrap_err(),
            "user Ada has neither `password` nor `password_sha256_hex`"
        );
    }

    #[test]
    fn days_follow_the_gregorian_calendar() {
        for (date, number) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2026, 7, 1), 20_635),
        ] {
            assert_eq!(days(date.0, date.1, date.2), number, "{date:?}");
        }
    }
}
