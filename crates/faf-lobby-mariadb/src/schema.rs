//! The version of FAF's schema, and what it has: columns and tables that a version lacks are
//! not used.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_store::Reason;
use mysql::Conn;
use mysql::prelude::Queryable;

use crate::error::{Error, Result};
use crate::own_tables;

/// Oldest version of FAF's schema that can be used.
pub const OLDEST_SCHEMA: u32 = 133;

/// Newest version of FAF's schema that is tested; newer ones are used with a warning.
pub const NEWEST_SCHEMA: u32 = 146;

/// Tables and columns without which the server cannot work; all versions from
/// [`OLDEST_SCHEMA`] have them.
const REQUIRED: [(&str, &[&str]); 27] = [
    ("avatars", &["id", "idUser", "idAvatar", "selected"]),
    ("avatars_list", &["id", "url", "filename", "tooltip"]),
    ("ban", &["id", "player_id", "author_id", "reason", "expires_at", "level", "revoke_time", "update_time"]),
    ("clan", &["id", "tag"]),
    ("clan_membership", &["clan_id", "player_id"]),
    ("coop_leaderboard", &["mission", "gameuid", "secondary", "time", "player_count"]),
    ("coop_map", &["id", "type", "name", "description", "filename"]),
    ("friends_and_foes", &["user_id", "subject_id", "status"]),
    ("game_featuredMods", &["id", "gamemod"]),
    (
        "game_player_stats",
        &["id", "gameId", "playerId", "mean", "after_mean", "score", "scoreTime", "result"],
    ),
    (
        "game_stats",
        &["id", "startTime", "endTime", "gameType", "gameMod", "host", "mapId", "gameName", "validity"],
    ),
    ("group_permission", &["id", "technical_name"]),
    ("group_permission_assignment", &["group_id", "permission_id"]),
    ("leaderboard", &["id", "technical_name", "initializer_id"]),
    ("leaderboard_rating", &["login_id", "leaderboard_id", "mean", "deviation", "total_games", "won_games"]),
    ("leaderboard_rating_journal", &["id", "game_player_stats_id", "leaderboard_id", "rating_mean_before"]),
    ("login", &["id", "login", "password", "email", "ip", "user_agent", "last_login"]),
    ("map", &["id", "times_played"]),
    ("map_pool_map_version", &["id", "map_pool_id", "map_version_id", "weight", "map_params"]),
    ("map_version", &["id", "map_id", "filename", "ranked", "times_played"]),
    (
        "matchmaker_queue",
        &["id", "technical_name", "featured_mod_id", "leaderboard_id", "team_size", "params"],
    ),
    ("matchmaker_queue_game", &["matchmaker_queue_id", "game_stats_id"]),
    ("matchmaker_queue_map_pool", &["id", "matchmaker_queue_id", "map_pool_id", "min_rating", "max_rating"]),
    ("mod_stats", &["mod_id", "likes", "likers", "downloads", "times_played"]),
    ("mod_version", &["id", "mod_id", "uid", "hidden"]),
    ("teamkills", &["teamkiller", "victim", "game_id", "gametime"]),
    ("user_group_assignment", &["user_id", "group_id"]),
];

/// Tables and views that are looked at in addition.
const OTHERS: [&str; 6] = ["game_join_log", "game_desync", "table_mod", "user_group", "mod", "map_pool"];

/// Tables and columns that a database has, as far as the versions of the schema differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    /// Version according to the history; `None` if the history is not checked.
    pub(crate) version: Option<u32>,
    /// `login.avatar_id` (v143).
    pub(crate) has_avatar_id: bool,
    /// Table `game_join_log` (v138), and its column `ip` (v139).
    pub(crate) has_join_log: bool,
    pub(crate) has_join_address: bool,
    /// Table `game_desync` (v146).
    pub(crate) has_desyncs: bool,
    /// Veto columns of `matchmaker_queue_map_pool` (v135).
    pub(crate) has_vetoes: bool,
    /// `map_version.folder_name` (v144); before, `filename` is an ordinary column.
    pub(crate) has_folder_name: bool,
    /// Names in `game_stats.gameType` (v136); before, numbers.
    pub(crate) has_victory_names: bool,
    /// Text before the file name in the address of an avatar.
    pub(crate) avatar_prefix: String,
    /// Tables of this server that exist.
    pub(crate) own: BTreeSet<String>,
}

/// Columns of a table, with type and generating expression.
type Columns = BTreeMap<String, (String, Option<String>)>;

