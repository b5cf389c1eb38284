//! `faf-lobby explain game`: how a game went, and why it was rated or not.

use std::fmt::Write;

use anyhow::Context;
use faf_lobby_core::{Decision, escaped};
use faf_protocol::GameId;
use faf_protocol::server_message::Rating;
use serde_json::{Value, json};

use crate::cli::{game, print_line, with_existing_store};
use crate::exit_code::Failure;
use crate::store::{Database, GameRecord, LaunchedGame, PlayerRecord};

pub(super) fn run(id: GameId, json: bool, database: &Database) -> Result<(), Failure> {
    let record = with_existing_store(database, async |store| store.game_record(id).await)?;
    let record = record.with_context(|| {
        format!("game {id} is not in the database: it was never launched, or has another number")
    })?;
    match json {
        true => print_line(&as_json(&record)),
        false => print_line(explained(&record).trim_end()),
    }
    Ok(())
}

fn explained(game: &GameRecord) -> String {
    let mut text = heading(&game.game);
    text.push_str(&players(&game.players));
    text.push('\n');
    match &game.decisions {
        Some(decisions) => decisions.iter().flat_map(Decision::lines).for_each(|line| {
            // Options are texts of clients, which must not move the cursor.
            text.push_str(&format!("{}\n", escaped(&line)));
        }),
        None => text.push_str("the reasons for its validity were not stored, or cannot be read\n"),
    }
    text
}

fn heading(game: &LaunchedGame) -> String {
    let map = game.map.as_deref().unwrap_or("a map that is not in the vault");
    let end = match (game.ended_at, game.is_live) {
        (_, true) => "not over yet".to_owned(),
        (Some(at), _) => format!("ended at {at}"),
        (None, false) => "ended at an unknown time".to_owned(),
    };
    let validity = game.validity.map_or("of unknown validity", |validity| validity.name());
    format!(
        "game {}: \"{}\", hosted by {}, {} on {}\nlaunched at {}, {end}, {validity}\n\n",
        game.id,
        escaped(&game.title),
        escaped(&game.host),
        escaped(&game.featured_mod),
        escaped(map),
        game.launched_at
    )
}

fn players(players: &[PlayerRecord]) -> String {
    if players.is_empty() {
        return "no players are stored\n".to_owned();
    }
    let mut text =
        format!("{:>4}  {:<30}  {:<11}  {:>5}  {}\n", "team", "player", "result", "score", "rating");
    for record in players {
        let player = format!("{} ({})", escaped(&record.login), record.player);
        let result = record.result.as_deref().unwrap_or("-");
        let score = record.score.map_or("-".to_owned(), |score| score.to_string());
        let ratings: Vec<_> = record
            .ratings
            .iter()
            .map(|change| {
                format!("{}: {} -> {}", change.leaderboard, shown(change.before), shown(change.after))
            })
            .collect();
        let ratings = if ratings.is_empty() { "unchanged".to_owned() } else { ratings.join("; ") };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:>4}  {player:<30}  {result:<11}  {score:>5}  {ratings}", record.team);
    }
    text
}

/// Texts are escaped here as well: this is read on terminals.
fn as_json(game: &GameRecord) -> Value {
    let shown = |text: &str| escaped(text).to_string();
    let rating = |rating: Rating| json!([rating.mean, rating.deviation]);
    let player = |record: &PlayerRecord| {
        json!({
            "id": record.player.0,
            "login": shown(&record.login),
            "team": record.team,
            "result": record.result,
            "score": record.score,
            "ratings": record.ratings.iter().map(|change| json!({
                "leaderboard": change.leaderboard,
                "before": rating(change.before),
                "after": rating(change.after),
            })).collect::<Vec<_>>(),
        })
    };
    let mut value = game::as_json(&game.game);
    value["players"] = game.players.iter().map(player).collect();
    let lines = game.decisions.as_ref().map(|decisions| decisions.iter().flat_map(Decision::lines));
    value["why"] = json!(lines.map(|lines| lines.map(|line| shown(&line)).collect::<Vec<_>>()));
    value
}

/// Formats estimate and uncertainty.
fn shown(rating: Rating) -> String {
    format!("{:.2}/{:.2}", rating.mean, rating.deviation)
}
