//! Copies of the database, made while a server uses it. Only a database in a file has them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::open::{FLAGS, READ_ONLY, connect, explain};
use super::owner::PRIVATE;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The database cannot be read.
    #[error("{path}: {problem}")]
    Database {
        /// Its file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The copy cannot be written.
    #[error("{path}: {problem}")]
    Copy {
        /// Its file.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

/// Copies a database, as it is at one moment, into a new file that only its owner can read; returns
/// how many bytes that is.
///
/// The database is not changed by it, neither is it brought up to date. Others go on reading and
/// writing it. A copy that was not completed does not bear the name.
///
/// # Errors
/// [`BackupError`]; there is no copy then.
pub(crate) fn back_up(database: &Path, copy: &Path) -> Result<u64, BackupError> {
    let of_database =
        |problem: String| BackupError::Database { path: database.display().to_string(), problem };
    let of_copy = |problem: String| BackupError::Copy { path: copy.display().to_string(), problem };
    if !database.exists() {
        return Err(of_database("there is no such database; see --database".to_owned()));
    }
    if copy.exists() {
        return Err(of_copy("there is such a file already, which stays as it is".to_owned()));
    }
    let source = connect(database, READ_ONLY).map_err(|error| of_database(explain(&error)))?;
    let unfinished = Unfinished::new(copy).map_err(|error| of_copy(error.to_string()))?;
    let mut target = Connection::open_with_flags(&unfinished.path, FLAGS & !OpenFlags::SQLITE_OPEN_CREATE)
        .map_err(|error| of_copy(explain(&error)))?;
    {
        let backup = Backup::new(&source, &mut target).map_err(|error| of_copy(explain(&error)))?;
        // All at once: it would begin again whenever a server writes in between. Nobody waits for
        // it.
        backup.step(-1).map_err(|error| of_copy(explain(&error)))?;
    }
    let finding: String = target
        .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
        .map_err(|error| of_copy(explain(&error)))?;
    if finding != "ok" {
        return Err(of_database(format!("it is damaged, and so would be the copy: {finding}")));
    }
    // What lies beside the copy goes into it.
    target.pragma_update(None, "journal_mode", "DELETE").map_err(|error| of_copy(explain(&error)))?;
    drop(target);
    unfinished.complete(copy).map_err(|error| of_copy(error.to_string()))
}

/// A copy that is being written under another name, and removed if it is not completed.
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

    /// Gives the copy its name once it is on the disk; returns its size.
    fn complete(self, copy: &Path) -> std::io::Result<u64> {
        let file = File::open(&self.path)?;
        file.sync_all()?;
        let size = file.metadata()?.len();
        // Unlike a rename, this fails if somebody else has made the file meanwhile.
        std::fs::hard_link(&self.path, copy)?;
        Ok(size)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What SQLite has put beside it, too, if it failed.
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
    async fn a_copy_has_everything_and_is_private() {
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
        assert!(refused.contains("such a file already"), "{refused}");
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
