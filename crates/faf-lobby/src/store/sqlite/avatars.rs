//! Avatars that players were granted and have selected.
//!
//! The selection is stored in two places, as other services expect it: `login.avatar_id` is
//! authoritative, and the flag of the grant counts only if `login.avatar_id` is empty. Expired
//! grants still count.

use faf_lobby_store::{Avatars, StoreError};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Avatar;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::Sqlite;

impl Avatars for Sqlite {
    async fn avatars(&self, player: PlayerId) -> Result<Vec<Avatar>, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare_cached(
                "SELECT url, coalesce(tooltip, '') FROM avatars a JOIN avatars_list l ON l.id = a.idAvatar
                 WHERE idUser = ?1 ORDER BY a.id",
            )?;
            select.query_map([player.0], avatar)?.collect()
        })
        .await
    }

    async fn select_avatar(
        &self,
        player: PlayerId,
        url: Option<String>,
    ) -> Result<Option<Option<Avatar>>, StoreError> {
        self.write(move |t| {
            let granted = match &url {
                None => None,
                Some(url) => match granted(t, player, url)? {
                    None => return Ok(None),
                    found => found,
                },
            };
            let id = granted.as_ref().map(|(id, _)| *id);
            t.execute("UPDATE avatars SET selected = (idAvatar IS ?1) WHERE idUser = ?2", (id, player.0))?;
            t.execute("UPDATE login SET avatar_id = ?1 WHERE id = ?2", (id, player.0))?;
            Ok(Some(granted.map(|(_, avatar)| avatar)))
        })
        .await
    }
}

/// Returns the avatar that a player has selected.
pub(super) fn selected(t: &Transaction<'_>, player: PlayerId) -> rusqlite::Result<Option<Avatar>> {
    let mut select = t.prepare_cached(
        "SELECT url, coalesce(tooltip, '') FROM login u
         JOIN avatars a ON a.idUser = u.id AND (a.idAvatar = u.avatar_id OR (u.avatar_id IS NULL AND a.selected = 1))
         JOIN avatars_list l ON l.id = a.idAvatar
         WHERE u.id = ?1 ORDER BY a.id LIMIT 1",
    )?;
    select.query_row([player.0], avatar).optional()
}

fn granted(t: &Transaction<'_>, player: PlayerId, url: &str) -> rusqlite::Result<Option<(i64, Avatar)>> {
    let mut select = t.prepare_cached(
        "SELECT url, coalesce(tooltip, ''), l.id FROM avatars a JOIN avatars_list l ON l.id = a.idAvatar
         WHERE idUser = ?1 AND url = ?2",
    )?;
    select.query_row((player.0, url), |row| Ok((row.get(2)?, avatar(row)?))).optional()
}

fn avatar(row: &Row<'_>) -> rusqlite::Result<Avatar> {
    Ok(Avatar { url: row.get(0)?, tooltip: row.get(1)? })
}
