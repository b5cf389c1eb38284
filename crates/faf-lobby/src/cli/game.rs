//! `faf-lobby game`: games that were launched.

use clap::Subcommand;
use faf_lobby_core::escaped;
use faf_lobby_core::validity::Validity;
use serde_json::{Value, json};

use super::{print_line, whole, with_existing_store};
use crate::exit_code::Failure;
use crate::store::{Database, GameFilter, LaunchedGame, ListedGame};

#[derive(Debug, Subcommand)]
pub(super) enum Commands {
    /// List games that were launched, the newest first
    List {
        /// Only games of this account
        #[arg(long, value_name = "NAME")]
        player: Option<String>,
        /// Only games that are over and were not rated; `faf-lobby explain game ID` shows why
        #[arg(long)]
        unrated: bool,
        /// Maximum number of games
        #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = whole::<u32>(1..=1_000_000))]
        limit: u32,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Commands, database: &Database) -> Result<(), Failure> {
    let Commands::List { player, unrated, limit, json } = command;
    let filter = GameFilter { player, is_unrated: unrated, is_match: false, limit };
    let games = with_existing_store(database, async |store| store.list_games(filter).await)?;
    if json {
        games.iter().for_each(|game| print_line(&listed_as_json(game)));
        return Ok(());
    }
    print_line(&heading());
    games.iter().for_each(|game| print_line(&as_text(game)));
    Ok(())
}

fn validity(game: &LaunchedGame) -> &'static str {
    match game.validity {
        _ if game.is_live => "not over yet",
        Some(validity) => validity.name(),
        None => "of unknown validity",
    }
}

/// Returns the heading of a list of games.
pub(super) fn heading() -> String {
    format!(
        "{:>8}  {:<25}  {:<24}  {:<10}  {}",
        "number", "launched", "validity", "mod", "title, host and players"
    )
}

pub(super) fn as_text(ListedGame { game, players }: &ListedGame) -> String {
    let players: Vec<String> = players.iter().map(|player| escaped(player).to_string()).collect();
    format!(
        "{:>8}  {:<25}  {:<24}  {:<10}  \"{}\" of {}: {}",
        game.id.0,
        game.launched_at.to_string(),
        validity(game),
        escaped(&game.featured_mod),
        escaped(&game.title),
        escaped(&game.host),
        players.join(", ")
    )
}

pub(super) fn listed_as_json(ListedGame { game, players }: &ListedGame) -> Value {
    let mut value = as_json(game);
    value["players"] = players.iter().map(|player| escaped(player).to_string()).collect();
    value
}

/// Texts are escaped here as well: this is read on terminals.
pub(super) fn as_json(game: &LaunchedGame) -> Value {
    let shown = |text: &str| escaped(text).to_string();
    json!({
        "id": game.id.0,
        "title": shown(&game.title),
        "host": shown(&game.host),
        "featured_mod": shown(&game.featured_mod),
        "map": game.map.as_deref().map(shown),
        "launched_at": game.launched_at.to_string(),
        "ended_at": game.ended_at.map(|at| at.to_string()),
        "is_live": game.is_live,
        "validity": game.validity.map(Validity::name),
    })
}
