//! Operators' orders about players who may be online: a command writes an order, and the running
//! server carries it out.

use faf_lobby_store::{AccountError, Action, Order, Orders, StoreError};
use faf_protocol::PlayerId;
use rusqlite::{OptionalExtension, Transaction};

use super::Sqlite;
use super::accounts::newest_ban;

/// Maximum number of orders read at once; the others follow a moment later.
const ORDERS_PER_READ: u32 = 100;

/// Time for which the outcome of an order is kept, in seconds; commands wait for it for a
/// few seconds.
const OUTCOME_KEPT_SECONDS: i64 = 3600;

impl Orders for Sqlite {
    async fn forget_orders(&self) -> Result<(), StoreError> {
        self.write(|t| t.execute("DELETE FROM operator_order", ()).map(|_| ())).await
    }

    async fn orders(&self) -> Result<Vec<Order>, StoreError> {
        self.read(|t| {
            let mut select = t.prepare_cached(
                "SELECT id, player_id, action, reason FROM operator_order WHERE found IS NULL ORDER BY id LIMIT ?1",
            )?;
            let rows: Vec<(i64, u32, String, String)> = select
                .query_map([ORDERS_PER_READ], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
                .collect::<Result<_, _>>()?;
            let order = |(id, player, action, reason): (i64, u32, String, String)| {
                let action = match action.as_str() {
                    "kick" => Action::Kick(reason),
                    _ => Action::Ban(newest_ban(t, player, "")?),
                };
                Ok(Order { id, player: PlayerId(player), action })
            };
            rows.into_iter().map(order).collect()
        })
        .await
    }

    async fn order_carried_out(&self, id: i64, was_online: bool) -> Result<(), StoreError> {
        self.write(move |t| {
            let found = if was_online { "online" } else { "offline" };
            t.execute("UPDATE operator_order SET found = ?2 WHERE id = ?1", (id, found))?;
            t.execute(
                "DELETE FROM operator_order WHERE ordered_at < unixepoch() - ?1",
                [OUTCOME_KEPT_SECONDS],
            )?;
            Ok(())
        })
        .await
    }

    async fn kick(&self, login: &str, reason: String) -> Result<i64, AccountError> {
        self.change(login, move |t, id| {
            t.execute(
                "INSERT INTO operator_order (player_id, action, reason) VALUES (?1, 'kick', ?2)",
                (id, reason),
            )?;
            last_order(t, id)
        })
        .await
    }

    async fn outcome_of_order(&self, id: i64) -> Result<Option<bool>, StoreError> {
        self.read(move |t| {
            let found: Option<Option<String>> = t
                .query_row("SELECT found FROM operator_order WHERE id = ?1", [id], |row| row.get(0))
                .optional()?;
            Ok(found.flatten().map(|found| found == "online"))
        })
        .await
    }
}

/// Returns the number of the latest order about a player.
pub(super) fn last_order(t: &Transaction<'_>, player: u32) -> rusqlite::Result<i64> {
    t.query_row("SELECT max(id) FROM operator_order WHERE player_id = ?1", [player], |row| row.get(0))
}
