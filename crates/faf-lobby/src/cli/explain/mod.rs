//! `faf-lobby explain`: the reasons for stored results, and for searches without a match.

mod game;
mod player;

use clap::Subcommand;
use faf_protocol::GameId;

use super::whole;
use crate::config::Settings;
use crate::exit_code::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum Commands {
    /// Show how a game went, what was stored of it, and why it was rated or not
    Game {
        /// Number of the game
        #[arg(value_name = "ID", value_parser = whole::<u32>(0..=u64::from(u32::MAX)))]
        id: u32,
        /// Print it as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show for which matches a player searches, why there is none yet, and the last matches
    Player {
        /// Name of the account
        name: String,
        /// Print it as one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Commands, settings: &Settings) -> Result<(), Failure> {
    match command {
        Commands::Game { id, json } => game::run(GameId(*id), *json, &settings.database()),
        Commands::Player { name, json } => player::run(name, *json, settings),
    }
}
