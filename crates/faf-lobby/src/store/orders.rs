//! Orders of operators about players who may be online: a command writes one, the running server carries it out.

use faf_lobby_core::Ban;
use faf_protocol::PlayerId;
use rusqlite::{OptionalExtension, Transaction};

use super::accounts::newest_ban;
use super::{AccountError, Store, StoreError};

/// Orders that are taken at once; the others follow a moment later.
const AT_ONCE: u32 = 100;

/// How long the outcome of an order is kept, in seconds: commands wait for it for some seconds.
const KEPT: i64 = 3600;

/// An order that no server has taken before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Its number.
    pub(crate) id: i64,
    /// Whom it is about.
    pub(crate) player: PlayerId,
    /// What is to be done.
    pub(crate) action: Action,
}

/// The action that an operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// To end the connection of a player who has a ban; the one that ends last, in force or not.
    Ban(Option<Ban>),
    /// To end a connection. The player is told the reason, if it is not empty.
    Kick(String),
}

impl Store {
    /// Forgets what no server has taken: nobody is online when one starts.
    pub(crate) async fn forget_orders(&self) -> Result<(), StoreError> {
        self.write(|t| t.execute("DELETE FROM operator_order", ()).map(|_| ())).await
    }

    /// Orders that wait, in the order they were given.
    pub(crate) async fn orders(&self) -> Result<Vec<Order>, StoreError> {
        self.read(|t| {
            let mut select = t.prepare_cached(
                "SELECT id, player_id, action, reason FROM operator_order WHERE found IS NULL ORDER BY id LIMIT ?1",
            )?;
            let rows: Vec<(i64, u32, String, String)> = select
                .query_map([AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
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

    /// Notes that a server has carried out an order, and whether the player was online.
    pub(crate) async fn order_carried_out(&self, id: i64, was_online: bool) -> Result<(), StoreError> {
        self.write(move |t| {
            let found = if was_online { "online" } else { "offline" };
            t.execute("UPDATE operator_order SET found = ?2 WHERE id = ?1", (id, found))?;
            t.execute("DELETE FROM operator_order WHERE ordered_at < unixepoch() - ?1", [KEPT])?;
            Ok(())
        })
        .await
    }

    /// Asks the running server to end the connection of an account; returns the number of the order.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn kick(&self, login: &str, reason: String) -> Result<i64, AccountError> {
        self.change(login, move |t, id| {
            t.execute(
                "INSERT INTO operator_order (player_id, action, reason) VALUES (?1, 'kick', ?2)",
                (id, reason),
            )?;
            last_order(t, id)
        })
        .await
    }

    /// Whether the player was online when a server has carried out an order; none if no server has yet.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn outcome_of_order(&self, id: i64) -> Result<Option<bool>, StoreError> {
        self.read(move |t| {
            let found: Option<Option<String>> = t
                .query_row("SELECT found FROM operator_order WHERE id = ?1", [id], |row| row.get(0))
                .optional()?;
            Ok(found.flatten().map(|found| found == "online"))
        })
        .await
    }
}

/// The number of the order that was given last about a player.
pub(super) fn last_order(t: &Transaction<'_>, player: u32) -> rusqlite::Result<i64> {
    t.query_row("SELECT max(id) FROM operator_order WHERE player_id = ?1", [player], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::super::tests::new_store;
    use super::*;

    #[tokio::test]
    async fn orders_wait_until_they_are_carried_out() {
        let (store, _folder) = new_store();
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        let ban = store.ban("Ada", "rude".to_owned(), None).await.unwrap();
        let kick = store.kick("ada", "go".to_owned()).await.unwrap();
        let orders = store.orders().await.unwrap();
        assert_eq!(
            orders.iter().map(|order| (order.id, order.player)).collect::<Vec<_>>(),
            [(ban, ada), (kick, ada)]
        );
        assert!(matches!(&orders[0].action, Action::Ban(Some(ban)) if ban.reason == "rude"));
        assert_eq!(orders[1].action, Action::Kick("go".to_owned()));
        assert_eq!(store.outcome_of_order(ban).await.unwrap(), None);
        store.order_carried_out(ban, true).await.unwrap();
        assert_eq!(store.outcome_of_order(ban).await.unwrap(), Some(true));
        assert_eq!(store.orders().await.unwrap()[..], orders[1..]);
        store.unban("Ada").await.unwrap();
        assert_eq!(store.orders().await.unwrap().len(), 2);
        store.forget_orders().await.unwrap();
        assert_eq!(store.orders().await.unwrap(), []);
    }

    #[tokio::test]
    async fn bans_of_other_programs_are_orders_too() {
        let (store, _folder) = new_store();
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        let insert = "INSERT INTO ban (player_id, reason, level) VALUES (1, 'x', 'GLOBAL'), (1, 'y', 'CHAT')";
        store.write(|t| t.execute(insert, ())).await.unwrap();
        let orders = store.orders().await.unwrap();
        assert!(
            matches!(&orders[..], [Order { player, action: Action::Ban(Some(_)), .. }] if *player == ada)
        );
    }
}
