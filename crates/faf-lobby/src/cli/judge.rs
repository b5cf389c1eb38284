//! `faf-lobby judge`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use faf_sessions::differences::{self, Differences};
use faf_sessions::recording::{Ending, ReadError, Reader, Recorded};
use faf_sessions::transcript::Transcript;
use tempfile::TempDir;

use super::flags::{Files, Flags, OfDatabase};
use super::{effective, print_line};
use crate::config::Settings;
use crate::exit_code::{self, Failure};
use crate::judge::{Chosen, Example, Judge, Report, page};
use crate::store::{Database, Owner, Share, Store, StoreError, embedded, read_seed};

/// Beginning of a scripted session.
const TRANSCRIPT: [u8; 7] = *b"{\"meta\"";

/// Time between two looks at a recording that is still being written.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Time between two lines about the state of a judge that follows a recording.
const STATE_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: Flags<OfDatabase>,
    /// A recording of `faf-wire tap`: a file, or a folder with one; or a session in the format
    /// of golden/sessions
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,
    /// A list of deliberate differences in place of the built-in one; the head of
    /// crates/faf-sessions/src/differences/differences.toml describes the format
    #[arg(long, value_name = "FILE")]
    differences: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Judge a recording that is still being written, until it ends or Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Write this example of the report as a session that can be a test
    #[arg(long, value_name = "EXAMPLE", requires = "output", conflicts_with = "follow")]
    transcript: Option<usize>,
    /// The file for --transcript
    #[arg(long, value_name = "FILE", requires = "transcript")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, files: &Files) -> Result<(), Failure> {
    if !arguments.flags.is_given("database") {
        // Nobody should judge on the database of the configuration by mistake.
        let problem =
            anyhow!("--database must name a copy of the recorded server's database, or a seed file");
        return Err(Failure::new(exit_code::USAGE, problem));
    }
    let settings = effective(&arguments.flags.sources(files))?.settings();
    let own;
    let differences = match &arguments.differences {
        Some(path) => {
            let of_file = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| of_file(&error))?;
            own = Differences::read(&text).map_err(|error| of_file(&error))?;
            &own
        }
        None => &*differences::OWN,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    let report = runtime.block_on(judge(arguments, &settings, differences))?;
    let took = began.elapsed().as_secs_f64();
    print_line(report.to_string().trim_end());
    print_line(&format!(
        "took {took:.1} s, {:.0} times as fast as it was recorded",
        report.seconds / took.max(1e-9)
    ));
    let written = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &arguments.json {
        written(path, serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)? + "\n")?;
    }
    if let Some(path) = &arguments.html {
        written(path, page(&report, &arguments.recording.display().to_string()))?;
    }
    if let (Some(number), Some(path)) = (arguments.transcript, &arguments.output) {
        let example = report.kinds.iter().map(|kind| &kind.example).find(|example| example.number == number);
        let example = example.ok_or_else(|| anyhow!("the report has no example {number}"))?;
        written(path, session(&arguments.recording, example)?)?;
    }
    if let Some(stopped) = &report.stopped {
        return Err(Failure::from(anyhow!("{}: {stopped}", arguments.recording.display())));
    }
    match report.unexplained() {
        0 => Ok(()),
        number => Err(Failure::new(exit_code::DIFFERENT, anyhow!("{number} differences are unexplained"))),
    }
}

/// Judges a recording on a copy of the database.
async fn judge(
    arguments: &Arguments,
    settings: &Settings,
    differences: &Differences,
) -> Result<Report, Failure> {
    let (store, _kept) = open(&settings.database()).await?;
    let judge = Judge::begin(settings, store, differences).await?;
    match transcript(&arguments.recording)? {
        Some(transcript) => Ok(judge_all(judge, transcript.entries().0).await?),
        None if arguments.follow => follow(judge, &arguments.recording).await,
        None => judge_recording(judge, &arguments.recording).await,
    }
}

/// The things that must exist as long as the database is used.
#[expect(dead_code, reason = "what is kept is only dropped")]
enum Kept {
    Nothing,
    Folder(TempDir),
    Owner(Owner),
}

