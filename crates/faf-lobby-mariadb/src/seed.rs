//! Fills a database without accounts from a file.
//!
//! The tables of FAF's schema may contain the rows that every FAF database has; those that a lobby
//! cannot do without are added if a table is empty.

use faf_lobby_core::validity::Validity;
use faf_lobby_store::SeedError;
use faf_lobby_store::seed::{Earlier, Named, Row, SeedFile};
use mysql::Value;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::session::{Session, parameters};

/// Rows that are added to empty tables.
const BASICS: [(&str, &str); 5] = [
    (
        "game_featuredMods",
        "INSERT INTO game_featuredMods (id, gamemod, description, name, publish)
         VALUES (0, 'faf', '', 'FAF', 1), (25, 'coop', '', 'Coop', 1)",
    ),
    (
        "leaderboard",
        "INSERT INTO leaderboard (id, technical_name, name_key, description_key) VALUES
           (1, 'global', 'leaderboard.global.name', 'leaderboard.global.description'),
           (2, 'ladder_1v1', 'leaderboard.ladder_1v1.name', 'leaderboard.ladder_1v1.description')",
    ),
    (
        "user_group",
        "INSERT INTO user_group (id, technical_name, public, name_key) VALUES
           (1, 'faf_server_administrators', 1, 'user_group.faf.server_administrators'),
           (2, 'faf_moderators_global', 1, 'user_group.faf.moderators_global')",
    ),
    (
        "group_permission",
        "INSERT INTO group_permission (id, technical_name, name_key) VALUES
           (22, 'ADMIN_KICK_SERVER', 'permission_group.admin_kick_server'),
           (23, 'ADMIN_BROADCAST_MESSAGE', 'permission_group.admin_broadcast_message'),
           (24, 'ADMIN_JOIN_CHANNEL', 'permission_group.admin_join_channel')",
    ),
    (
        "group_permission_assignment",
        "INSERT INTO group_permission_assignment (group_id, permission_id)
         SELECT g.id, p.id FROM user_group g JOIN group_permission p
         WHERE g.technical_name = 'faf_server_administrators'
             AND p.technical_name IN ('ADMIN_KICK_SERVER', 'ADMIN_BROADCAST_MESSAGE', 'ADMIN_JOIN_CHANNEL')
           OR g.technical_name = 'faf_moderators_global' AND p.technical_name = 'ADMIN_KICK_SERVER'",
    ),
];

/// Plants all records of a file. If a record is refused, the caller must undo what was planted.
pub(crate) fn plant(s: &mut Session, file: &SeedFile) -> Result<Result<(), SeedError>> {
    let rows = match file.check().and_then(|()| file.rows()) {
        Ok(rows) => rows,
        Err(error) => return Ok(Err(error)),
    };
    add_basics(s)?;
    for row in rows.iter().filter(|row| row.table == "matchmaker_queue") {
        forget_queue(s, row)?;
    }
    for row in &rows {
        let problem = match put(s, row) {
            Ok(()) => continue,
            Err(Error::Refused(problem)) => problem,
            Err(error) if error.is_contradiction() => error.explain(),
            Err(error) => return Err(error),
        };
        return Ok(Err(SeedError::Record { record: row.record.clone(), problem }));
    }
    Ok(Ok(()))
}

/// Adds the rows that a lobby cannot do without to those tables that are empty.
pub(crate) fn add_basics(s: &mut Session) -> Result<()> {
    if is_empty(s, "game_validity")? {
        for validity in (0..=u8::MAX).map_while(Validity::from_number) {
            let insert = "INSERT INTO game_validity (id, message) VALUES (?, ?)";
            s.execute(insert, (validity.number(), validity.name()))?;
        }
    }
    for (table, insert) in BASICS {
        if is_empty(s, table)? {
            s.execute(insert, ())?;
        }
    }
    Ok(())
}

fn is_empty(s: &mut Session, table: &str) -> Result<bool> {
    s.one(&format!("SELECT NOT EXISTS (SELECT 1 FROM {table})"), (), |row| row.get(0))
}

