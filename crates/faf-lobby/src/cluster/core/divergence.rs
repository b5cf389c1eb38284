//! Evidence that a core keeps if its state differs from the leader's: a folder with its own state,
//! an older state that all cores had, and the messages in between.
//! With it, a developer can find out why.
//!
//! | file | content |
//! | --- | --- |
//! | `before.snapshot` | the newest snapshot of a time when the states were equal |
//! | `messages.jsonl` | the messages of the stream after it, one a line |
//! | `after.snapshot` | the state of this core |

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_cluster::{Core, Divergence, Snapshot};
use faf_lobby_core::Timestamp;
use serde::Serialize;
use tokio::time::timeout;

use crate::cluster::backend::Backend;
use crate::cluster::bus::BusEvent;

/// Time limit for reading the snapshot and the messages.
const LIMIT: Duration = Duration::from_secs(60);

/// A line of `messages.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    sequence: u64,
    time: Timestamp,
    message: &'a str,
}

/// Keeps the evidence in a new folder in this one, and returns that folder. Only the user who runs
/// the core may read it, since it has all that the lobby knows, with passwords.
///
/// # Errors
/// The reason why something is missing in it.
pub(super) async fn keep(
    parent: &Path,
    backend: &Arc<dyn Backend>,
    core: &Core,
    divergence: &Divergence,
    version: &str,
    stream: i64,
) -> Result<PathBuf, String> {
    let folder = parent.join(format!("diverged-{}-{}", core.name(), divergence.position));
    let state = Snapshot::encode(core.replica(), version, stream);
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    create(&folder, "after.snapshot").and_then(|mut file| file.write_all(&state)).map_err(failed)?;
    let end = core.replica().position();
    match timeout(LIMIT, keep_history(&folder, backend, divergence.last_equal, end)).await {
        Ok(Ok(())) => Ok(folder),
        Ok(Err(problem)) => Err(format!("{}: {problem}", folder.display())),
        Err(_) => Err(format!("{}: the messages cannot be read in time", folder.display())),
    }
}

async fn keep_history(
    folder: &Path,
    backend: &Arc<dyn Backend>,
    last_equal: u64,
    end: u64,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let snapshots = backend.snapshots().await.map_err(|error| text(&error))?;
    let is_equal = |position: &&u64| **position <= last_equal;
    let before = snapshots.iter().find(is_equal).or(snapshots.last()).copied();
    let before = before.filter(|before| *before < end).ok_or("there is no snapshot of the time before")?;
    let bytes = backend.snapshot(before).await.map_err(|error| text(&error))?;
    create(folder, "before.snapshot")
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(|error| text(&error))?;
    let mut file = BufWriter::new(create(folder, "messages.jsonl").map_err(|error| text(&error))?);
    let mut bus = backend.read_after(before).await.map_err(|error| text(&error))?;
    loop {
        match bus.events.recv().await {
            Some(BusEvent::Entry { sequence, time, payload }) => {
                let message = &String::from_utf8_lossy(&payload);
                let line = serde_json::to_string(&Line { sequence, time, message });
                let line = line.map_err(|error| text(&error))?;
                writeln!(file, "{line}").map_err(|error| text(&error))?;
                if sequence >= end {
                    return file.flush().map_err(|error| text(&error));
                }
            }
            Some(BusEvent::Failed(problem)) => return Err(problem),
            Some(_) => {}
            None => return Err("the connection to the stream has ended".to_owned()),
        }
    }
}

fn create(folder: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(folder.join(name))
}
