//! The command line. Operators script against it, so spellings stay.

mod backup;
mod check;
mod config;
pub mod embedding;
mod explain;
mod game;
mod order;
mod reload;
mod replay;
mod serve;
mod signals;
mod user;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{CATALOGUE, Effective, Entry, Kind, Settings, Sources};
use crate::exit_code::{self, Failure};
use crate::store::{SeedError, Store, read_seed};

/// What is meant if no command is given.
const DEFAULT_COMMAND: &str = "serve";

/// Carries out a command line.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let matches = match parse(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // A closed standard output is no reason to fail.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit_code::USAGE } else { exit_code::SUCCESS });
        }
    };
    match execute(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "faf-lobby: {failure}");
            failure.into()
        }
    }
}

fn execute(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("serve", arguments)) => {
            let again = arguments.clone();
            serve::run(effective(arguments)?, move || Effective::load(&sources(&again)))
        }
        Some(("user", arguments)) => user::run(arguments),
        Some(("seed", arguments)) => seed(arguments),
        Some(("explain", arguments)) => explain::run(arguments),
        Some(("replay", arguments)) => replay::run(arguments),
        Some(("game", arguments)) => game::run(arguments),
        Some(("backup", arguments)) => backup::run(arguments),
        Some(("config", arguments)) => config::run(arguments),
        Some(("check", arguments)) => check::run(&settings(arguments)?),
        _ => unreachable!("clap knows no other command"),
    }
}

fn command() -> Command {
    let database = CATALOGUE.iter().filter(|entry| entry.name == "database").map(flag);
    Command::new("faf-lobby")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A lobby server for Forged Alliance Forever. Without a command it serves.")
        .after_help(exit_code::HELP)
        .subcommand_required(true)
        .arg(config_flag().global(true))
        .subcommand(
            Command::new("serve")
                .about("Run the server")
                // Scripts append flags to those of others: the last one counts.
                .args_override_self(true)
                .after_help(exit_code::HELP)
                .args(CATALOGUE.iter().map(flag)),
        )
        .subcommand(user::command().args(database.clone().map(|flag| flag.global(true))))
        .subcommand(
            Command::new("seed")
                .about("Fill a new database from a file; docs/src/guide/seed-format.md describes it")
                .arg(Arg::new("file").required(true).value_name("FILE").value_parser(ValueParser::path_buf()))
                .args(database.clone()),
        )
        .subcommand(explain::command().args(database.clone().map(|flag| flag.global(true))))
        .subcommand(game::command().args(database.clone().map(|flag| flag.global(true))))
        .subcommand(backup::command().args(database))
        .subcommand(replay::command())
        .subcommand(config::command())
        .subcommand(
            Command::new("check")
                .about("Check the configuration, and whether what it names is there")
                .args_override_self(true)
                .args(CATALOGUE.iter().map(flag)),
        )
}

fn config_flag() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .help("File with settings; see `faf-lobby config` [env: FAF_LOBBY_CONFIG]")
}

/// The flag of a setting.
fn flag(entry: &Entry) -> Arg {
    let help = format!("{} [default: {}] [env: {}]", entry.help(), entry.default, entry.variable());
    let flag = Arg::new(entry.name)
        .long(entry.flag())
        .value_name(entry.value_name())
        .help_heading(entry.section)
        .help(help);
    match entry.kind {
        Kind::Switch => flag.num_args(0..=1).require_equals(true).default_missing_value("true"),
        // Clap would take `--flag -1` for two flags.
        _ => flag.action(ArgAction::Set).allow_hyphen_values(true),
    }
}

/// Reads a command line. Where it begins with a flag of the default command, or is empty, that one is meant.
fn parse(mut arguments: Vec<OsString>) -> Result<ArgMatches, clap::Error> {
    let error = match command().try_get_matches_from(&arguments) {
        Ok(matches) => return Ok(matches),
        Err(error) => error,
    };
    let begins_with_flag = arguments.get(1).is_none_or(|first| first.to_string_lossy().starts_with('-'));
    match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand
            if begins_with_flag =>
        {
            arguments.insert(arguments.len().min(1), DEFAULT_COMMAND.into());
            command().try_get_matches_from(arguments)
        }
        _ => Err(error),
    }
}

/// The settings from all their sources.
fn settings(arguments: &ArgMatches) -> Result<Settings, Failure> {
    effective(arguments).map(|effective| effective.settings())
}

