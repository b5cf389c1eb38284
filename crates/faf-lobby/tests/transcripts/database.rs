//! The rows of the database, with the neutral names of the recordings.

use faf_lobby::store::facts::{Facts, LoginFact};
use faf_lobby_core::Relation;
use faf_sessions::compare::database::Tables;
use serde_json::{Value, json};

/// Returns the rows that sessions record.
pub(crate) fn tables(facts: &Facts) -> Tables {
    Tables::from([
        ("login", logins(facts)),
        ("friends_and_foes", relations(facts)),
        ("avatars", avatars(facts)),
        ("game_stats", games(facts)),
        ("game_player_stats", players(facts)),
        ("matchmaker_queue_game", queue_games(facts)),
        ("rating_journal", journal(facts)),
        ("ratings", ratings(facts)),
        ("teamkills", teamkills(facts)),
        ("coop_leaderboard", missions(facts)),
        ("mod_stats", mods(facts)),
    ])
}

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
