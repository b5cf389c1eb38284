//! `faf-wire`: shows the lobby protocol of Forged Alliance Forever, speaks it, and bridges between
//! its wire formats.
//!
//! There is one file per command; `--help` describes them.

mod bridge;
mod capture;
mod carrier;
mod clients;
mod conform;
mod connect;
mod decode;
mod dial;
mod encode;
mod exit;
mod lint;
mod login;
mod render;
mod schema;
mod tap;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Shows the lobby protocol of Forged Alliance Forever, speaks it, and bridges between
/// its wire formats.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Decode bytes on standard input into one line of JSON per message, as soon as it is complete
    #[command(after_help = exit::HELP)]
    Decode(capture::Capture),
    /// Encode lines of JSON on standard input into bytes
    #[command(after_help = exit::HELP)]
    Encode(capture::Capture),
    /// Connect to a server, log in if asked to, print its messages and send those that are typed or
    /// piped in
    #[command(after_help = exit::HELP)]
    Connect(connect::Arguments),
    /// Accept clients in one wire format and speak another one to a server
    #[command(after_help = exit::HELP)]
    Bridge(bridge::Arguments),
    /// Replay recorded sessions against a server, and report every difference
    #[command(after_help = conform::HELP)]
    Conform(conform::Arguments),
    /// Pass on every byte between clients and a server, and record what they say
    #[command(after_help = exit::HELP)]
    Tap(tap::Arguments),
    /// Pass on every byte between clients and a server, and report what leaves the contract
    #[command(after_help = exit::HELP)]
    Lint(lint::Arguments),
    /// Print the contract of the protocol, made from the code: JSON Schema, AsyncAPI or a reference
    /// for people
    #[command(after_help = exit::HELP)]
    Schema(schema::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Decode(capture) => decode::run(&capture, &mut io::stdin().lock(), &mut io::stdout().lock()),
        Command::Encode(capture) => encode::run(&capture, &mut io::stdin().lock(), &mut io::stdout().lock()),
        Command::Connect(arguments) => block_on(connect::run(arguments)),
        Command::Bridge(arguments) => block_on(bridge::run(arguments)),
        Command::Conform(arguments) => block_on(conform::run(arguments)),
        Command::Tap(arguments) => block_on(tap::run(arguments)),
        Command::Lint(arguments) => block_on(lint::run(arguments)),
        Command::Schema(arguments) => schema::run(&arguments, &mut io::stdout().lock()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe => ExitCode::SUCCESS,
        Err(failure) => {
            exit::complain(&failure);
            failure.code.into()
        }
    }
}

fn block_on(work: impl Future<Output = Result<(), exit::Failure>>) -> Result<(), exit::Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    done
}
