//! The server, as `faf-lobby` is, for the tests of `faf-wire conform`.

use std::process::ExitCode;

fn main() -> ExitCode {
    faf_lobby::cli::run(std::env::args_os().collect())
}
