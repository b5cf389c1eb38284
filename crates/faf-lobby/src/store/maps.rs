//! Maps of the vault.

use faf_lobby_core::MapVersion;
use rusqlite::OptionalExtension;

use super::{Store, StoreError};

impl Store {
    /// The map in a folder, whatever the case of its name.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn find_map(&self, folder: String) -> Result<Option<MapVersion>, StoreError> {
        self.read(move |t| {
            let mut select =
                t.prepare_cached("SELECT id, ranked <> 0 FROM map_version WHERE folder_name = ?1")?;
            select
                .query_row([folder], |row| Ok(MapVersion { id: row.get(0)?, is_ranked: row.get(1)? }))
                .optional()
        })
        .await
    }
}