impl Schema {
    /// Reads what the database has, and checks that it is FAF's in a version that can be used.
    pub(crate) fn read(connection: &mut Conn, history_table: &str) -> Result<Self> {
        let version = match history_table {
            "" => None,
            table => Some(version(connection, table)?),
        };
        if let Some(version) = version.filter(|version| *version < OLDEST_SCHEMA) {
            return Err(Error::Unavailable(
                Reason::Other,
                format!(
                    "the schema has version {version}, and this server needs at least {OLDEST_SCHEMA}: migrate the \
                 database first"
                ),
            ));
        }
        let tables = tables(connection)?;
        for (table, columns) in REQUIRED {
            let found = tables.get(table).ok_or_else(|| unknown(table, None))?;
            if let Some(column) = columns.iter().find(|column| !found.contains_key(**column)) {
                return Err(unknown(table, Some(column)));
            }
        }
        let has =
            |table: &str, column: &str| tables.get(table).is_some_and(|found| found.contains_key(column));
        let column =
            |table: &str, column: &str| tables.get(table).and_then(|found| found.get(column)).cloned();
        let victories = column("game_stats", "gameType").unwrap_or_default().0;
        let url = column("avatars_list", "url").and_then(|(_, expression)| expression).unwrap_or_default();
        Ok(Self {
            version,
            has_avatar_id: has("login", "avatar_id"),
            has_join_log: has("game_join_log", "game_id"),
            has_join_address: has("game_join_log", "ip"),
            has_desyncs: has("game_desync", "game_id"),
            has_vetoes: has("matchmaker_queue_map_pool", "veto_tokens_per_player"),
            has_folder_name: has("map_version", "folder_name"),
            has_victory_names: victories.contains("DEMORALIZATION"),
            // In the form "concat('PREFIX',`filename`)".
            avatar_prefix: url.split('\'').nth(1).unwrap_or_default().to_owned(),
            own: own_tables::NAMES
                .iter()
                .filter(|name| has(name, "id"))
                .map(|name| (*name).to_owned())
                .collect(),
        })
    }

    /// Returns whether all tables of this server exist.
    pub(crate) fn has_own_tables(&self) -> bool {
        self.own.len() == own_tables::NAMES.len()
    }

    /// Returns the expression for the folder of a map, for a `map_version` that is called `m`.
    pub(crate) fn folder_of_map(&self) -> &'static str {
        match self.has_folder_name {
            true => "m.folder_name",
            false => {
                "IF(m.filename LIKE 'maps/%.zip', SUBSTRING(m.filename, 6, CHAR_LENGTH(m.filename) - 9), m.filename)"
            }
        }
    }
}

fn unknown(table: &str, column: Option<&str>) -> Error {
    let what =
        column.map_or_else(|| format!("the table {table}"), |column| format!("the column {table}.{column}"));
    Error::Unavailable(
        Reason::Other,
        format!(
            "{what} is missing, or the account may not see it: this is not a database with FAF's schema (version \
         {OLDEST_SCHEMA} or later); check the name of the database and the account's privileges, or load the schema"
        ),
    )
}

/// Returns the version of the schema: the largest one that was migrated to.
fn version(connection: &mut Conn, history_table: &str) -> Result<u32> {
    let history = quoted(history_table);
    let query = format!(
        "SELECT MAX(CAST(version AS UNSIGNED)) FROM {history} WHERE success = 1 AND version IS NOT NULL"
    );
    let found = connection.query_first_opt::<Option<u32>, _>(query);
    let problem = match found {
        Ok(Some(Ok(Some(version)))) => return Ok(version),
        Ok(_) => format!("the table {history_table} names no version of the schema"),
        Err(mysql::Error::MySqlError(error)) if error.code == 1146 => {
            format!("there is no table {history_table} with the history of the schema")
        }
        Err(error) => return Err(error.into()),
    };
    Err(Error::Unavailable(
        Reason::Other,
        format!(
            "{problem}: load FAF's schema, name the right database and history table, or set an empty name for the \
         history table to skip this check"
        ),
    ))
}

fn tables(connection: &mut Conn) -> Result<BTreeMap<String, Columns>> {
    let names = REQUIRED.iter().map(|(table, _)| *table).chain(OTHERS).chain(own_tables::NAMES);
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    let query = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, GENERATION_EXPRESSION FROM information_schema.COLUMNS
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({})",
        names.join(", ")
    );
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    let rows = connection.query_opt::<(String, String, String, Option<String>), _>(query)?;
    for (table, column, kind, expression) in rows.into_iter().flatten() {
        tables.entry(table).or_default().insert(column, (kind, expression));
    }
    Ok(tables)
}

/// Returns a name as an identifier of a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_end_their_quotes() {
        assert_eq!(quoted("a`; DROP TABLE login; --"), "`a``; DROP TABLE login; --`");
    }
}
