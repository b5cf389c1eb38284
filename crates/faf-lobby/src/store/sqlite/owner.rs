//! Who owns the database: one server at a time. Only a database in a file needs that.
//!
//! Two servers on one database would each take the other's live games for those of a server that
//! has crashed. So a server holds an exclusive lock of the operating system on a file beside the
//! database, from before it opens the database until everything is written; the lock is gone with
//! the process, however that ends. Commands such as `faf-lobby user` take no lock: they change
//! single rows, in transactions of their own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Only who runs the server may read what belongs to it: addresses, hashes of passwords, what
/// people say.
pub(crate) const PRIVATE: u32 = 0o600;

/// A command that looks who owns the database holds the lock for a moment; a server does not take
/// that for another one.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// Time between two attempts to get the lock.
const STEP: Duration = Duration::from_millis(50);

/// Most of what is read of the file, in bytes; a process writes some dozens.
const NOTE_LIMIT: u64 = 200;

/// The right to serve a database, until this is dropped.
#[derive(Debug)]
pub(crate) struct Owner {
    /// Keeps the lock.
    _file: File,
}

/// Why a server does not get the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnerError {
    /// Another one has it.
    #[error(
        "{database} is in use by {holder}; end that one first, name another database, or say with --wait-for-database how \
         long to wait for its end"
    )]
    Taken {
        /// The database.
        database: String,
        /// Who says to have it.
        holder: String,
    },
    /// The file beside the database cannot be locked.
    #[error("{path} cannot be locked: {error}; its folder must be writable and on a file system with locks")]
    Lock {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl Owner {
    /// Takes the database, or waits up to so long until its owner lets go of it. `waiting` is
    /// called once, with who that is, if it takes longer than a moment.
    ///
    /// # Errors
    /// [`OwnerError`].
    pub(crate) async fn take(
        database: &Path,
        patience: Duration,
        waiting: impl FnOnce(&str),
    ) -> Result<Self, OwnerError> {
        let path = lock_path(database);
        let failed = |error| OwnerError::Lock { path: path.display().to_string(), error };
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE).clone();
        let mut file = options.open(&path).map_err(failed)?;
        let began = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            if began.elapsed() >= patience.max(LOOKED_AT) {
                let holder = note(&mut file);
                return Err(OwnerError::Taken { database: database.display().to_string(), holder });
            }
            if began.elapsed() >= LOOKED_AT
                && let Some(waiting) = waiting.take()
            {
                waiting(&note(&mut file));
            }
            sleep(STEP).await;
        }
        let text = format!("process {}, faf-lobby {}\n", std::process::id(), env!("CARGO_PKG_VERSION"));
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Who owns the database now; none if nobody does, or if that cannot be found out.
pub(crate) fn owner(database: &Path) -> Option<String> {
    let mut file = File::open(lock_path(database)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(note(&mut file)),
        _ => None,
    }
}

/// The file beside the database. One for all names that the database has by way of links.
pub(super) fn lock_path(database: &Path) -> PathBuf {
    let real = database.canonicalize().unwrap_or_else(|_| {
        // The database does not exist yet; its folder may be called by several names all the same.
        let folder =
            database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        folder.join(database.file_name().unwrap_or_default())
    });
    let mut path: OsString = real.into_os_string();
    path.push(".lock");
    path.into()
}

/// What the owner has written into the file.
fn note(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(NOTE_LIMIT).read_to_string(&mut text));
    match text.trim() {
        // It has just begun, or has failed to write.
        "" => "another process".to_owned(),
        _ if read.is_err() => "another process".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(path: &Path, patience: Duration) -> Result<Owner, OwnerError> {
        Owner::take(path, patience, |_| {}).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_has_one_owner_whatever_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sqlite");
        assert_eq!(owner(&path), None);
        let first = take(&path, Duration::ZERO).await.unwrap();
        let me = format!("process {}, faf-lobby {}", std::process::id(), env!("CARGO_PKG_VERSION"));
        assert_eq!(owner(&path), Some(me.clone()));
        let refused = take(&path, Duration::ZERO).await.unwrap_err().to_string();
        assert!(refused.contains(&me) && refused.contains("--wait-for-database"), "{refused}");

        std::fs::write(&path, "").unwrap();
        let link = folder.path().join("link.sqlite");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(owner(&link), Some(me.clone()));
        assert!(take(&link, Duration::ZERO).await.is_err());

        let (tell, heard) = std::sync::mpsc::channel();
        let mut waiting = std::pin::pin!(Owner::take(&link, Duration::from_secs(60), move |holder| {
            tell.send(holder.to_owned()).unwrap();
        }));
        assert!(tokio::time::timeout(Duration::from_secs(20), waiting.as_mut()).await.is_err());
        drop(first);
        waiting.await.unwrap();
        assert_eq!((heard.try_iter().collect::<Vec<_>>(), owner(&path)), (vec![me], None));
    }

    #[tokio::test]
    async fn who_only_looks_keeps_no_server_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sqlite");
        drop(take(&path, Duration::ZERO).await.unwrap());
        let looking = File::open(lock_path(&path)).unwrap();
        looking.try_lock_shared().unwrap();
        let taking = tokio::spawn(async move { take(&path, Duration::ZERO).await.is_ok() });
        tokio::task::yield_now().await;
        drop(looking);
        assert!(taking.await.unwrap());
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let refused = take(&folder.path().join("no/test.sqlite"), Duration::ZERO).await.unwrap_err();
        assert!(refused.to_string().contains("cannot be locked"), "{refused}");
    }
}
