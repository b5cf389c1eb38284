//! The key with which this server signs tokens itself.

use rusqlite::OptionalExtension;

use super::{Store, StoreError};

impl Store {
    /// The key, if one was made.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub(crate) async fn own_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|t| t.query_row("SELECT key FROM own_key", (), |row| row.get(0)).optional()).await
    }

    /// The key; the one that is given if none was made before.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub(crate) async fn own_key_or(&self, new: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.write(move |t| {
            t.execute("INSERT INTO own_key (id, key) VALUES (1, ?1) ON CONFLICT DO NOTHING", [new])?;
            t.query_row("SELECT key FROM own_key", (), |row| row.get(0))
        })
        .await
    }
}
