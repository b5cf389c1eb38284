//! `faf-lobby matchmaking`: experiments with the matchmaker.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Subcommand, ValueEnum};
use faf_laboratory::{Change, Extraction, MAGIC, Report, Trace, play};
use faf_lobby_core::Effect;
use faf_lobby_core::matchmaking::MatchmakingSettings;

use super::print_line;
use crate::config;
use crate::exit_code::{self, Failure};
use crate::ops::recorder::replay::Replay;

#[derive(Debug, Subcommand)]
pub(super) enum Commands {
    /// Run recorded searches again, also with other settings, and compare waiting time with
    /// quality; docs/src/guide/matchmaking.md describes it
    #[command(after_help = exit_code::HELP)]
    Replay {
        /// A file from the folder `recording`, or a trace
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Run them a second time with this setting, `queue_pop_time_max=60` for example
        #[arg(long = "set", value_name = "KEY=VALUE")]
        changes: Vec<String>,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table for terminals
    Table,
    /// Comma-separated values
    Csv,
    /// A picture
    Svg,
    /// The searches themselves, as JSON Lines without names and addresses
    Trace,
}

pub(super) fn run(command: &Commands) -> Result<(), Failure> {
    let Commands::Replay { file, changes, format } = command;
    let change = Change::read(changes.iter().map(String::as_str))
        .map_err(|error| Failure::new(exit_code::USAGE, anyhow!("--set {error}")))?;
    let trace = open(file)
        .map_err(|failure| Failure::new(failure.code, anyhow!("{}: {:#}", file.display(), failure.error)))?;
    if !change.is_empty() {
        check_ranges(&change.apply(&trace.settings))
            .map_err(|error| Failure::new(exit_code::USAGE, error.context("--set")))?;
    }
    if *format == Format::Trace {
        trace.write(io::stdout().lock())?;
        return Ok(());
    }
    let before = play(&trace, &Change::default());
    // Standard output is for the report alone.
    let mut notes = io::stderr().lock();
    if trace.is_recorded() {
        let recorded = trace.recorded_matches();
        let same = before.matches.iter().filter(|found| recorded.contains(found)).count();
        let _ = if before.matches == recorded {
            writeln!(notes, "with the recorded settings: the {same} recorded matches")
        } else {
            writeln!(
                notes,
                "with the recorded settings {same} of the {} recorded matches are the same: compare runs with care",
                recorded.len()
            )
        };
    }
    let names = [
        format!("settings of the {}", if trace.is_recorded() { "recording" } else { "trace" }),
        changes.join(", "),
    ];
    let report = if change.is_empty() {
        Report::new(&[(&names[0], &before)])
    } else {
        Report::new(&[(&names[0], &before), (&names[1], &play(&trace, &change))])
    };
    let text = match format {
        Format::Csv => report.csv(),
        Format::Svg => report.svg(),
        Format::Table | Format::Trace => report.table(),
    };
    print_line(text.trim_end());
    Ok(())
}

/// Checks that the configuration of a server accepts these settings.
fn check_ranges(settings: &MatchmakingSettings) -> anyhow::Result<()> {
    match config::out_of_range(toml::Table::try_from(settings)?).next() {
        Some((setting, problem)) => Err(anyhow!("{setting}: {problem}")),
        None => Ok(()),
    }
}

/// Reads a trace, or makes one of a recording.
fn open(path: &Path) -> Result<Trace, Failure> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(MAGIC) {
        return Trace::read(file).map_err(|error| anyhow!(error).into());
    }
    let replay = Replay::read(file).map_err(|error| anyhow!(error))?;
    extract(replay)
}

/// Replays a recording, and notes what happens in the queues.
pub(crate) fn extract<R: BufRead>(mut replay: Replay<R>) -> Result<Trace, Failure> {
    let at = replay.header().at.elapsed;
    let mut extraction = Extraction::new(replay.world(), at);
    while let Some(played) = replay.step().map_err(|error| anyhow!(error))? {
        if played.verdict.is_final() {
            let problem = anyhow!(
                "event {} does not have its recorded effects; `faf-lobby replay` shows more",
                played.number
            );
            return Err(Failure::new(exit_code::DIFFERENT, problem));
        }
        let events = played.effects.iter().filter_map(|effect| match effect {
            Effect::Queue(event) => Some(event),
            _ => None,
        });
        extraction.add(played.now.elapsed, events, replay.world());
    }
    Ok(extraction.finish())
}
