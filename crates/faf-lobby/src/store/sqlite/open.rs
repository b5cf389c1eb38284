//! Opening the file.

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

/// Threads that read.
const READERS: usize = 3;

/// How long to wait for another process, such as `faf-lobby user`, to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection keeps of the database file, in KiB. The operating system keeps it anyhow, for
/// all of them together.
const PAGE_CACHE: i64 = 256;

/// Prepared statements a connection keeps.
const STATEMENTS: usize = 64;

/// How the file is opened. Its name is always one: without the flag for URIs, `file:x` is none.
pub(super) const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_CREATE)
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// As above, for threads that only read.
pub(super) const READ_ONLY: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

impl Sqlite {
    /// Opens the database, makes it if it does not exist, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the file cannot be opened, is no database of this server, or was
    /// made by a newer one.
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
        for _ in 0..READERS {
            let reader = connect(path, READ_ONLY).map_err(|error| open_error(explain(&error)))?;
            spawn("store-reader", reader, Arc::clone(&jobs))
                .map_err(|error| open_error(error.to_string()))?;
        }
        Ok(Self { write, read, failures: Arc::default() })
    }
}

/// Makes the file if there is none, so that nobody else may read it; those that SQLite puts beside
/// it get the same permissions.
fn make_private(path: &Path) -> io::Result<()> {
    // An existing file is not opened here: to close it would take the locks away that SQLite has on
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
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE)?;
    if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // Readers are not stopped by a writer, and a crash loses at most the last moment, never the
        // database.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    Ok(connection)
}

/// What an operator can do about a database that does not open.
pub(super) fn explain(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode;

    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            format!(
                "this is no SQLite database, or it is damaged ({error}); restore a backup, or name another file"
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
