//! Comparison of changes in the database.

use faf_lobby::store::facts::{Facts, LoginFact};
use faf_lobby_core::Relation;
use serde_json::{Value, json};

use crate::values::{differences, is_same, unpaired};

/// A table with the neutral names of the recording.
struct Table {
    name: &'static str,
    /// Columns that identify a row.
    key: &'static [&'static str],
    rows: fn(&Facts) -> Vec<Value>,
}

const TABLES: [Table; 11] = [
    Table { name: "login", key: &["id"], rows: logins },
    Table { name: "friends_and_foes", key: &["user_id", "subject_id"], rows: relations },
    Table { name: "avatars", key: &["player_id", "avatar_id"], rows: avatars },
    Table { name: "game_stats", key: &["id"], rows: games },
    Table { name: "game_player_stats", key: &["game_id", "player_id"], rows: players },
    Table { name: "matchmaker_queue_game", key: &["game_id"], rows: queue_games },
    Table { name: "rating_journal", key: &["game_id", "player_id", "leaderboard"], rows: journal },
    Table { name: "ratings", key: &["player_id", "leaderboard"], rows: ratings },
    Table { name: "teamkills", key: &["game_id", "teamkiller", "victim"], rows: teamkills },
    Table { name: "coop_leaderboard", key: &["mission", "game_id"], rows: missions },
    Table { name: "mod_stats", key: &["mod_id"], rows: mods },
];

fn logins(facts: &Facts) -> Vec<Value> {
    let row = |fact: &LoginFact| {
        json!({"id": fact.id, "ip": fact.ip, "user_agent": fact.user_agent,
               "has_last_login": i32::from(fact.has_last_login)})
    };
    facts.logins.iter().map(row).collect()
}

fn relations(facts: &Facts) -> Vec<Value> {
    let rows = facts.relations.iter().map(|(player, subject, relation)| {
        let status = if *relation == Relation::Friend { "FRIEND" } else { "FOE" };
        json!({"user_id": player, "subject_id": subject, "status": status})
    });
    rows.collect()
}

fn avatars(facts: &Facts) -> Vec<Value> {
    let rows = facts.avatars.iter().map(|fact| {
        json!({"player_id": fact.player_id, "avatar_id": fact.avatar_id, "selected": i32::from(fact.is_selected)})
    });
    rows.collect()
}

fn games(facts: &Facts) -> Vec<Value> {
    const VICTORY: [&str; 4] = ["DEMORALIZATION", "DOMINATION", "ERADICATION", "SANDBOX"];

    let rows = facts.games.iter().map(|fact| {
        let number = VICTORY.iter().position(|name| *name == fact.victory);
        let victory = number.map_or(fact.victory.clone(), |number| number.to_string());
        json!({"id": fact.id, "victory": victory, "featured_mod_id": fact.featured_mod, "host": fact.host,
               "map_version_id": fact.map_version, "name": fact.title, "validity": fact.validity,
               "has_end_time": i32::from(fact.ended_at.is_some())})
    });
    rows.collect()
}

fn players(facts: &Facts) -> Vec<Value> {
    let rows = facts.players.iter().map(|fact| {
        let after = fact.after.map(|after| (after.mean, after.deviation)).unzip();
        json!({"game_id": fact.game_id, "player_id": fact.player_id, "ai": 0, "faction": fact.faction,
               "color": fact.color, "team": fact.team, "place": fact.place, "mean": fact.before.mean,
               "deviation": fact.before.deviation, "after_mean": after.0, "after_deviation": after.1,
               "score": fact.score, "has_score_time": i32::from(fact.has_score_time), "result": fact.result})
    });
    rows.collect()
}

fn queue_games(facts: &Facts) -> Vec<Value> {
    facts.queue_games.iter().map(|(game, queue)| json!({"game_id": game, "queue_id": queue})).collect()
}

fn journal(facts: &Facts) -> Vec<Value> {
    let rows = facts.journal.iter().map(|fact| {
        json!({"game_id": fact.game_id, "player_id": fact.player_id, "leaderboard": fact.leaderboard,
               "rating_mean_before": fact.before.mean, "rating_deviation_before": fact.before.deviation,
               "rating_mean_after": fact.after.mean, "rating_deviation_after": fact.after.deviation})
    });
    rows.collect()
}

fn ratings(facts: &Facts) -> Vec<Value> {
    let rows = facts.ratings.iter().map(|fact| {
        json!({"player_id": fact.player_id, "leaderboard": fact.leaderboard, "mean": fact.rating.mean,
               "deviation": fact.rating.deviation, "total_games": fact.total_games, "won_games": fact.won_games})
    });
    rows.collect()
}

fn teamkills(facts: &Facts) -> Vec<Value> {
    let rows = facts.teamkills.iter().map(|fact| {
        json!({"teamkiller": fact.teamkiller, "victim": fact.victim, "game_id": fact.game_id,
               "gametime": fact.gametime})
    });
    rows.collect()
}

fn missions(facts: &Facts) -> Vec<Value> {
    let rows = facts.missions.iter().map(|fact| {
        json!({"mission": fact.mission, "game_id": fact.game_id, "secondary": i32::from(fact.secondary),
               "time": fact.time, "player_count": fact.player_count})
    });
    rows.collect()
}

fn mods(facts: &Facts) -> Vec<Value> {
    let rows = facts.mods.iter().map(|fact| {
        json!({"mod_id": fact.mod_id, "likes": fact.likes, "likers": fact.likers, "downloads": fact.downloads,
               "times_played": fact.times_played})
    });
    rows.collect()
}

/// Returns the differences from the recorded changes against the seed.
pub(crate) fn compare(recorded: &Value, seed: &Facts, now: &Facts) -> Vec<String> {
    let mut findings = unknown(recorded);
    for Table { name, key, rows } in TABLES {
        let (seed, now) = (rows(seed), rows(now));
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
