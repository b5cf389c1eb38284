//! The program, which runs the library's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    faf_lobby::cli::run(std::env::args_os().collect())
}
