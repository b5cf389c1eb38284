//! `faf-lobby backup`.

use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command};

use super::{say, settings};
use crate::exit_code::{self, Failure};
use crate::store::{BackupError, back_up};

pub(super) fn command() -> Command {
    let file = Arg::new("file")
        .required(true)
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .help("The copy, which must not exist yet");
    Command::new("backup")
        .about("Copy the database as it is now, also while a server runs; docs/src/guide/operate.md tells how to restore it")
        .arg(file)
}

pub(super) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let database = settings(arguments)?.database;
    let copy = arguments.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let size = back_up(&database, &copy).map_err(|error| {
        let code = match &error {
            BackupError::Database { .. } => exit_code::DATABASE,
            BackupError::Copy { .. } => exit_code::FAILURE,
        };
        Failure::new(code, error)
    })?;
    say(&format!("{} has been copied to {}, {size} bytes", database.display(), copy.display()));
    Ok(())
}
