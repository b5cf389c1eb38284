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

#[cfg(test)]
mod tests {
    use super::super::testing::{change, new_store_for_games};
    use super::*;

    #[tokio::test]
    async fn maps_are_found_by_their_folder() {
        let (store, _folder) = new_store_for_games().await;
        let find = |folder: &str| store.find_map(folder.to_owned());
        assert_eq!(find("scmp_007").await.unwrap(), Some(MapVersion { id: 7, is_ranked: true }));
        change(&store, "UPDATE map_version SET ranked = 0").await;
        assert_eq!(find("scmp_007").await.unwrap(), Some(MapVersion { id: 7, is_ranked: false }));
        assert_eq!(find("scmp_008").await.unwrap(), None);
    }
}
