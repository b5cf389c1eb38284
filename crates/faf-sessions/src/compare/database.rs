//! Comparison of changes in the database.

use std::collections::BTreeMap;

use serde_json::Value;

use super::values::{differences, is_same, unpaired};

/// Rows of tables, by the neutral name of the table; each row is an object with a member for
/// each column.
pub type Tables = BTreeMap<&'static str, Vec<Value>>;

/// Names of the tables that are compared, with the columns that identify a row.
pub const TABLES: [(&str, &[&str]); 11] = [
    ("login", &["id"]),
    ("friends_and_foes", &["user_id", "subject_id"]),
    ("avatars", &["player_id", "avatar_id"]),
    ("game_stats", &["id"]),
    ("game_player_stats", &["game_id", "player_id"]),
    ("matchmaker_queue_game", &["game_id"]),
    ("rating_journal", &["game_id", "player_id", "leaderboard"]),
    ("ratings", &["player_id", "leaderboard"]),
    ("teamkills", &["game_id", "teamkiller", "victim"]),
    ("coop_leaderboard", &["mission", "game_id"]),
    ("mod_stats", &["mod_id"]),
];

/// Returns the differences between recorded changes and those from `before` to `now`. A table that
/// one of the two lacks has no rows there.
#[must_use]
pub fn compare(recorded: &Value, before: &Tables, now: &Tables) -> Vec<String> {
    let mut findings = unknown(recorded);
    for (name, key) in TABLES {
        let rows = |tables: &Tables| tables.get(name).cloned().unwrap_or_default();
        let recorded_rows = |change: &str| -> Vec<Value> {
            recorded.get(name).and_then(|changes| changes[change].as_array()).cloned().unwrap_or_default()
        };
        let (removed, added) = unpaired(rows(before), rows(now), Value::eq);
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
    for (table, changes) in recorded.as_object().into_iter().flatten() {
        if !TABLES.iter().any(|(known, _)| known == table) {
            findings.push(format!("database: unknown table {table}"));
        }
        for (change, _) in changes.as_object().into_iter().flatten() {
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