/// As above, with where they come from.
fn effective(arguments: &ArgMatches) -> Result<Effective, Failure> {
    Effective::load(&sources(arguments)).map_err(|problems| Failure::new(exit_code::CONFIGURATION, problems))
}

/// Where settings may come from.
fn sources(arguments: &ArgMatches) -> Sources {
    let given = |entry: &Entry| {
        let value = arguments.try_get_one::<String>(entry.name).ok().flatten()?;
        Some((entry.name.to_owned(), value.clone()))
    };
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    Sources {
        flags: CATALOGUE.iter().filter_map(given).collect::<BTreeMap<_, _>>(),
        environment: environment.collect(),
        file: arguments.get_one::<PathBuf>("config").cloned(),
    }
}

/// Does something with the database, on one thread, and leaves everything in its one file.
fn with_store<T>(arguments: &ArgMatches, work: impl AsyncFnOnce(&Store) -> T) -> Result<T, Failure> {
    let settings = settings(arguments)?;
    let database_failure = |error| Failure::new(exit_code::DATABASE, error);
    let store = Store::open(&settings.database).map_err(database_failure)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(anyhow::Error::from)?;
    runtime.block_on(async {
        let done = work(&store).await;
        store.checkpoint().await.map_err(database_failure)?;
        Ok(done)
    })
}

/// As [`with_store`], but a database that does not exist is not made.
fn with_existing_store<T>(arguments: &ArgMatches, work: impl AsyncFnOnce(&Store) -> T) -> Result<T, Failure> {
    let database = settings(arguments)?.database;
    if !database.exists() {
        let problem = anyhow::anyhow!("there is no database {}; see --database", database.display());
        return Err(Failure::new(exit_code::DATABASE, problem));
    }
    with_store(arguments, work)
}

fn seed(arguments: &ArgMatches) -> Result<(), Failure> {
    let path = arguments.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let file = read_seed(&path).map_err(|problem| anyhow::anyhow!("seed {}: {problem}", path.display()))?;
    let planted =
        with_store(arguments, async |store| store.seed(file).await)?.map_err(|error| match error {
            SeedError::Store(error) => Failure::new(exit_code::DATABASE, error),
            other => Failure::new(exit_code::FAILURE, anyhow::anyhow!("seed {}: {other}", path.display())),
        })?;
    say(&format!("planted {planted}"));
    Ok(())
}

/// Reads a whole number within bounds; says in words what is wrong with another one.
fn whole<N: TryFrom<u64>>(
    bounds: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        let (least, most) = (bounds.start(), bounds.end());
        let problem = || format!("it is not a whole number from {least} to {most}");
        number.and_then(|number| N::try_from(number).ok()).ok_or_else(problem)
    }
}

/// Writes a line to standard output.
fn say(line: &(impl fmt::Display + ?Sized)) {
    // Whoever does not want to read it has closed the pipe.
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command that is understood, or the kind of error.
    fn understood(line: &str) -> Result<String, ErrorKind> {
        let matches = parse(line.split_whitespace().map(OsString::from).collect());
        matches.map(|matches| matches.subcommand_name().unwrap().to_owned()).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn serving_is_meant_where_no_command_is_named() {
        for serve in [
            "faf-lobby",
            "faf-lobby --http off",
            "faf-lobby --config x --http off",
            "faf-lobby --config x",
            "faf-lobby --database user",
        ] {
            assert_eq!(understood(serve).as_deref(), Ok("serve"), "{serve}");
        }
        assert_eq!(understood("faf-lobby user list").as_deref(), Ok("user"));
        assert_eq!(understood("faf-lobby --config x user list").as_deref(), Ok("user"));
        assert_eq!(understood("faf-lobby srve"), Err(ErrorKind::InvalidSubcommand));
        assert_eq!(understood("faf-lobby --no-such-flag"), Err(ErrorKind::UnknownArgument));
        assert_eq!(understood("faf-lobby --help"), Err(ErrorKind::DisplayHelp));
    }

    #[test]
    fn every_setting_is_a_flag() {
        let line = "faf-lobby serve --open-registration --allow-password-login=false --message-limit 100000";
        let matches = command().try_get_matches_from(line.split(' ')).unwrap();
        let (_, arguments) = matches.subcommand().unwrap();
        let settings = settings(arguments).unwrap();
        assert_eq!(settings.open_registration, crate::config::OpenRegistration::OnLoopback);
        assert!(!settings.allow_password_login);
        assert_eq!(settings.message_limit, 100_000);
    }
}
