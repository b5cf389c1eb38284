//! A lock that keeps the server from writing to its database, like that of a stuck backup.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use faf_lobby::store::OtherProgram;

/// A locked database. The lock is released after a time, or when this is dropped.
#[derive(Debug)]
pub(crate) struct HangingDatabase {
    /// Dropped to release the lock early.
    end: Option<Sender<()>>,
    holder: Option<JoinHandle<()>>,
}

impl HangingDatabase {
    /// Locks a database.
    pub(crate) fn hold(file: &Path, time: Duration) -> anyhow::Result<Self> {
        let database = OtherProgram::open(file)?;
        database.lock().with_context(|| format!("cannot lock {}", file.display()))?;
        let (end, ended) = channel();
        // The lock ends with the connection.
        let holder = std::thread::spawn(move || {
            let _ = ended.recv_timeout(time);
            drop(database);
        });
        Ok(Self { end: Some(end), holder: Some(holder) })
    }
}

impl Drop for HangingDatabase {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(holder) = self.holder.take() {
            // The thread never panics.
            let _ = holder.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby::store::Store;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn nobody_else_writes_until_it_is_let_go_of() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.sqlite");
        let store = Store::open_file(&file).unwrap();
        let hanging = HangingDatabase::hold(&file, Duration::from_secs(3600)).unwrap();
        let mut write = Box::pin(store.beat());
        assert!(timeout(Duration::from_millis(50), write.as_mut()).await.is_err());
        drop(hanging);
        write.await.unwrap();
        // The lock is also released when its time is over.
        let _hanging = HangingDatabase::hold(&file, Duration::from_millis(1)).unwrap();
        store.beat().await.unwrap();
    }
}
