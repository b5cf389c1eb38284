//! Opens the database file.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faf_lobby_store::StoreError;
use rusqlite::{Connection, OpenFlags};

use super::owner::PRIVATE;
use super::worker::spawn;
use super::{Sqlite, schema};

/// Number of reading threads.
const READER_THREADS: usize = 3;

/// Time to wait for another process, such as `faf-lobby user`, to finish its write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Page cache of a connection, in KiB. It is small because the operating system caches the file for
/// all connections.
const PAGE_CACHE_KIB: i64 = 256;

/// Number of prepared statements that a connection caches.
const CACHED_STATEMENTS: usize = 64;

/// Flags for opening the file. `SQLITE_OPEN_URI` is not among them, so a name such as `file:x` is
/// never read as a URI.
pub(super) const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_CREATE)
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Flags for threads that only read.
pub(super) const READ_ONLY: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

impl Sqlite {
    /// Opens the database, creates it if it does not exist, and migrates its tables.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the file cannot be opened, is not a database of this server, or was
    /// created by a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open_error = |problem: String| StoreError::Open { place: path.display().to_string(), problem };
        make_private(path).map_err(|error| open_error(explain_io(&error)))?;
        let mut writer = connect(path, FLAGS).map_err(|error| open_error(explain(&error)))?;
        schema::migrate(&mut writer).map_err(&open_error)?;

        let (write, jobs) = channel();
        spawn("store-writer", writer, Arc::new(Mutex::new(jobs)))
            .map_err(|error| open_error(error.to_string()))?;
        let (read, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..READER_THREADS {
            let reader = connect(path, READ_ONLY).map_err(|error| open_error(explain(&error)))?;
            spawn("store-reader", reader, Arc::clone(&jobs))
                .map_err(|error| open_error(error.to_string()))?;
        }
        Ok(Self { write, read, failures: Arc::default() })
    }
}

/// Creates the file if it does not exist, readable only by its owner. The files that SQLite creates
/// beside it get the same permissions.
fn make_private(path: &Path) -> io::Result<()> {
    // An existing file is not opened here: closing it would release the locks that SQLite holds on
    // it in this process.
    match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

fn explain_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{error}; does the folder exist?"),
        io::ErrorKind::PermissionDenied => format!("{error}; the file and its folder must be writable"),
        _ => error.to_string(),
    }
}

pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // In WAL mode a writer does not block readers, and a crash loses at most the last moment,
        // never the database.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    Ok(connection)
}

/// Describes an error on opening, and what an operator can do about it.
pub(super) fn explain(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode;

    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            format!(
                "this is not an SQLite database, or it is damaged ({error}); restore a backup, or name another file"
            )
        }
        Some(ErrorCode::CannotOpen) => format!("{error}; does the folder exist, and may it be written to?"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            format!("{error}; the file and its folder must be writable")
        }
        Some(ErrorCode::DatabaseBusy) => format!("{error}; another process is writing to it"),
        Some(ErrorCode::DiskFull) => format!("{error}; there is no room on the disk"),
        Some(ErrorCode::SystemIoFailure) => format!("{error}; the disk may be full or broken"),
        _ => error.to_string(),
    }
}
