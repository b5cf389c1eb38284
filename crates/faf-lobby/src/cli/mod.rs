//! The command line. Operators use it in scripts, so names and flags stay.

mod backup;
mod check;
mod cluster;
mod config;
mod core;
pub mod embedding;
mod explain;
mod flags;
mod game;
mod gateway;
mod healthcheck;
mod judge;
pub(crate) mod matchmaking;
mod order;
mod reload;
mod replay;
mod serve;
mod service_manager;
mod signals;
mod user;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::flags::{All, Files, Flags, OfCluster, OfCore, OfDatabase, OfGateway};
use crate::config::{Effective, Sources};
use crate::exit_code::{self, Failure};
use crate::store::{Database, SeedError, Store, read_seed};
use crate::version::version_and_parts;

/// The command that runs if none is given.
const DEFAULT_COMMAND: &str = "serve";

/// A lobby server for Forged Alliance Forever. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "faf-lobby", version = version_and_parts(), after_help = exit_code::HELP, arg_required_else_help = false)]
struct CommandLine {
    /// File with settings; see `faf-lobby config` [env: FAF_LOBBY_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// YAML file with settings of FAF's server [env: CONFIGURATION_FILE]
    #[arg(long, value_name = "FILE", global = true)]
    configuration_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    /// Run the server
    // Scripts append flags to those of others: the last one counts.
    #[command(args_override_self = true, after_help = exit_code::HELP)]
    Serve(Flags<All>),
    /// Run a gateway of a lobby of several processes: the connections of clients;
    /// docs/src/guide/cluster.md describes it
    #[command(args_override_self = true, after_help = exit_code::HELP)]
    Gateway(Flags<OfGateway>),
    /// Run a core of a lobby of several processes: the world, of which one core leads
    #[command(args_override_self = true, after_help = exit_code::HELP)]
    Core {
        #[command(flatten)]
        flags: Flags<OfCore>,
        /// Ask the core that leads to hand over to this one, as soon as it is ready
        #[arg(long)]
        take_over: bool,
    },
    /// Show the processes of a lobby of several, or let another core lead
    #[command(arg_required_else_help = false)]
    Cluster {
        #[command(flatten)]
        flags: Flags<OfCluster>,
        #[command(subcommand)]
        command: Option<cluster::Commands>,
    },
    /// Create, list and change accounts, also while a server runs
    #[command(arg_required_else_help = false)]
    User {
        #[command(flatten)]
        flags: Flags<OfDatabase>,
        #[command(subcommand)]
        command: user::Commands,
    },
    /// Fill a new database from a file; docs/src/guide/seed-format.md describes it
    Seed {
        #[command(flatten)]
        flags: Flags<OfDatabase>,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Explain stored results and searches for matches, also while a server runs
    #[command(arg_required_else_help = false)]
    Explain {
        #[command(flatten)]
        flags: Flags<OfDatabase>,
        #[command(subcommand)]
        command: explain::Commands,
    },
    /// List games, also while a server runs
    #[command(arg_required_else_help = false)]
    Game {
        #[command(flatten)]
        flags: Flags<OfDatabase>,
        #[command(subcommand)]
        command: game::Commands,
    },
    /// Copy the database in its current state, also while a server runs; docs/src/guide/operate.md
    /// describes how to restore it
    Backup {
        #[command(flatten)]
        flags: Flags<OfDatabase>,
        /// The copy, which must not exist yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Run a recording through the lobby again; docs/src/guide/recordings.md describes it
    #[command(after_help = exit_code::HELP)]
    Replay(replay::Arguments),
    /// Compare a recording of another server with what this one would have sent its clients;
    /// docs/src/guide/judge.md describes it
    #[command(after_help = exit_code::HELP)]
    Judge(judge::Arguments),
    /// Experiment with the matchmaker
    #[command(arg_required_else_help = false)]
    Matchmaking {
        #[command(subcommand)]
        command: matchmaking::Commands,
    },
    /// Print the configuration file with all settings at their defaults, or the effective values
    #[command(args_override_self = true)]
    Config {
        #[command(flatten)]
        flags: Flags<All>,
        /// Print each setting with its effective value and origin
        #[arg(long)]
        effective: bool,
    },
    /// Ask the running server of this configuration whether it is ready: exit code 0 if it is
    #[command(args_override_self = true)]
    Healthcheck(Flags<All>),
    /// Check the configuration, and the files and services it names
    #[command(args_override_self = true)]
    Check(Flags<All>),
}

/// Executes a command line.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let line = parse(arguments).and_then(|matches| CommandLine::from_arg_matches(&matches));
    let line = match line {
        Ok(line) => line,
        Err(error) => {
            // A closed standard output is not an error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit_code::USAGE } else { exit_code::SUCCESS });
        }
    };
    match execute(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "faf-lobby: {failure}");
            failure.into()
        }
    }
}

