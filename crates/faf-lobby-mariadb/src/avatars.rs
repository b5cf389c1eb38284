//! Avatars that players were granted and have selected.
//!
//! The selection is stored in two places, as other services expect it: `login.avatar_id` (v143) is
//! authoritative, and the flag of the grant counts only if `login.avatar_id` is empty. Expired
//! grants still count.

use faf_lobby_store::{Avatars, StoreError};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Avatar;

use crate::MariaDb;
use crate::error::Result;
use crate::session::{Row, Session};
use crate::timings::Family;

const GRANTED: &str =
    "SELECT url, COALESCE(tooltip, ''), l.id FROM avatars a JOIN avatars_list l ON l.id = a.idAvatar
                       WHERE a.idUser = ? ORDER BY a.id";

impl Avatars for MariaDb {
    async fn avatars(&self, player: PlayerId) -> Result<Vec<Avatar>, StoreError> {
        self.read(Family::Avatars, move |s| s.select_valid(GRANTED, (player.0,), avatar)).await
    }

    async fn select_avatar(
        &self,
        player: PlayerId,
        url: Option<String>,
    ) -> Result<Option<Option<Avatar>>, StoreError> {
        self.write(Family::Avatars, move |s| {
            let granted = match &url {
                None => None,
                Some(url) => {
                    // Compared here, because the database would ignore case.
                    let granted =
                        s.select_valid(GRANTED, (player.0,), |row| Ok((row.get(2)?, avatar(row)?)))?;
                    match granted.into_iter().find(|(_, avatar)| avatar.url == *url) {
                        None => return Ok(None),
                        found => found,
                    }
                }
            };
            let id: Option<u32> = granted.as_ref().map(|(id, _)| *id);
            s.execute("UPDATE avatars SET selected = (idAvatar <=> ?) WHERE idUser = ?", (id, player.0))?;
            if s.schema().has_avatar_id {
                s.execute("UPDATE login SET avatar_id = ? WHERE id = ?", (id, player.0))?;
            }
            Ok(Some(granted.map(|(_, avatar)| avatar)))
        })
        .await
    }
}

/// Returns the condition on which a grant `a` is the selected one of an account `u`.
pub(crate) fn is_selected(s: &Session) -> &'static str {
    match s.schema().has_avatar_id {
        true => "(a.idAvatar = u.avatar_id OR u.avatar_id IS NULL AND a.selected = 1)",
        false => "a.selected = 1",
    }
}

fn avatar(row: &Row) -> Result<Avatar> {
    Ok(Avatar { url: row.get(0)?, tooltip: row.get(1)? })
}
