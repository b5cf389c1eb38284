//! Whether the file of the database is as it should be: what can be found out without disturbing
//! anybody.

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

/// Damage that is told; one finding is as bad as many.
const FINDINGS: u32 = 1;

/// The files of a database as they were when it was opened.
///
/// They are looked at by name and never opened: to close one would take the locks away that SQLite
/// has on it.
#[derive(Debug)]
pub(crate) struct Files {
    path: PathBuf,
    is: (u64, u64),
    /// The files beside it that are there, and what it means when one of them is not.
    beside: Vec<(PathBuf, (u64, u64), &'static str)>,
}

/// What a server loses with the database, or with the file of what is not in there yet.
const LOST: &str = "what is stored from now on is lost when the server ends";

/// Files beside the database, by how their names end.
const BESIDE: [(&str, &str); 2] =
    [("-wal", LOST), ("-shm", "other programs that open the database would damage it")];

impl Files {
    /// The files that are there now, which have just been written to.
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

    /// What is wrong with them, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let database = (&self.path, self.is, LOST);
        let beside = self.beside.iter().map(|(path, is, consequence)| (path, *is, *consequence));
        for (path, is, consequence) in std::iter::once(database).chain(beside) {
            let what = match identity(path) {
                Ok(now) if now == is => continue,
                Ok(_) => "was replaced by another file",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed",
                Err(error) => return Some(format!("{} cannot be looked at: {error}", path.display())),
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

/// Which file it is, whatever it is called.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A connection of its own for looking through the whole database, which may take long.
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

    /// Looks through all tables for damage; returns the first that is found. Indexes are not
    /// compared with them.
    pub(crate) fn examine(&self) -> impl Pending<Option<String>> + use<> {
        self.store.run(&self.jobs, |connection| {
            let query = format!("PRAGMA quick_check({FINDINGS})");
            let finding: String = connection.query_row(&query, (), |row| row.get(0))?;
            Ok((finding != "ok").then(|| finding.replace('\n', " ")))
        })
    }
}
