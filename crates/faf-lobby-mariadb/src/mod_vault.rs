//! The vault of mods.

use std::collections::BTreeMap;

use faf_lobby_core::{Like, UnknownMod, VaultMod};
use faf_lobby_store::{ModVault, StoreError};
use faf_protocol::PlayerId;

use crate::MariaDb;
use crate::error::Result;
use crate::session::{Row, Session};
use crate::timings::Family;

const SELECT: &str =
    "SELECT uid, name, version, author, ui, UNIX_TIMESTAMP(date), downloads, CAST(likes AS CHAR),
                             played, description, filename, COALESCE(icon, '') FROM table_mod";

/// Largest number in the columns that count downloads and games.
pub(crate) const COUNT_LIMIT: u32 = 8_388_607;

impl ModVault for MariaDb {
    async fn liked_mods(&self, limit: u32) -> Result<Vec<VaultMod>, StoreError> {
        self.read(Family::ModVault, move |s| {
            s.select_valid(&format!("{SELECT} ORDER BY likes DESC, id LIMIT ?"), (limit,), vault_mod)
        })
        .await
    }

    async fn like_mod(&self, player: PlayerId, uid: String) -> Result<Result<Like, UnknownMod>, StoreError> {
        self.write(Family::ModVault, move |s| {
            let Some(id) = mod_id(s, &uid)? else { return Ok(Err(UnknownMod)) };
            let query = "SELECT likers FROM mod_stats WHERE mod_id = ? FOR UPDATE";
            let likers: Option<Vec<u8>> = s.first(query, (id,), |row| row.get(0))?;
            // A list that cannot be read is replaced by a new one with this player.
            let mut likers: Vec<u32> =
                likers.and_then(|likers| serde_json::from_slice(&likers).ok()).unwrap_or_default();
            if likers.contains(&player.0) {
                return Ok(Ok(Like::Before));
            }
            likers.push(player.0);
            let likers = serde_json::to_string(&likers)?;
            s.execute(
                "INSERT INTO mod_stats (mod_id, likes, likers) VALUES (?, 1, ?)
                 ON DUPLICATE KEY UPDATE likes = likes + 1, likers = VALUES(likers)",
                (id, likers),
            )?;
            let liked = s.one(&format!("{SELECT} WHERE uid = ?"), (&uid,), vault_mod)?;
            Ok(Ok(Like::Counted(Box::new(liked))))
        })
        .await
    }

    async fn count_download(&self, uid: String) -> Result<bool, StoreError> {
        self.write(Family::ModVault, move |s| {
            let Some(id) = mod_id(s, &uid)? else { return Ok(false) };
            s.execute(
                "INSERT INTO mod_stats (mod_id, downloads, likers) VALUES (?, 1, '[]')
                 ON DUPLICATE KEY UPDATE downloads = LEAST(downloads + 1, ?)",
                (id, COUNT_LIMIT),
            )?;
            Ok(true)
        })
        .await
    }

    async fn mod_names(&self, uids: Vec<String>) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(Family::ModVault, move |s| {
            let mut names = BTreeMap::new();
            for uid in &uids {
                let name: Option<String> = s
                    .select_valid("SELECT name FROM table_mod WHERE uid = ?", (uid,), |row| row.get(0))?
                    .pop();
                names.extend(name.map(|name| (uid.clone(), name)));
            }
            Ok(names)
        })
        .await
    }
}

/// Returns the mod that has a visible version with this `uid`.
fn mod_id(s: &mut Session, uid: &str) -> Result<Option<u32>> {
    s.first("SELECT mod_id FROM mod_version WHERE uid = ? AND hidden = 0", (uid,), |row| row.get(0))
}

fn vault_mod(row: &Row) -> Result<VaultMod> {
    Ok(VaultMod {
        uid: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        author: row.get(3)?,
        is_ui: row.get(4)?,
        date: row.get(5)?,
        downloads: row.get(6)?,
        likes: row.number(7)?,
        played: row.get(8)?,
        description: row.get(9)?,
        filename: row.get(10)?,
        icon: row.get(11)?,
    })
}
