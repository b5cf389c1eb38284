//! `faf-wire tap`: carries bytes between clients and a server unchanged, and records what they say.
//!
//! ```text
//!  carrier ---> Recorder ---> Scrubber     replaces secrets
//!                        ---> Disk         files, and what to do when they cannot be written
//! ```

mod disk;
mod recorder;
mod scrub;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use faf_sessions::rotation::Directory;

use crate::carrier::{self, QUEUE_LIMIT, Queue, Route};
use crate::exit::Failure;
use disk::{Bounds, Disk};
use recorder::Recorder;
pub(crate) use scrub::Scrubber;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    route: Route,
    /// Folder for the recording; it is created if there is none
    #[arg(long, value_name = "FOLDER")]
    record: PathBuf,
    /// Size at which the next file begins, compressed
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    file_size: u64,
    /// Maximum number of files in the folder; the oldest are removed
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    files: u32,
    #[command(flatten)]
    keep: Keep,
}

/// Personal data that is recorded as it is.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Keep {
    /// Record the clients' unique_id as it is, instead of a digest
    #[arg(long = "keep-unique-ids")]
    pub(crate) unique_ids: bool,
    /// Record the addresses of clients, and those in messages of games, instead of a digest
    #[arg(long = "keep-addresses")]
    pub(crate) addresses: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { route, record, file_size, files, keep } = arguments;
    let bounds = Bounds { size: file_size * 1024 * 1024, files: files as usize };
    let (mut key, mut recording) = ([0; 32], [0; 8]);
    getrandom::fill(&mut key).map_err(anyhow::Error::from)?;
    getrandom::fill(&mut recording).map_err(anyhow::Error::from)?;
    let recording = format!("{:016x}", u64::from_ne_bytes(recording));
    let disk = Disk::new(Box::new(Directory::new(&record)), bounds, recording, SystemTime::now());
    let recorder = Recorder::new(disk, Scrubber::new(&key, keep));
    carrier::run(route, "tap", Queue::new(QUEUE_LIMIT), Box::new(recorder)).await
}
