//! Ownership of the database by one server at a time. Only a database in a file needs it.
//!
//! Two servers on one database would each mistake the other's live games for those of a crashed
//! server. Therefore a server holds an exclusive lock of the operating system on a file beside the
//! database, from before it opens the database until everything is written; the lock ends with the
//! process, however the process ends. Commands such as `faf-lobby user` take no lock: each changes
//! single rows in its own transactions.
//!
//! The cores of a cluster share the lock: only the one that leads writes, and it could not begin to
//! if one that was stopped, and led before, still had the lock.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::store::{OwnerError, Share};

/// Permissions of private files: only the user who runs the server may read addresses, password
/// hashes and chat.
pub(crate) const PRIVATE: u32 = 0o600;

/// Time for which a server retries to get the lock in any case: a command that checks the owner
/// holds the lock for a moment, and must not be mistaken for another server.
const PROBE_GRACE: Duration = Duration::from_secs(1);

/// Time between two attempts to get the lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Maximum number of bytes read from the file; a process writes a few dozen.
const NOTE_LIMIT: u64 = 200;

/// Time between two looks of a command whether cores use the database. Another command that looks
/// has the lock for a moment, too.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Number of these looks.
const LOOKS: usize = 5;

/// The right to serve a database, until this value is dropped.
#[derive(Debug)]
pub(crate) struct Owner {
    /// The open file that holds the lock.
    _file: File,
}

impl Owner {
    /// Takes the database, or waits up to `limit` for its owner to release it. `waiting` is called
    /// once with the owner if the wait exceeds a moment.
    ///
    /// # Errors
    /// [`OwnerError`] if the database is not released in time, or the file cannot be locked.
    pub(crate) async fn take(
        database: &Path,
        share: Share,
        limit: Duration,
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
            let locked = match share {
                Share::Alone => file.try_lock(),
                #[cfg(feature = "nats")]
                Share::WithCores => file.try_lock_shared(),
            };
            match locked {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            if began.elapsed() >= limit.max(PROBE_GRACE) {
                let holder = read_holder(&mut file);
                return Err(OwnerError::Taken { database: database.display().to_string(), holder });
            }
            if began.elapsed() >= PROBE_GRACE
                && let Some(waiting) = waiting.take()
            {
                waiting(&read_holder(&mut file));
            }
            sleep(RETRY_INTERVAL).await;
        }
        let what = match share {
            Share::Alone => "",
            #[cfg(feature = "nats")]
            Share::WithCores => ", a core of a cluster",
        };
        let text = format!("process {}, faf-lobby {}{what}\n", std::process::id(), env!("CARGO_PKG_VERSION"));
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Returns the owner of the database; `None` if it has no owner, or if that cannot be determined.
pub(crate) fn owner(database: &Path) -> Option<String> {
    let mut file = File::open(lock_path(database)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Some(read_holder(&mut file)),
        Err(TryLockError::Error(_)) => return None,
        Ok(()) => {}
    }
    // Cores do not get in the way of that.
    for _ in 0..LOOKS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_INTERVAL),
            _ => return None,
        }
    }
    Some(read_holder(&mut file))
}

/// Returns the path of the lock file, which is the same for all names of the database
/// through links.
pub(super) fn lock_path(database: &Path) -> PathBuf {
    let real = database.canonicalize().unwrap_or_else(|_| {
        // The database does not exist yet, but its folder may have several names.
        let folder =
            database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        folder.join(database.file_name().unwrap_or_default())
    });
    let mut path: OsString = real.into_os_string();
    path.push(".lock");
    path.into()
}

/// Returns the text that the owner has written into the file.
fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(NOTE_LIMIT).read_to_string(&mut text));
    match text.trim() {
        // The owner has just started, or failed to write.
        "" => "another process".to_owned(),
        _ if read.is_err() => "another process".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(path: &Path, limit: Duration) -> Result<Owner, OwnerError> {
        Owner::take(path, Share::Alone, limit, |_| {}).await
    }

    #[tokio::test(start_paused = true)]
    async fn database_has_one_owner_under_all_its_names() {
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
        let mut waiting =
            std::pin::pin!(Owner::take(&link, Share::Alone, Duration::from_secs(60), move |holder| {
                tell.send(holder.to_owned()).unwrap();
            }));
        assert!(tokio::time::timeout(Duration::from_secs(20), waiting.as_mut()).await.is_err());
        drop(first);
        waiting.await.unwrap();
        assert_eq!((heard.try_iter().collect::<Vec<_>>(), owner(&path)), (vec![me], None));
    }

    #[tokio::test]
    async fn owner_check_does_not_block_a_starting_server() {
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

    #[tokio::test(start_paused = true)]
    async fn cores_share_a_database_and_no_server_is_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sqlite");
        let core = async || Owner::take(&path, Share::WithCores, Duration::ZERO, |_| {}).await;
        let cores = [core().await.unwrap(), core().await.unwrap()];
        assert!(owner(&path).unwrap().contains("a core of a cluster"));
        let refused = take(&path, Duration::ZERO).await.unwrap_err().to_string();
        assert!(refused.contains("a core of a cluster"), "{refused}");
        drop(cores);
        assert_eq!(owner(&path), None);
        let server = take(&path, Duration::ZERO).await.unwrap();
        assert!(core().await.is_err());
        drop(server);
        core().await.unwrap();
    }

    #[tokio::test]
    async fn missing_folder_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let refused = take(&folder.path().join("no/test.sqlite"), Duration::ZERO).await.unwrap_err();
        assert!(refused.to_string().contains("cannot be locked"), "{refused}");
    }
}