/// Deletes queues with the number or the name of a queue of the seed, with their brackets. Without
/// accounts, they have no games.
fn forget_queue(s: &mut Session, row: &Row) -> Result<()> {
    let same = "matchmaker_queue WHERE id = ? OR technical_name = ?";
    let values = [value(&row.values["id"]), value(&row.values["technical_name"])];
    let brackets =
        format!("DELETE FROM matchmaker_queue_map_pool WHERE matchmaker_queue_id IN (SELECT id FROM {same})");
    s.execute(&brackets, parameters(values.clone()))?;
    s.execute(&format!("DELETE FROM {same}"), parameters(values)).map(drop)
}

/// A column of a new row.
struct Cell {
    column: String,
    /// The expression that becomes the value; `?` for the value itself.
    expression: &'static str,
    value: Value,
}

impl Cell {
    fn new(column: &str, value: impl Into<Value>) -> Self {
        Self { column: column.to_owned(), expression: "?", value: value.into() }
    }
}

fn put(s: &mut Session, row: &Row) -> Result<()> {
    let cells = cells(s, row)?;
    let table = row.table;
    match row.earlier {
        Earlier::Kept => {}
        Earlier::KeptInstead(column) => {
            let query = format!("SELECT 1 FROM `{table}` WHERE `{column}` = ? LIMIT 1");
            if s.first(&query, (value(&row.values[column]),), |_| Ok(()))?.is_some() {
                return Ok(());
            }
        }
        Earlier::Changed => return change(s, table, &row.values["id"], cells),
        Earlier::Replaced(named, referring) => {
            if let Some((referring, column)) = referring {
                let (table, name_column) = named;
                let delete = format!(
                    "DELETE FROM `{referring}` WHERE `{column}` IN (SELECT id FROM `{table}` WHERE id = ? OR {name_column} = ?)"
                );
                s.execute(&delete, (value(&row.values["id"]), value(&row.values[name_column])))?;
            }
            if is_same(s, named, row)? {
                return change(s, table, &row.values["id"], cells);
            }
            let (table, name_column) = named;
            let delete = format!("DELETE FROM `{table}` WHERE id = ? OR {name_column} = ?");
            s.execute(&delete, (value(&row.values["id"]), value(&row.values[name_column])))?;
        }
    }
    let columns: Vec<String> = cells.iter().map(|cell| format!("`{}`", cell.column)).collect();
    let expressions: Vec<&str> = cells.iter().map(|cell| cell.expression).collect();
    let insert =
        format!("INSERT INTO `{table}` ({}) VALUES ({})", columns.join(", "), expressions.join(", "));
    s.execute(&insert, parameters(cells.into_iter().map(|cell| cell.value))).map(drop)
}

/// Returns whether there is a record with this number and this name; other records may refer
/// to it.
fn is_same(s: &mut Session, (table, name_column): Named, row: &Row) -> Result<bool> {
    let query = format!("SELECT 1 FROM `{table}` WHERE id = ? AND {name_column} = ?");
    let values = (value(&row.values["id"]), value(&row.values[name_column]));
    Ok(s.first(&query, values, |_| Ok(()))?.is_some())
}

fn change(s: &mut Session, table: &str, id: &Json, cells: Vec<Cell>) -> Result<()> {
    let sets: Vec<String> =
        cells.iter().map(|cell| format!("`{}` = {}", cell.column, cell.expression)).collect();
    let update = format!("UPDATE `{table}` SET {} WHERE id = ?", sets.join(", "));
    let values = cells.into_iter().map(|cell| cell.value).chain([value(id)]);
    s.execute(&update, parameters(values)).map(drop)
}

