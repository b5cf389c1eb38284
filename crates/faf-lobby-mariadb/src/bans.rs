//! Bans from the lobby.
//!
//! Other services read and write bans, too. The author of a ban that this server makes is the
//! banned account itself, because the schema demands an author.

use faf_lobby_core::{Ban, Timestamp};
use faf_lobby_store::{AccountError, Bans, StoreError};
use faf_protocol::PlayerId;

use crate::MariaDb;
use crate::accounts::cut;
use crate::error::Result;
use crate::orders;
use crate::session::{Row, Session};
use crate::timings::Family;

/// The time in Unix seconds at which a row `b` of `ban` ends: when it was revoked, else when it
/// expires, else 2999-12-31. A date of zeros counts as no date.
pub(crate) const BAN_END: &str = "COALESCE(TIMESTAMPDIFF(SECOND, '1970-01-01', b.revoke_time), \
     TIMESTAMPDIFF(SECOND, '1970-01-01', b.expires_at), 32503593600)";

/// Longest stored reason, in characters; the rest is cut off.
const REASON_LIMIT: usize = 255;

/// Last second that a column with a date can store: the end of the year 9999.
const LAST_DATE: i64 = 253_402_300_799;

impl Bans for MariaDb {
    async fn find_ban(&self, player: PlayerId) -> Result<Option<Ban>, StoreError> {
        self.read(Family::Bans, move |s| newest_ban(s, player.0)).await
    }

    async fn ban(&self, login: &str, reason: String, expires_at: Option<i64>) -> Result<i64, AccountError> {
        let reason = cut(&reason, REASON_LIMIT);
        let expires_at = expires_at.map(|seconds| seconds.clamp(0, LAST_DATE));
        self.change(Family::Bans, login, move |s, id| {
            let insert = "INSERT INTO ban (player_id, author_id, reason, expires_at, level)
                          VALUES (?, ?, ?, '1970-01-01' + INTERVAL ? SECOND, 'GLOBAL')";
            s.execute(insert, (id, id, &reason, expires_at))?;
            let ban = s.last_id();
            orders::about_ban(s, ban)
        })
        .await
    }

    async fn unban(&self, login: &str) -> Result<usize, AccountError> {
        self.change(Family::Bans, login, move |s, id| {
            let query = format!(
                "SELECT id FROM ban b WHERE player_id = ? AND level = 'GLOBAL' AND {BAN_END} > UNIX_TIMESTAMP()
                 FOR UPDATE"
            );
            let bans: Vec<u64> = s.select(&query, (id,), |row| row.get(0))?;
            for ban in &bans {
                s.execute("UPDATE ban SET revoke_time = NOW() WHERE id = ?", (ban,))?;
                orders::about_ban(s, *ban)?;
            }
            Ok(bans.len())
        })
        .await
    }
}

/// Returns the lobby ban that ends last.
pub(crate) fn newest_ban(s: &mut Session, player: u32) -> Result<Option<Ban>> {
    let query = format!(
        "SELECT reason, {BAN_END} FROM ban b WHERE player_id = ? AND level = 'GLOBAL' ORDER BY 2 DESC LIMIT 1"
    );
    s.first(&query, (player,), |row| ban_at(row, 0))
}

/// Reads the reason and the end of a ban from this column and the next.
pub(crate) fn ban_at(row: &Row, position: usize) -> Result<Ban> {
    Ok(Ban { reason: row.get(position)?, expires_at: Timestamp::from_seconds(row.get(position + 1)?) })
}
