//! Health checks of the database file that do not disturb other users of the database.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use faf_lobby_store::StoreError;

use super::Sqlite;
use super::open::{READ_ONLY, connect, explain};
use super::owner::lock_path;
use super::worker::{Job, Pending, spawn};

/// Number of damages that are reported; one is as bad as many.
const FINDING_LIMIT: u32 = 1;

/// Identity of the database files when the database was opened.
///
/// The files are checked by name and never opened: closing one of them would release the locks that
/// SQLite holds on it.
#[derive(Debug)]
pub(crate) struct Files {
    path: PathBuf,
    is: (u64, u64),
    /// Existing files beside the database, with the consequence of losing each of them.
    beside: Vec<(PathBuf, (u64, u64), &'static str)>,
}

/// Consequence of losing the database, or the file with the data that is not in it yet.
const LOST: &str = "new data is lost when the server ends";

/// Files beside the database: suffix of the name, and consequence of a loss.
const BESIDE: [(&str, &str); 2] =
    [("-wal", LOST), ("-shm", "other programs that open the database would damage it")];

impl Files {
    /// Records the files that exist now; the database must just have been written to.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let beside = BESIDE.into_iter().filter_map(|(end, consequence)| {
            let mut path = path.as_os_str().to_owned();
            path.push(end);
            let path = PathBuf::from(path);
            identity(&path).ok().map(|is| (path, is, consequence))
        });
        let lock = lock_path(path);
        let lock = identity(&lock).ok().map(|is| (lock, is, "another server could take the database"));
        Ok(Self { path: path.to_owned(), is: identity(path)?, beside: beside.chain(lock).collect() })
    }

    /// Returns a description of the first problem with the files, if there is one.
    pub(crate) fn problem(&self) -> Option<String> {
        let database = (&self.path, self.is, LOST);
        let beside = self.beside.iter().map(|(path, is, consequence)| (path, *is, *consequence));
        for (path, is, consequence) in std::iter::once(database).chain(beside) {
            let what = match identity(path) {
                Ok(now) if now == is => continue,
                Ok(_) => "was replaced by another file",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed",
                Err(error) => return Some(format!("{} cannot be checked: {error}", path.display())),
            };
            return Some(format!("{} {what}; {consequence}: restart the server", path.display()));
        }
        match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.permissions().readonly() => {
                Some(format!("{} was made read-only", self.path.display()))
            }
            _ => None,
        }
    }
}

/// Returns the identity of a file (device and inode), which does not depend on its name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A connection for checking the whole database, which may take long.
#[derive(Debug)]
pub(crate) struct Examiner {
    jobs: std::sync::mpsc::Sender<Job>,
    store: Sqlite,
}

impl Examiner {
    pub(crate) fn new(store: &Sqlite, path: &Path) -> Result<Self, StoreError> {
        let (jobs, taken) = channel();
        let problem = |problem| StoreError::Open { place: path.display().to_string(), problem };
        let connection = connect(path, READ_ONLY).map_err(|error| problem(explain(&error)))?;
        spawn("store-examiner", connection, Arc::new(Mutex::new(taken)))
            .map_err(|error| problem(error.to_string()))?;
        Ok(Self { jobs, store: store.clone() })
    }

    /// Checks all tables for damage and returns the first finding. Indexes are not compared
    /// with them.
    pub(crate) fn examine(&self) -> impl Pending<Option<String>> + use<> {
        self.store.run(&self.jobs, |connection| {
            let query = format!("PRAGMA quick_check({FINDING_LIMIT})");
            let finding: String = connection.query_row(&query, (), |row| row.get(0))?;
            Ok((finding != "ok").then(|| finding.replace('\n', " ")))
        })
    }
}
