//! The program; see the library for everything it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    faf_lobby::cli::run(std::env::args_os().collect())
}
