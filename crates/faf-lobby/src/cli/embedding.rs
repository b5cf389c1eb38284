//! The parts of the command line that other programs around the server need; `faf-demo` is one.

use super::serve::run_to_the_end;
use super::signals::Signals;
use crate::config::Settings;
use crate::exit_code::Failure;
use crate::ops::log::Log;

pub use super::flags::{Files, Flags, Selection};
pub use super::serve::{ProgramNames, addresses, last_steps, log_listening, ready_line};
pub use super::user::mint_token;

/// Waits for the first signal from now on that ends a program: SIGTERM, SIGINT or SIGHUP. Signals
/// that were ignored when the process began stay ignored.
///
/// # Errors
/// [`Failure`] if signals cannot be watched.
pub fn signalled() -> Result<impl Future<Output = ()>, Failure> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.next().await;
    })
}

/// Runs a program around the server to its end, on the runtime that the server needs, with the log
/// of the settings.
///
/// # Errors
/// [`Failure`] of the program, or if there is no runtime or log.
pub fn run(settings: &Settings, program: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let _log = Log::start(settings)?;
    run_to_the_end(program)
}