/// Opens the database to judge on: a seed in memory; a copy of a file, so that it can be judged on
/// again; or the MariaDB itself.
async fn open(database: &Database) -> Result<(Store, Kept), Failure> {
    match database {
        Database::File(path) if path.extension().is_some_and(|extension| extension == "json") => {
            let of_file = |problem: &dyn std::fmt::Display| anyhow!("seed {}: {problem}", path.display());
            let mut seed = read_seed(path).map_err(|problem| of_file(&problem))?;
            // The recording says whose a password is, so that none needs to be hashed.
            seed.users.iter_mut().for_each(|user| user.hash = "no hash".to_owned());
            let store = Store::in_memory();
            store.plant(seed).await.map_err(|problem| of_file(&problem))?;
            Ok((store, Kept::Nothing))
        }
        Database::File(path) if !path.exists() => {
            let problem = anyhow!("there is no database {}", path.display());
            Err(Failure::new(exit_code::DATABASE, problem))
        }
        Database::File(_) => {
            let folder = tempfile::tempdir()?;
            let copy = folder.path().join("judged.sqlite");
            database.back_up(&copy).map_err(|error| match &error {
                embedded::BackupError::Database { .. } => Failure::new(exit_code::DATABASE, error),
                embedded::BackupError::Copy { .. } => Failure::new(exit_code::FAILURE, error),
            })?;
            Ok((Store::open(&Database::File(copy))?, Kept::Folder(folder)))
        }
        Database::MariaDb(_) => {
            // A server that uses it would be disturbed, and so would the judge.
            let owner = database.take(Share::Alone, Duration::ZERO, |_| {}).await?;
            let store = Store::open(database)?;
            store.write_only_as(&owner);
            Ok((store, Kept::Owner(owner)))
        }
    }
}

/// Reads the recording as a scripted session, if it is one.
fn transcript(path: &Path) -> Result<Option<Transcript>, Failure> {
    let of_file = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
    if path.extension().is_none_or(|extension| extension != "jsonl") {
        return Ok(None);
    }
    // A recording may be a file of JSON lines, too, and of any size.
    let mut beginning = [0; TRANSCRIPT.len()];
    let mut file = File::open(path).map_err(|error| of_file(&error))?;
    if file.read_exact(&mut beginning).is_err() || beginning != TRANSCRIPT {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|error| of_file(&error))?;
    Ok(Some(Transcript::read(&text).map_err(|error| of_file(&error))?))
}

async fn judge_all(mut judge: Judge<'_>, entries: Vec<Recorded>) -> Result<Report, StoreError> {
    for entry in entries {
        judge.add(entry).await?;
    }
    judge.finish().await
}

/// Judges a recording as far as it can be read.
async fn judge_recording(mut judge: Judge<'_>, path: &Path) -> Result<Report, Failure> {
    let mut reader = Reader::open(path).map_err(|error| unreadable(&error))?;
    while !judge.has_stopped()
        && let Some(entry) = reader.next()
    {
        match entry {
            Ok(entry) => judge.add(entry).await?,
            Err(error) if reader.entries() == 0 => return Err(unreadable(&error)),
            Err(error) => print_line(&format!("{error}; what comes before it is judged")),
        }
    }
    tell_ending(&reader);
    Ok(judge.finish().await?)
}

/// Returns an example as a session. The recording is read twice more, as it may be of any length.
fn session(path: &Path, example: &Example) -> Result<String, Failure> {
    // Damage was reported when the recording was judged.
    let entries = || -> Result<Box<dyn Iterator<Item = Recorded>>, Failure> {
        Ok(match transcript(path)? {
            Some(transcript) => Box::new(transcript.entries().0.into_iter()),
            None => Box::new(Reader::open(path).map_err(|error| unreadable(&error))?.map_while(Result::ok)),
        })
    };
    let session = Chosen::new(example, entries()?).session(entries()?);
    Ok(session.write(&format!("example {}", example.number), &example.what))
}

fn tell_ending(reader: &Reader) {
    if let Some(Ending::CutOff { file, entries }) = reader.ending() {
        print_line(&format!("{} is cut off after entry {entries} of the recording", file.display()));
    }
    if reader.gaps() > 0 {
        print_line(&format!("parts of the recording are missing in {} places", reader.gaps()));
    }
    if reader.clock_steps() > 0 {
        print_line(&format!("the time runs backwards in {} places", reader.clock_steps()));
    }
}

/// Judges a recording while it is written.
async fn follow(mut judge: Judge<'_>, path: &Path) -> Result<Report, Failure> {
    let mut reader = Reader::follow(path).map_err(|error| unreadable(&error))?;
    let mut told = Instant::now();
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    let mut is_stopping = false;
    while !judge.has_stopped() {
        match reader.next() {
            Some(Ok(entry)) => judge.add(entry).await?,
            Some(Err(error)) if reader.entries() == 0 => return Err(unreadable(&error)),
            Some(Err(error)) => {
                print_line(&format!("{error}; what comes before it is judged"));
                break;
            }
            None if is_stopping || reader.ending().is_some() => break,
            None => tokio::select! {
                _ = &mut stop => {
                    is_stopping = true;
                    reader.stop_following();
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            },
        }
        if told.elapsed() >= STATE_EVERY {
            told = Instant::now();
            let report = judge.report();
            print_line(&format!(
                "judged {:.0} s: {} messages to clients, {} differences unexplained, {} listed",
                report.seconds,
                report.recorded(),
                report.unexplained(),
                report.listed()
            ));
        }
    }
    tell_ending(&reader);
    Ok(judge.finish().await?)
}

fn unreadable(error: &ReadError) -> Failure {
    Failure::from(anyhow!("{error}"))
}
