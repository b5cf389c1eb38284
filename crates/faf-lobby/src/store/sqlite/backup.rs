//! Copies of the database, made while a server uses it. Only available for a database in a file.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::open::{FLAGS, READ_ONLY, connect, explain};
use super::owner::PRIVATE;

/// Reason why no copy was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The database cannot be read.
    #[error("{path}: {problem}")]
    Database {
        /// Path of the database.
        path: String,
        /// Description of the problem.
        problem: String,
    },
    /// The copy cannot be written.
    #[error("{path}: {problem}")]
    Copy {
        /// Path of the copy.
        path: String,
        /// Description of the problem.
        problem: String,
    },
}

/// Copies a database, as it is at one moment, into a new file that only its owner can read. Returns
/// the size of the copy in bytes.
///
/// The database is neither changed nor migrated. Others can read and write it meanwhile. An
/// incomplete copy never gets the name of the copy.
///
/// # Errors
/// [`BackupError`]; in this case no copy exists.
pub(crate) fn back_up(database: &Path, copy: &Path) -> Result<u64, BackupError> {
    let of_database =
        |problem: String| BackupError::Database { path: database.display().to_string(), problem };
    let of_copy = |problem: String| BackupError::Copy { path: copy.display().to_string(), problem };
    if !database.exists() {
        return Err(of_database("no such database; see --database".to_owned()));
    }
    if copy.exists() {
        return Err(of_copy("the file exists already and is left unchanged".to_owned()));
    }
    let source = connect(database, READ_ONLY).map_err(|error| of_database(explain(&error)))?;
    let unfinished = Unfinished::new(copy).map_err(|error| of_copy(error.to_string()))?;
    let mut target = Connection::open_with_flags(&unfinished.path, FLAGS & !OpenFlags::SQLITE_OPEN_CREATE)
        .map_err(|error| of_copy(explain(&error)))?;
    {
        let backup = Backup::new(&source, &mut target).map_err(|error| of_copy(explain(&error)))?;
        // All pages in one step: otherwise the copy starts again whenever a server writes between
        // two steps. Nobody waits for this.
        backup.step(-1).map_err(|error| of_copy(explain(&error)))?;
    }
    let finding: String = target
        .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
        .map_err(|error| of_copy(explain(&error)))?;
    if finding != "ok" {
        return Err(of_database(format!("it is damaged, and the copy would be too: {finding}")));
    }
    // Moves the content of the copy's WAL into the copy itself.
    target.pragma_update(None, "journal_mode", "DELETE").map_err(|error| of_copy(explain(&error)))?;
    drop(target);
    unfinished.complete(copy).map_err(|error| of_copy(error.to_string()))
}

/// An incomplete copy under another name, which is removed if it is not completed.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    fn new(copy: &Path) -> std::io::Result<Self> {
        let mut path = copy.as_os_str().to_owned();
        path.push(format!(".{}.part", std::process::id()));
        let path = PathBuf::from(path);
        OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&path)?;
        Ok(Self { path })
    }

    /// Gives the copy its final name once it is on the disk; returns its size in bytes.
    fn complete(self, copy: &Path) -> std::io::Result<u64> {
        let file = File::open(&self.path)?;
        file.sync_all()?;
        let size = file.metadata()?.len();
        // Unlike a rename, this fails if another process has created the file meanwhile.
        std::fs::hard_link(&self.path, copy)?;
        Ok(size)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Also removes the files that SQLite leaves beside the copy if it fails.
        for end in ["", "-journal", "-wal", "-shm"] {
            let mut path = self.path.as_os_str().to_owned();
            path.push(end);
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_store::Accounts;

    use super::super::Sqlite;
    use super::super::testing::new_sqlite;
    use super::*;

    #[tokio::test]
    async fn copy_is_complete_and_private() {
        use std::os::unix::fs::PermissionsExt;

        let (store, folder) = new_sqlite();
        let path = |name: &str| folder.path().join(name);
        store.create_account("Ada", "x".repeat(100_000)).await.unwrap();
        let size = back_up(&path("test.sqlite"), &path("copy.sqlite")).unwrap();
        let metadata = std::fs::metadata(path("copy.sqlite")).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (size, 0o600));
        let copy = Sqlite::open(&path("copy.sqlite")).unwrap();
        assert_eq!(copy.account_by_login("ada").await.unwrap().unwrap().password.len(), 100_000);
        drop(copy);

        let refused = back_up(&path("test.sqlite"), &path("copy.sqlite")).unwrap_err().to_string();
        assert!(refused.contains("the file exists already"), "{refused}");
        let refused = back_up(&path("none.sqlite"), &path("other.sqlite")).unwrap_err().to_string();
        assert!(refused.contains("no such database") && !path("none.sqlite").exists(), "{refused}");
        assert!(back_up(&path("test.sqlite"), &path("no/copy.sqlite")).is_err());
        std::fs::write(path("damaged"), "this is no database, but long enough".repeat(30)).unwrap();
        assert!(back_up(&path("damaged"), &path("other.sqlite")).is_err());
        let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("part")).collect();
        assert!(left.is_empty() && !path("other.sqlite").exists(), "{left:?}");
    }
}
