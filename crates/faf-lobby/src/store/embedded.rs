//! Only for databases in a file: the checks of the files. A database with a
//! server of its own takes care of all that itself.

use std::io;

use faf_lobby_store::StoreError;

pub(crate) use super::sqlite::{BackupError, Examiner, Files};
use super::{Database, Store};

impl Store {
    /// Returns the files of the database as they are now; none if it lies in no file.
    ///
    /// # Errors
    /// If the file cannot be accessed.
    pub(crate) fn files(&self, database: &Database) -> io::Result<Option<Files>> {
        match (self, database) {
            (Self::Sqlite(_), Database::File(path)) => Files::of(path).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns what looks through the whole database for damage; none if it lies in no file.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be opened once more.
    pub(crate) fn examiner(&self, database: &Database) -> Result<Option<Examiner>, StoreError> {
        match (self, database) {
            (Self::Sqlite(store), Database::File(path)) => Examiner::new(store, path).map(Some),
            _ => Ok(None),
        }
    }
}
