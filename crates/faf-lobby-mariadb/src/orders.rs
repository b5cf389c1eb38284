//! Operators' orders about players who may be online: a command writes an order, and the running
//! server carries it out. Bans of other services become orders, too.

use std::sync::{Arc, PoisonError};

use faf_lobby_store::{AccountError, Action, Order, Orders, Reason, StoreError};
use faf_protocol::PlayerId;

use crate::MariaDb;
use crate::ban_watch::{self, Changed, look};
use crate::bans::{BAN_END, newest_ban};
use crate::error::{Error, Result};
use crate::own_tables;
use crate::session::Session;
use crate::timings::Family;

/// Maximum number of orders read at once; the others follow a moment later.
const ORDERS_PER_READ: u32 = 100;

/// Time for which the outcome of an order is kept, in seconds; commands wait for it for a
/// few seconds.
const OUTCOME_KEPT_SECONDS: i64 = 3600;

impl Orders for MariaDb {
    async fn forget_orders(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        self.write(Family::Orders, move |s| {
            if s.schema().has_own_tables() {
                s.execute("DELETE FROM faf_lobby_order", ())?;
            }
            shared.bans.lock().unwrap_or_else(PoisonError::into_inner).orders.clear();
            ban_watch::begin(s, &shared)
        })
        .await
    }

    async fn orders(&self) -> Result<Vec<Order>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let read = self.write(Family::Orders, move |s| {
            let (changed, known) = look(s, &shared)?;
            if !s.schema().has_own_tables() {
                let mut watch = shared.bans.lock().unwrap_or_else(PoisonError::into_inner);
                watch.order(&changed);
                let rows: Vec<_> = watch.orders.iter().map(|(id, player)| (*id, player.0, None)).collect();
                drop(watch);
                return Ok((with_bans(s, rows)?, known));
            }
            changed.iter().try_for_each(|change| add(s, change))?;
            let query = "SELECT id, player_id, IF(action = 'kick', reason, NULL) FROM faf_lobby_order
                 WHERE found IS NULL ORDER BY id LIMIT ?";
            let rows =
                s.select(query, (ORDERS_PER_READ,), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok((with_bans(s, rows)?, known))
        });
        let (orders, known) = read.await?;
        self.shared.bans.lock().unwrap_or_else(PoisonError::into_inner).looked(known);
        Ok(orders)
    }

    async fn order_carried_out(&self, id: i64, was_online: bool) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        self.write(Family::Orders, move |s| {
            if !s.schema().has_own_tables() {
                shared.bans.lock().unwrap_or_else(PoisonError::into_inner).orders.remove(&id);
                return Ok(());
            }
            let found = if was_online { "online" } else { "offline" };
            s.execute("UPDATE faf_lobby_order SET found = ? WHERE id = ?", (found, id))?;
            // An order that has just been carried out may be older than that.
            let delete = "DELETE FROM faf_lobby_order
                          WHERE create_time < NOW() - INTERVAL ? SECOND AND found IS NOT NULL AND id <> ?";
            s.execute(delete, (OUTCOME_KEPT_SECONDS, id)).map(drop)
        })
        .await
    }

    async fn kick(&self, login: &str, reason: String) -> Result<i64, AccountError> {
        self.change(Family::Orders, login, move |s, id| {
            if !s.schema().has_own_tables() {
                let problem = format!("the tables of this server are missing: {}", own_tables::WITHOUT);
                return Err(Error::Unavailable(Reason::Other, problem));
            }
            let insert = "INSERT INTO faf_lobby_order (player_id, action, reason) VALUES (?, 'kick', ?)";
            s.execute(insert, (id, &reason))?;
            Ok(s.last_id() as i64)
        })
        .await
    }

    async fn outcome_of_order(&self, id: i64) -> Result<Option<bool>, StoreError> {
        self.read(Family::Orders, move |s| {
            if !s.schema().has_own_tables() {
                return Ok(None);
            }
            let query = "SELECT found FROM faf_lobby_order WHERE id = ?";
            let found: Option<Option<String>> = s.first(query, (id,), |row| row.get(0))?;
            Ok(found.flatten().map(|found| found == "online"))
        })
        .await
    }
}

/// Orders the running server to look at a ban that this transaction has changed, and returns the
/// number of the order; 0 without a table for orders: the running server finds the ban by itself.
pub(crate) fn about_ban(s: &mut Session, ban: u64) -> Result<i64> {
    if !s.schema().has_own_tables() {
        return Ok(0);
    }
    let insert = format!(
        "INSERT INTO faf_lobby_order (player_id, action, reason, ban_id, ban_end)
         SELECT player_id, 'ban', '', id, {BAN_END} FROM ban b WHERE id = ?"
    );
    s.execute(&insert, (ban,))?;
    Ok(s.last_id() as i64)
}

/// Adds an order about a changed ban, unless the change came with its order.
fn add(s: &mut Session, change: &Changed) -> Result<()> {
    let Changed { ban, player, end } = change;
    let exists = "SELECT 1 FROM faf_lobby_order WHERE ban_id = ? AND ban_end = ? LIMIT 1";
    if s.first(exists, (ban, end), |_| Ok(()))?.is_some() {
        return Ok(());
    }
    let insert = "INSERT INTO faf_lobby_order (player_id, action, reason, ban_id, ban_end) VALUES (?, 'ban', '', ?, ?)";
    s.execute(insert, (player, ban, end)).map(drop)
}

fn with_bans(s: &mut Session, rows: Vec<(i64, u32, Option<String>)>) -> Result<Vec<Order>> {
    let order = |(id, player, kick): (i64, u32, Option<String>)| {
        let action = match kick {
            Some(reason) => Action::Kick(reason),
            None => Action::Ban(newest_ban(s, player)?),
        };
        Ok(Order { id, player: PlayerId(player), action })
    };
    rows.into_iter().map(order).collect()
}
