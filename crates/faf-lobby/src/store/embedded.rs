//! Only for databases in a file: the owner, copies, and the checks of the files. A database with a
//! server of its own takes care of all that itself.

use std::io;
use std::path::Path;

use faf_lobby_store::StoreError;

use super::Store;
pub(crate) use super::sqlite::{BackupError, Examiner, Files, Owner, OwnerError, back_up, inspect, owner};

impl Store {
    /// Returns the files of the database as they are now; none if it lies in no file.
    ///
    /// # Errors
    /// If the file cannot be accessed.
    pub(crate) fn files(&self, path: &Path) -> io::Result<Option<Files>> {
        match self {
            Self::Sqlite(_) => Files::of(path).map(Some),
            Self::Memory(_) => Ok(None),
        }
    }

    /// Returns what looks through the whole database for damage; none if it lies in no file.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be opened once more.
    pub(crate) fn examiner(&self, path: &Path) -> Result<Option<Examiner>, StoreError> {
        match self {
            Self::Sqlite(store) => Examiner::new(store, path).map(Some),
            Self::Memory(_) => Ok(None),
        }
    }
}
