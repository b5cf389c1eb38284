//! The mod vault.

use faf_lobby_core::VaultMod;
use faf_protocol::PlayerId;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Store, StoreError, sound};

const COLUMNS: &str =
    "uid, name, version, author, ui, date, downloads, likes, played, description, filename, icon";

/// What came of liking a mod.
#[derive(Debug, Clone, PartialEq)]
pub enum Like {
    /// It counts; the mod as it is now.
    Counted(Box<VaultMod>),
    /// The player has liked it before.
    Before,
    /// There is no such mod.
    Unknown,
}

impl Store {
    /// The mods that are liked most, most liked first.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn liked_mods(&self, limit: u32) -> Result<Vec<VaultMod>, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM table_mod ORDER BY likes DESC, id LIMIT ?1"
            ))?;
            sound(select.query_map([limit], vault_mod)?)
        })
        .await
    }

    /// Lets a player like a mod, once.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn like_mod(&self, player: PlayerId, uid: String) -> Result<Like, StoreError> {
        self.write(move |t| {
            let Some(id) = mod_id(t, &uid)? else { return Ok(Like::Unknown) };
            let likers: Option<String> = t
                .query_row("SELECT likers FROM mod_stats WHERE mod_id = ?1", [id], |row| row.get(0))
                .optional()?;
            // A list that cannot be read is begun anew, with this player.
            let mut likers: Vec<u32> =
                likers.and_then(|likers| serde_json::from_str(&likers).ok()).unwrap_or_default();
            if likers.contains(&player.0) {
                return Ok(Like::Before);
            }
            likers.push(player.0);
            let likers = serde_json::to_string(&likers).unwrap_or_default();
            t.execute(
                "INSERT INTO mod_stats (mod_id, likes, likers) VALUES (?1, 1, ?2)
                 ON CONFLICT (mod_id) DO UPDATE SET likes = likes + 1, likers = excluded.likers",
                (id, likers),
            )?;
            let liked =
                t.query_row(&format!("SELECT {COLUMNS} FROM table_mod WHERE uid = ?1"), [uid], vault_mod)?;
            Ok(Like::Counted(Box::new(liked)))
        })
        .await
    }

    /// Counts a download of a mod; answers whether there is such a mod.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn count_download(&self, uid: String) -> Result<bool, StoreError> {
        self.write(move |t| {
            let Some(id) = mod_id(t, &uid)? else { return Ok(false) };
            t.execute(
                "INSERT INTO mod_stats (mod_id, downloads) VALUES (?1, 1)
                 ON CONFLICT (mod_id) DO UPDATE SET downloads = downloads + 1",
                [id],
            )?;
            Ok(true)
        })
        .await
    }
}

/// The mod of which `uid` is a version that can be seen.
fn mod_id(t: &Transaction<'_>, uid: &str) -> rusqlite::Result<Option<i64>> {
    t.query_row("SELECT mod_id FROM mod_version WHERE uid = ?1 AND hidden = 0", [uid], |row| row.get(0))
        .optional()
}

fn vault_mod(row: &Row<'_>) -> rusqlite::Result<VaultMod> {
    Ok(VaultMod {
        uid: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        author: row.get(3)?,
        is_ui: row.get(4)?,
        date: row.get(5)?,
        downloads: row.get(6)?,
        likes: row.get(7)?,
        played: row.get(8)?,
        description: row.get(9)?,
        filename: row.get(10)?,
        icon: row.get(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::new_store;
    use super::*;

    #[tokio::test]
    async fn mods_are_liked_once_and_downloads_counted() {
        let (store, _folder) = new_store();
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        store
            .write(|t| {
                t.execute_batch(
                    "INSERT INTO mod (id, display_name, author) VALUES (1, 'One', 'A'), (2, 'Two', 'B'), (3, 'Hidden', 'C');
                     INSERT INTO mod_version (id, mod_id, uid, type, description, version, filename, hidden)
                     VALUES (1, 1, 'one', 'UI', 'd', 1, 'one.zip', 0), (2, 2, 'two', 'SIM', 'd', 2, 'two.zip', 0),
                            (3, 3, 'hidden', 'SIM', 'd', 2, 'hidden.zip', 1);
                     INSERT INTO mod_stats (mod_id, likes, likers) VALUES (2, 5, 'damaged');",
                )
            })
            .await
            .unwrap();
        let uids = |mods: Vec<VaultMod>| mods.into_iter().map(|shown| shown.uid).collect::<Vec<_>>();
        assert_eq!(uids(store.liked_mods(100).await.unwrap()), ["two", "one"]);
        assert_eq!(uids(store.liked_mods(1).await.unwrap()), ["two"]);
        let damage = |sql: &'static str| store.write(move |t| t.execute(sql, ()));
        damage("UPDATE mod_stats SET downloads = -1 WHERE mod_id = 2").await.unwrap();
        assert_eq!(uids(store.liked_mods(100).await.unwrap()), ["one"]);
        damage("UPDATE mod_stats SET downloads = 0 WHERE mod_id = 2").await.unwrap();
        for (uid, likes) in [("one", 1.0), ("two", 6.0)] {
            match store.like_mod(ada, uid.to_owned()).await.unwrap() {
                Like::Counted(liked) => assert_eq!(liked.likes, likes),
                other => panic!("{other:?}"),
            }
            assert_eq!(store.like_mod(ada, uid.to_owned()).await.unwrap(), Like::Before);
        }
        assert_eq!(store.like_mod(ada, "hidden".to_owned()).await.unwrap(), Like::Unknown);
        assert!(store.count_download("one".to_owned()).await.unwrap());
        assert!(!store.count_download("none".to_owned()).await.unwrap());
        assert_eq!(store.liked_mods(100).await.unwrap()[1].downloads, 1);
    }
}
