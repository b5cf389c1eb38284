//! The parts of the command line that other programs around the server need; `faf-demo` is one.

use clap::{Arg, ArgMatches};

use super::serve::run_to_the_end;
use super::signals::Signals;
use super::{config_flag, flag};
use crate::config::{CATALOGUE, Settings};
use crate::exit_code::Failure;
use crate::ops::log::Log;

pub use super::serve::{ProgramNames, addresses, last_steps, log_listening, ready_line};
pub use super::user::mint_token;

/// The flags of all settings but those with these names, and `--config`.
pub fn flags(except: &[&str]) -> impl Iterator<Item = Arg> {
    let settings = CATALOGUE.iter().filter(|entry| !except.contains(&entry.name));
    std::iter::once(config_flag()).chain(settings.map(flag))
}

/// The settings from [`flags`], the environment and the file with settings.
///
/// # Errors
/// [`Failure`] that lists everything that is wrong with them.
pub fn settings(arguments: &ArgMatches) -> Result<Settings, Failure> {
    super::settings(arguments)
}

/// Waits for the first signal from now on that ends a program: SIGTERM, SIGINT or SIGHUP. Those that were ignored when the
/// process began stay ignored.
///
/// # Errors
/// [`Failure`] if signals cannot be watched.
pub fn signalled() -> Result<impl Future<Output = ()>, Failure> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.next().await;
    })
}

/// Runs a program around the server to its end, on a runtime as the server needs it, with the log of the settings.
///
/// # Errors
/// [`Failure`] of the program, or if there is no runtime or log.
pub fn run(settings: &Settings, program: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let _log = Log::start(settings)?;
    run_to_the_end(program)
}
