//! Comparison of changes in the database.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use crate::values::{differences, is_same, unpaired};

/// A table with the neutral names of the recording.
struct Table {
    name: &'static str,
    /// Columns that identify a row.
    key: &'static [&'static str],
    query: &'static str,
}

const TABLES: [Table; 10] = [
    Table {
        name: "login",
        key: &["id"],
        query: "SELECT id, ip, user_agent, last_login IS NOT NULL AS has_last_login FROM login",
    },
    Table {
        name: "friends_and_foes",
        key: &["user_id", "subject_id"],
        query: "SELECT user_id, subject_id, status FROM friends_and_foes",
    },
    Table {
        name: "avatars",
        key: &["player_id", "avatar_id"],
        query: "SELECT idUser AS player_id, idAvatar AS avatar_id, selected FROM avatars",
    },
    Table {
        name: "game_stats",
        key: &["id"],
        query: "SELECT id, CASE gameType WHEN 'DEMORALIZATION' THEN '0' WHEN 'DOMINATION' THEN '1'
         WHEN 'ERADICATION' THEN '2' WHEN 'SANDBOX' THEN '3' ELSE gameType END AS victory,
         gameMod AS featured_mod_id, host, mapId AS map_version_id, gameName AS name, validity,
         endTime IS NOT NULL AS has_end_time FROM game_stats",
    },
    Table {
        name: "game_player_stats",
        key: &["game_id", "player_id"],
        query: "SELECT gameId AS game_id, playerId AS player_id, AI AS ai, faction, color, team, place, mean,
         deviation, after_mean, after_deviation, score, scoreTime IS NOT NULL AS has_score_time, result
         FROM game_player_stats",
    },
    Table {
        name: "rating_journal",
        key: &["game_id", "player_id", "leaderboard"],
        query: "SELECT s.gameId AS game_id, s.playerId AS player_id, l.technical_name AS leaderboard,
         j.rating_mean_before, j.rating_deviation_before, j.rating_mean_after, j.rating_deviation_after
         FROM leaderboard_rating_journal j JOIN game_player_stats s ON s.id = j.game_player_stats_id
         JOIN leaderboard l ON l.id = j.leaderboard_id",
    },
    Table {
        name: "ratings",
        key: &["player_id", "leaderboard"],
        query: "SELECT r.login_id AS player_id, l.technical_name AS leaderboard, r.mean, r.deviation, r.total_games,
         r.won_games FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id",
    },
    Table {
        name: "teamkills",
        key: &["game_id", "teamkiller", "victim"],
        query: "SELECT teamkiller, victim, game_id, gametime FROM teamkills",
    },
    Table {
        name: "coop_leaderboard",
        key: &["mission", "game_id"],
        query: "SELECT mission, gameuid AS game_id, secondary, time, player_count FROM coop_leaderboard",
    },
    Table {
        name: "mod_stats",
        key: &["mod_id"],
        query: "SELECT mod_id, likes, likers, downloads, times_played FROM mod_stats",
    },
];

/// Returns the differences from the recorded changes relative to the seed.
pub(crate) fn compare(recorded: &Value, seed: &Path, now: &Path) -> Vec<String> {
    let mut findings = unknown(recorded);
    for Table { name, key, query } in TABLES {
        let (seed, now) = (rows(seed, query), rows(now, query));
        let recorded_rows = |change: &str| -> Vec<Value> {
            recorded.get(name).and_then(|changes| changes[change].as_array()).cloned().unwrap_or_default()
        };
        let (removed, added) = unpaired(seed, now, Value::eq);
        let added = compare_rows(name, key, recorded_rows("added_or_changed"), added);
        findings.extend(added.into_iter().map(|finding| format!("database: {finding}")));
        // The old values in the rows of logins were not recorded.
        if name != "login" {
            let removed = compare_rows(name, key, recorded_rows("removed_or_old"), removed);
            findings.extend(removed.into_iter().map(|finding| format!("database, before: {finding}")));
        }
    }
    findings
}

/// Returns recorded tables and kinds of changes that are not compared.
fn unknown(recorded: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    for (table, changes) in recorded.as_object().unwrap() {
        if !TABLES.iter().any(|known| known.name == table) {
            findings.push(format!("database: unknown table {table}"));
        }
        for change in changes.as_object().unwrap().keys() {
            if change != "added_or_changed" && change != "removed_or_old" {
                findings.push(format!("database: unknown change {change} of {table}"));
            }
        }
    }
    findings
}

/// Returns the rows that only one side has; for rows with the same key, the columns that differ.
fn compare_rows(table: &str, key: &[&str], recorded: Vec<Value>, found: Vec<Value>) -> Vec<String> {
    let (missing, mut additional) = unpaired(recorded, found, is_same);
    let mut findings = Vec::new();
    for row in missing {
        let is_about_the_same = |other: &Value| key.iter().all(|column| other[column] == row[column]);
        match additional.iter().position(is_about_the_same) {
            Some(position) => findings.extend(differences(table, &row, &additional.remove(position))),
            None => findings.push(format!("{table} lacks {row}")),
        }
    }
    findings.extend(additional.iter().map(|row| format!("{table} has {row}")));
    findings
}

fn rows(database: &Path, query: &str) -> Vec<Value> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |(column, name): (usize, &String)| {
            let value = match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                ValueRef::Blob(_) => "a blob".into(),
            };
            Ok((name.clone(), value))
        };
        let row: rusqlite::Result<Map<String, Value>> = columns.iter().enumerate().map(cell).collect();
        Ok(Value::Object(row?))
    };
    statement.query_map((), row).unwrap().collect::<Result<_, _>>().unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_table_is_a_finding() {
        let recorded = json!({"mod_stats": {"added_or_changed": []}, "moderation": {"added_or_changed": []}});
        assert_eq!(unknown(&recorded), ["database: unknown table moderation"]);
        let recorded = json!({"mod_stats": {"added_or_changed": [], "renamed": []}});
        assert_eq!(unknown(&recorded), ["database: unknown change renamed of mod_stats"]);
    }

    #[test]
    fn rows_are_compared_by_key() {
        let row = |id: u32, score: i32| json!({"game_id": id, "player_id": 1, "score": score});
        let compare = |recorded: &[Value], found: &[Value]| {
            compare_rows("t", &["game_id", "player_id"], recorded.to_vec(), found.to_vec())
        };
        assert!(compare(&[row(1, 2), row(2, 3)], &[row(2, 3), row(1, 2)]).is_empty());
        assert_eq!(compare(&[row(1, 2)], &[row(1, 3)]), ["t.score is 3, was 2"]);
        // A team kill is stored twice, or once instead of twice.
        assert_eq!(compare(&[row(1, 2)], &[row(1, 2), row(1, 2)]).len(), 1);
        assert_eq!(compare(&[row(1, 2), row(1, 2)], &[row(1, 2)]).len(), 1);
        assert_eq!(compare(&[row(1, 2)], &[]), [r#"t lacks {"game_id":1,"player_id":1,"score":2}"#]);
    }
}