/// Returns the columns of a row, as FAF's schema has them.
fn cells(s: &mut Session, row: &Row) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for (column, json) in &row.values {
        match (row.table, column.as_str()) {
            ("login", "login_key") => {}
            ("login", "avatar_id") if !s.schema().has_avatar_id => {}
            ("login", "email") if json.is_null() => {
                let address = format!("{}@faf-lobby.invalid", row.values["id"]);
                cells.push(Cell::new(column, address));
            }
            ("avatars_list", "url") => cells.push(Cell::new("filename", file_of_avatar(s, json)?)),
            ("map_version", "folder_name") if !s.schema().has_folder_name => {
                let folder = json.as_str().unwrap_or_default();
                cells.push(Cell::new("filename", format!("maps/{folder}.zip")));
            }
            ("matchmaker_queue_map_pool", "minimum_maps_after_veto")
                if json.as_f64().is_none_or(|minimum| minimum <= 0.0) =>
            {
                return Err(Error::Refused(format!("{column} must be greater than 0")));
            }
            (
                "matchmaker_queue_map_pool",
                "veto_tokens_per_player" | "max_tokens_per_map" | "minimum_maps_after_veto",
            ) if !s.schema().has_vetoes => {}
            ("mod_version", "create_time") => {
                let cell = Cell::new(column, value(json));
                cells.push(Cell { expression: "FROM_UNIXTIME(?)", ..cell });
            }
            ("game_stats", "gameType") if !s.schema().has_victory_names => cells.push(Cell::new(column, "0")),
            _ => cells.push(Cell::new(column, value(json))),
        }
    }
    for (column, (table, name_column), name) in &row.numbers {
        let query = format!("SELECT id FROM `{table}` WHERE {name_column} = ? ORDER BY id LIMIT 1");
        let number: Option<u32> = s.first(&query, (name,), |row| row.get(0))?;
        let number = number.ok_or_else(|| Error::Refused(format!("there is no `{name}`")))?;
        cells.push(Cell::new(column, number));
    }
    for (column, distance) in &row.times {
        let cell = Cell::new(column, *distance);
        cells.push(Cell { expression: "NOW() + INTERVAL ? SECOND", ..cell });
    }
    cells.extend(defaults(s, row)?);
    Ok(cells)
}

/// Returns the columns that FAF's schema demands in addition.
fn defaults(s: &mut Session, row: &Row) -> Result<Vec<Cell>> {
    let text = |column: &str| row.values.get(column).and_then(Json::as_str).unwrap_or_default();
    let key = |kind: &str, end: &str| format!("{kind}.{}{end}", text("technical_name"));
    Ok(match row.table {
        "user_group" => vec![Cell::new("public", 1), Cell::new("name_key", key("user_group", ""))],
        "group_permission" => {
            let id: u32 =
                s.one("SELECT COALESCE(MAX(id), 0) + 1 FROM group_permission", (), |row| row.get(0))?;
            vec![Cell::new("id", id), Cell::new("name_key", key("permission_group", ""))]
        }
        "game_featuredMods" => vec![Cell::new("description", "")],
        "leaderboard" if row.values.contains_key("technical_name") => vec![
            Cell::new("name_key", key("leaderboard", ".name")),
            Cell::new("description_key", key("leaderboard", ".description")),
        ],
        "matchmaker_queue" => vec![Cell::new("name_key", key("matchmaker_queue", ".name"))],
        "ban" => vec![Cell::new("author_id", value(&row.values["player_id"]))],
        "map" => vec![Cell::new("map_type", "skirmish"), Cell::new("battle_type", "FFA")],
        "game_player_stats" => vec![Cell::new("AI", 0)],
        _ => Vec::new(),
    })
}

/// Returns the file of an avatar: the database puts its own prefix before it. An address that is
/// only the name of a file is the name of the file.
fn file_of_avatar(s: &Session, url: &Json) -> Result<String> {
    let url = url.as_str().unwrap_or_default();
    let prefix = &s.schema().avatar_prefix;
    match url.strip_prefix(prefix.as_str()) {
        Some(file) => Ok(file.to_owned()),
        None if url.contains("://") => {
            Err(Error::Refused(format!("in this database, addresses of avatars begin with {prefix}")))
        }
        None => Ok(url.to_owned()),
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().into(),
        },
        Json::String(text) => text.as_str().into(),
        _ => Value::NULL,
    }
}
