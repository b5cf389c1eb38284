//! `faf-lobby explain`: why something is as it is.

use std::fmt::Write;

use clap::{Arg, ArgMatches, Command, value_parser};
use faf_protocol::GameId;
use faf_protocol::server_message::Rating;

use super::{say, settings, with_store};
use crate::exit_code::{self, Failure};
use crate::store::{GameRecord, PlayerRecord};

pub(super) fn command() -> Command {
    let id = Arg::new("id")
        .required(true)
        .value_name("ID")
        .value_parser(value_parser!(u32))
        .help("Number of the game");
    Command::new("explain")
        .about("Tell why something is as it is; also while a server runs")
        .subcommand_required(true)
        .subcommand(
            Command::new("game")
                .about("Tell how a game went, what was stored of it, and why it was rated or not")
                .arg(id),
        )
}

pub(super) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let Some(("game", arguments)) = arguments.subcommand() else {
        unreachable!("clap wants a command it knows")
    };
    let id = GameId(arguments.get_one("id").copied().unwrap_or_default());
    let database = settings(arguments)?.database;
    if !database.exists() {
        let problem = anyhow::anyhow!("there is no database {}; see --database", database.display());
        return Err(Failure::new(exit_code::DATABASE, problem));
    }
    let record = with_store(arguments, async |store| store.game_record(id).await)?
        .map_err(|error| Failure::new(exit_code::DATABASE, error))?;
    match record {
        Some(record) => {
            say(explained(&record).trim_end());
            Ok(())
        }
        None => Err(anyhow::anyhow!(
            "game {id} is not in the database: it was never launched, or has another number"
        )
        .into()),
    }
}

fn explained(game: &GameRecord) -> String {
    let mut text = heading(game);
    text.push_str(&players(&game.players));
    text.push('\n');
    match &game.decisions {
        Some(decisions) => decisions.iter().for_each(|decision| {
            // Options are what some client has sent; what is in them must not move the cursor.
            let line = decision.to_string().replace(char::is_control, "\u{FFFD}");
            text.push_str(&format!("{line}\n"));
        }),
        None => text.push_str("why it counts or not was not stored, or cannot be read\n"),
    }
    text
}

fn heading(game: &GameRecord) -> String {
    let map = game.map.as_deref().unwrap_or("a map that is not in the vault");
    // A title is what some client has sent; what is in it must not move the cursor.
    let title = game.title.replace(char::is_control, "\u{FFFD}");
    let end = match (game.ended_at, game.is_live) {
        (_, true) => "not over yet".to_owned(),
        (Some(at), _) => format!("ended at {at}"),
        (None, false) => "it is not known when it ended".to_owned(),
    };
    let validity = game.validity.map_or("of unknown validity", |validity| validity.name());
    format!(
        "game {}: \"{title}\", hosted by {}, {} on {map}\nlaunched at {}, {end}, {validity}\n\n",
        game.id, game.host, game.featured_mod, game.launched_at
    )
}

fn players(players: &[PlayerRecord]) -> String {
    if players.is_empty() {
        return "nothing is stored of any player\n".to_owned();
    }
    let mut text =
        format!("{:>4}  {:<30}  {:<11}  {:>5}  {}\n", "team", "player", "result", "score", "rating");
    for record in players {
        let player = format!("{} ({})", record.login, record.player);
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
        // Writing to a text does not fail.
        let _ = writeln!(text, "{:>4}  {player:<30}  {result:<11}  {score:>5}  {ratings}", record.team);
    }
    text
}

/// Estimate and uncertainty.
fn shown(rating: Rating) -> String {
    format!("{:.2}/{:.2}", rating.mean, rating.deviation)
}