fn execute(CommandLine { config, configuration_file, command }: CommandLine) -> Result<(), Failure> {
    let config = Files { own: config, faf: configuration_file };
    let database = |flags: Flags<OfDatabase>| Ok::<_, Failure>(flags.settings(&config)?.database());
    match command {
        Commands::Serve(flags) => {
            let sources = flags.sources(&config);
            serve::run(effective(&sources)?, move || Effective::load(&sources))
        }
        Commands::Gateway(flags) => {
            let sources = flags.sources(&config);
            gateway::run(effective(&sources)?, move || Effective::load(&sources))
        }
        Commands::Core { flags, take_over } => {
            let sources = flags.sources(&config);
            core::run(effective(&sources)?, move || Effective::load(&sources), take_over)
        }
        Commands::Cluster { flags, command } => cluster::run(command, &flags.settings(&config)?),
        Commands::User { flags, command } => user::run(command, &database(flags)?),
        Commands::Seed { flags, file } => seed(&database(flags)?, &file),
        Commands::Explain { flags, command } => explain::run(&command, &flags.settings(&config)?),
        Commands::Game { flags, command } => game::run(command, &database(flags)?),
        Commands::Backup { flags, file } => backup::run(&database(flags)?, &file),
        Commands::Replay(arguments) => replay::run(&arguments),
        Commands::Judge(arguments) => judge::run(&arguments, &config),
        Commands::Matchmaking { command } => matchmaking::run(&command),
        Commands::Config { effective: true, flags } => config::list(&effective(&flags.sources(&config))?),
        Commands::Config { effective: false, .. } => config::print(),
        Commands::Healthcheck(flags) => healthcheck::run(&flags.settings(&config)?),
        Commands::Check(flags) => check::run(&effective(&flags.sources(&config))?),
    }
}

/// Parses a command line. If it is empty or begins with a flag of the default command, it means
/// that command.
fn parse(mut arguments: Vec<OsString>) -> Result<ArgMatches, clap::Error> {
    let error = match CommandLine::command().try_get_matches_from(&arguments) {
        Ok(matches) => return Ok(matches),
        Err(error) => error,
    };
    let begins_with_flag = arguments.get(1).is_none_or(|first| first.to_string_lossy().starts_with('-'));
    match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand
            if begins_with_flag =>
        {
            arguments.insert(arguments.len().min(1), DEFAULT_COMMAND.into());
            CommandLine::command().try_get_matches_from(arguments)
        }
        _ => Err(error),
    }
}

/// Returns the settings, each with its origin.
fn effective(sources: &Sources) -> Result<Effective, Failure> {
    Effective::load(sources).map_err(|problems| Failure::new(exit_code::CONFIGURATION, problems))
}

/// Runs work on the database, on one thread, and leaves all data in its one file.
fn with_store<T, E: Into<Failure>>(
    database: &Database,
    work: impl AsyncFnOnce(&Store) -> Result<T, E>,
) -> Result<T, Failure> {
    let store = Store::open(database)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let done = work(&store).await;
        store.checkpoint().await?;
        done.map_err(Into::into)
    })
}

/// Like [`with_store`], but does not create a database.
fn with_existing_store<T, E: Into<Failure>>(
    database: &Database,
    work: impl AsyncFnOnce(&Store) -> Result<T, E>,
) -> Result<T, Failure> {
    if !database.may_exist() {
        let problem = anyhow!("there is no database {database}; see --database");
        return Err(Failure::new(exit_code::DATABASE, problem));
    }
    with_store(database, work)
}

fn seed(database: &Database, path: &Path) -> Result<(), Failure> {
    let of_file = |problem: &dyn fmt::Display| Failure::from(anyhow!("seed {}: {problem}", path.display()));
    let file = read_seed(path).map_err(|problem| of_file(&problem))?;
    let planted = with_store(database, async |store| {
        store.seed(file).await.map_err(|error| match error {
            SeedError::Store(error) => error.into(),
            other => of_file(&other),
        })
    })?;
    print_line(&format!("seeded {planted}"));
    Ok(())
}

/// Returns a parser of whole numbers within bounds, whose errors name the bounds.
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
fn print_line(line: &(impl fmt::Display + ?Sized)) {
    // If the reader has closed the pipe, it does not want the rest.
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the parsed command, or the kind of error.
    fn parsed(line: &str) -> Result<String, ErrorKind> {
        let matches = parse(line.split_whitespace().map(OsString::from).collect());
        matches.map(|matches| matches.subcommand_name().unwrap().to_owned()).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_command() {
        for serve in [
            "faf-lobby",
            "faf-lobby --http off",
            "faf-lobby --config x --http off",
            "faf-lobby --config x",
            "faf-lobby --database user",
        ] {
            assert_eq!(parsed(serve).as_deref(), Ok("serve"), "{serve}");
        }
        assert_eq!(parsed("faf-lobby user list").as_deref(), Ok("user"));
        assert_eq!(parsed("faf-lobby --config x user list").as_deref(), Ok("user"));
        assert_eq!(parsed("faf-lobby srve"), Err(ErrorKind::InvalidSubcommand));
        assert_eq!(parsed("faf-lobby --no-such-flag"), Err(ErrorKind::UnknownArgument));
        assert_eq!(parsed("faf-lobby --help"), Err(ErrorKind::DisplayHelp));
    }

    #[test]
    fn gateway_has_the_flags_that_concern_it() {
        let line = "faf-lobby gateway --nats nats://127.0.0.1 --cluster test --http off --outbox-limit 1MiB";
        assert_eq!(parsed(line).as_deref(), Ok("gateway"));
        let line = "faf-lobby gateway --shutdown-grace-period 5m --geoip-database x --log-format json";
        assert_eq!(parsed(line).as_deref(), Ok("gateway"));
        assert_eq!(parsed("faf-lobby gateway --database x"), Err(ErrorKind::UnknownArgument));
    }

    #[test]
    fn every_setting_is_a_flag() {
        let line = "faf-lobby serve --open-registration --allow-password-login=false --message-limit 100000";
        let line = CommandLine::try_parse_from(line.split(' ')).unwrap();
        let Commands::Serve(flags) = line.command else { panic!("{line:?}") };
        let settings = flags.settings(&Files::default()).unwrap();
        assert_eq!(settings.open_registration, crate::config::Exposure::OnLoopback);
        assert!(!settings.allow_password_login);
        assert_eq!(settings.message_limit, 100_000);
    }
}
