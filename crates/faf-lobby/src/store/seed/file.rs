//! The seed format: one JSON object with a list for each kind of record. `docs/src/guide/seed-format.md` describes it for operators.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Largest seed file that is read, in bytes; a larger one is refused.
pub(super) const FILE_LIMIT: u64 = 256 * 1024 * 1024;

/// A seed file. All lists may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedFile {
    #[serde(rename = "about")]
    _about: IgnoredAny,
    /// How the recorded server was configured; says nothing about the database.
    #[serde(rename = "config_assumed")]
    _config_assumed: IgnoredAny,
    /// Follows from `past_games`.
    #[serde(rename = "first_new_game_id")]
    _first_new_game_id: IgnoredAny,
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Group>,
    pub(super) clans: Vec<Clan>,
    pub(super) avatars: Vec<SeedAvatar>,
    pub(super) featured_mods: Vec<FeaturedMod>,
    pub(super) leaderboards: Vec<Leaderboard>,
    pub(super) maps: Vec<MapVersion>,
    pub(super) map_pools: Vec<MapPool>,
    pub(super) queues: Vec<Queue>,
    pub(super) coop_maps: Vec<CoopMap>,
    pub(super) mods: Vec<Mod>,
    pub(super) past_games: Vec<PastGame>,
}

impl SeedFile {
    /// Reads a seed file.
    ///
    /// # Errors
    /// What is wrong with it; for wrong content with line and column.
    pub fn read(path: &Path) -> Result<Self, String> {
        let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
        if metadata.len() > FILE_LIMIT {
            return Err(format!("{} bytes are more than the {FILE_LIMIT} a seed may have", metadata.len()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    /// Reads the text of a seed file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
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
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) id: u32,
    pub(super) login: String,
    /// As the player types it.
    pub(super) password: Option<String>,
    /// As clients send it; counts where both are given.
    pub(super) password_sha256_hex: Option<String>,
    /// The account has no password, and can log in with tokens only.
    #[serde(default)]
    pub(super) token_only: bool,
    pub(super) email: Option<String>,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    /// Tag of a clan.
    pub(super) clan: Option<String>,
    /// By technical name of the leaderboard.
    #[serde(default)]
    pub(super) ratings: BTreeMap<String, SeedRating>,
    #[serde(default)]
    pub(super) avatars: Vec<Grant>,
    #[serde(default)]
    pub(super) friends: Vec<u32>,
    #[serde(default)]
    pub(super) foes: Vec<u32>,
    #[serde(default)]
    pub(super) bans: Vec<SeedBan>,
    #[serde(default, rename = "note")]
    _note: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedRating {
    pub(super) mean: f64,
    pub(super) deviation: f64,
    pub(super) total_games: u32,
    pub(super) won_games: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) avatar_id: u32,
    #[serde(default)]
    pub(super) selected: bool,
    pub(super) expired_since_hours: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedBan {
    /// `CHAT`, `GLOBAL` or `VAULT`.
    pub(super) level: String,
    pub(super) reason: String,
    /// May say `never`, as does leaving it out.
    #[serde(rename = "expires")]
    _expires: Option<Never>,
    /// Negative for a ban that has ended.
    pub(super) expires_in_hours: Option<f64>,
    pub(super) revoked_hours_ago: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Never {
    Never,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) id: u32,
    pub(super) technical_name: String,
    pub(super) permissions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clan {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) tag: String,
    #[serde(default, rename = "founder")]
    _founder: IgnoredAny,
    #[serde(default, rename = "leader")]
    _leader: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedAvatar {
    pub(super) id: u32,
    pub(super) url: String,
    pub(super) tooltip: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeaturedMod {
    pub(super) id: u32,
    pub(super) technical_name: String,
    pub(super) name: String,
    pub(super) publish: bool,
    #[serde(default)]
    pub(super) order: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leaderboard {
    pub(super) id: u32,
    pub(super) technical_name: String,
    /// Technical name of another leaderboard.
    pub(super) initializer: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapVersion {
    pub(super) map_id: u32,
    pub(super) version_id: u32,
    pub(super) display_name: String,
    /// `maps/` + folder + `.zip`.
    pub(super) filename: String,
    pub(super) version: u32,
    pub(super) ranked: bool,
    pub(super) max_players: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapPool {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) maps: Vec<PoolMap>,
}

/// A map of a pool: a stored one, or parameters of a generated one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolMap {
    pub(super) version_id: Option<u32>,
    #[serde(flatten)]
    pub(super) params: Params,
    pub(super) weight: u32,
    /// A remark that the parameters are wrong on purpose.
    #[serde(default, rename = "invalid")]
    _invalid: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    pub(super) id: u32,
    pub(super) technical_name: String,
    pub(super) featured_mod: String,
    pub(super) leaderboard: String,
    pub(super) team_size: u32,
    #[serde(flatten)]
    pub(super) params: Params,
    pub(super) enabled: bool,
    pub(super) pools: Vec<QueuePool>,
}

/// Parameters, stored as text: `params` is any JSON, `params_raw` a text that stands as it is, even if it is no JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Params {
    params: Option<serde_json::Value>,
    params_raw: Option<String>,
}

impl Params {
    pub(super) fn text(&self) -> Option<String> {
        self.params_raw.clone().or_else(|| self.params.as_ref().map(ToString::to_string))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueuePool {
    pub(super) pool: u32,
    pub(super) min_rating: Option<i32>,
    pub(super) max_rating: Option<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoopMap {
    pub(super) id: u32,
    #[serde(rename = "type")]
    pub(super) campaign: u32,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) filename: String,
    pub(super) version: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mod {
    pub(super) id: u32,
    pub(super) version_id: u32,
    pub(super) display_name: String,
    pub(super) author: String,
    pub(super) uid: String,
    /// `UI` or `SIM`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) version: u32,
    pub(super) description: String,
    pub(super) filename: String,
    pub(super) icon: Option<String>,
    pub(super) ranked: bool,
    pub(super) hidden: bool,
    pub(super) likes: u32,
    /// A JSON list of player numbers, as text.
    pub(super) likers: String,
    pub(super) downloads: u32,
    pub(super) played: u32,
    /// UTC, `YYYY-MM-DD HH:MM:SS`.
    pub(super) created: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PastGame {
    pub(super) id: u32,
    pub(super) host: u32,
    pub(super) featured_mod: String,
    /// A `version_id` of `maps`.
    pub(super) map_version: Option<u32>,
    /// An `id` of `queues`.
    pub(super) queue: Option<u32>,
    pub(super) started_minutes_ago: f64,
    pub(super) players: Vec<u32>,
    pub(super) name: String,
}
