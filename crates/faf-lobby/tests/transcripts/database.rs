//! What has changed in the database.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use crate::compare::{numbers_alike, six_digits};

/// The tables in the neutral naming of the recording.
const TABLES: [(&str, &str); 10] = [
    ("login", "SELECT id, ip, user_agent, last_login IS NOT NULL AS has_last_login FROM login"),
    ("friends_and_foes", "SELECT user_id, subject_id, status FROM friends_and_foes"),
    ("avatars", "SELECT idUser AS player_id, idAvatar AS avatar_id, selected FROM avatars"),
    (
        "game_stats",
        "SELECT id, CASE gameType WHEN 'DEMORALIZATION' THEN '0' WHEN 'DOMINATION' THEN '1' WHEN 'ERADICATION' THEN '2'
         WHEN 'SANDBOX' THEN '3' ELSE gameType END AS victory, gameMod AS featured_mod_id, host, mapId AS map_version_id,
         gameName AS name, validity, endTime IS NOT NULL AS has_end_time FROM game_stats",
    ),
    (
        "game_player_stats",
        "SELECT gameId AS game_id, playerId AS player_id, AI AS ai, faction, color, team, place, mean, deviation,
         after_mean, after_deviation, score, scoreTime IS NOT NULL AS has_score_time, result FROM game_player_stats",
    ),
    (
        "rating_journal",
        "SELECT s.gameId AS game_id, s.playerId AS player_id, l.technical_name AS leaderboard, j.rating_mean_before,
         j.rating_deviation_before, j.rating_mean_after, j.rating_deviation_after FROM leaderboard_rating_journal j
         JOIN game_player_stats s ON s.id = j.game_player_stats_id JOIN leaderboard l ON l.id = j.leaderboard_id",
    ),
    (
        "ratings",
        "SELECT r.login_id AS player_id, l.technical_name AS leaderboard, r.mean, r.deviation, r.total_games, r.won_games
         FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id",
    ),
    ("teamkills", "SELECT teamkiller, victim, game_id, gametime FROM teamkills"),
    (
        "coop_leaderboard",
        "SELECT mission, gameuid AS game_id, secondary, time, player_count FROM coop_leaderboard",
    ),
    ("mod_stats", "SELECT mod_id, likes, likers, downloads, times_played FROM mod_stats"),
];

/// What differs from the recorded changes against the seed.
pub(crate) fn compare(place: &str, recorded: &Value, seed: &Path, now: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    for (table, query) in TABLES {
        let (seed, now) = (rows(seed, query), rows(now, query));
        let changes = recorded.get(table);
        let recorded_rows = |key: &str| -> BTreeSet<String> {
            let rows = changes.and_then(|changes| changes[key].as_array());
            rows.into_iter().flatten().map(|row| numbers_alike(row.clone()).to_string()).collect()
        };
        let mut compare = |what: &str, expected: &BTreeSet<String>, found: &BTreeSet<&String>| {
            for row in expected.iter().filter(|row| !found.contains(row)) {
                findings.push(format!("{place}, {table}: not {what}: {row}"));
            }
            for row in found.iter().filter(|row| !expected.contains(**row)) {
                findings.push(format!("{place}, {table}: {what}: {row}"));
            }
        };
        compare("stored", &recorded_rows("added_or_changed"), &now.difference(&seed).collect());
        // What stood before in the rows of logins was not recorded.
        if table != "login" {
            compare("removed", &recorded_rows("removed_or_old"), &seed.difference(&now).collect());
        }
    }
    findings
}

fn rows(database: &Path, query: &str) -> BTreeSet<String> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |(column, name): (usize, &String)| {
            let value = match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => six_digits(number).into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                ValueRef::Blob(_) => "a blob".into(),
            };
            Ok((name.clone(), value))
        };
        let row: rusqlite::Result<Map<String, Value>> = columns.iter().enumerate().map(cell).collect();
        Ok(numbers_alike(row?.into()).to_string())
    };
    statement.query_map((), row).unwrap().collect::<Result<_, _>>().unwrap()
}
