//! The vault of mods.

use std::collections::BTreeMap;

use faf_lobby_core::{Like, UnknownMod, VaultMod};
use faf_lobby_store::{ModVault, StoreError};
use faf_protocol::PlayerId;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Sqlite, skip_invalid};

const COLUMNS: &str =
    "uid, name, version, author, ui, date, downloads, likes, played, description, filename, icon";

impl ModVault for Sqlite {
    async fn liked_mods(&self, limit: u32) -> Result<Vec<VaultMod>, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM table_mod ORDER BY likes DESC, id LIMIT ?1"
            ))?;
            skip_invalid(select.query_map([limit], vault_mod)?)
        })
        .await
    }

    async fn like_mod(&self, player: PlayerId, uid: String) -> Result<Result<Like, UnknownMod>, StoreError> {
        self.write(move |t| {
            let Some(id) = mod_id(t, &uid)? else { return Ok(Err(UnknownMod)) };
            let likers: Option<String> = t
                .query_row("SELECT likers FROM mod_stats WHERE mod_id = ?1", [id], |row| row.get(0))
                .optional()?;
            // A list that cannot be read is replaced by a new one with this player.
            let mut likers: Vec<u32> =
                likers.and_then(|likers| serde_json::from_str(&likers).ok()).unwrap_or_default();
            if likers.contains(&player.0) {
                return Ok(Ok(Like::Before));
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
            Ok(Ok(Like::Counted(Box::new(liked))))
        })
        .await
    }

    async fn count_download(&self, uid: String) -> Result<bool, StoreError> {
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

    async fn mod_names(&self, uids: Vec<String>) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare_cached("SELECT name FROM table_mod WHERE uid = ?1")?;
            let mut names = BTreeMap::new();
            for uid in uids {
                let name = skip_invalid(select.query_map([&uid], |row| row.get(0))?)?.pop();
                names.extend(name.map(|name: String| (uid, name)));
            }
            Ok(names)
        })
        .await
    }
}

/// Returns the mod that has a visible version with this `uid`.
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
