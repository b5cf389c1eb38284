//! The outbox: messages for other services, written in the transaction that caused them.
//!
//! A database without our tables has no outbox. Messages then wait in memory, and a retried write
//! may add them twice.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use faf_lobby_core::{GamePublications, Publication};
use faf_lobby_store::{Message, Outbox, StoreError, Waiting};
use faf_protocol::GameId;
use mysql::Value;

use crate::MariaDb;
use crate::error::{Error, Result};
use crate::session::{Session, parameters};
use crate::timings::Family;

/// Number of messages that are deleted by one statement.
const DELETED_AT_ONCE: usize = 500;

/// Number of messages that are inserted by one statement.
const INSERTED_AT_ONCE: usize = 50;

/// Number of messages that wait in memory; beyond it, the oldest are dropped.
const VOLATILE_LIMIT: usize = 100_000;

/// Messages that wait in memory, by number.
#[derive(Debug, Default)]
pub(crate) struct Volatile {
    messages: BTreeMap<i64, Message>,
    last: i64,
}

impl Volatile {
    /// Adds messages.
    pub(crate) fn add(&mut self, messages: Vec<Message>) {
        for message in messages {
            self.last += 1;
            self.messages.insert(self.last, message);
            if self.messages.len() > VOLATILE_LIMIT && self.messages.pop_first().is_some() {
                tracing::error!(
                    "a message for other services is lost: too many wait, and the database has no outbox"
                );
            }
        }
    }
}

impl Outbox for MariaDb {
    async fn waiting_messages(&self, limit: u32) -> Result<Waiting, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.read(Family::Outbox, move |s| {
            if !s.schema().has_own_tables() {
                let volatile = shared.messages.lock().unwrap_or_else(PoisonError::into_inner);
                let messages = volatile.messages.iter().take(limit as usize);
                let messages = messages.map(|(number, message)| (*number, message.clone())).collect();
                return Ok(Waiting { count: volatile.messages.len() as u32, messages });
            }
            let count = s.one("SELECT COUNT(*) FROM faf_lobby_outbox", (), |row| row.get(0))?;
            let query = "SELECT id, exchange, routing_key, body, is_persistent <> 0 FROM faf_lobby_outbox
                         ORDER BY id LIMIT ?";
            let messages = s.select(query, (limit,), |row| {
                let message = Message {
                    exchange: row.get(1)?,
                    routing_key: row.get(2)?,
                    body: row.get(3)?,
                    is_persistent: row.get(4)?,
                };
                Ok((row.get(0)?, message))
            })?;
            Ok(Waiting { count, messages })
        })
        .await
    }

    async fn messages_delivered(&self, numbers: Vec<i64>) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        self.write(Family::Outbox, move |s| {
            if !s.schema().has_own_tables() {
                let mut volatile = shared.messages.lock().unwrap_or_else(PoisonError::into_inner);
                numbers.iter().for_each(|number| drop(volatile.messages.remove(number)));
                return Ok(());
            }
            for numbers in numbers.chunks(DELETED_AT_ONCE) {
                let places = vec!["?"; numbers.len()].join(", ");
                let delete = format!("DELETE FROM faf_lobby_outbox WHERE id IN ({places})");
                s.execute(&delete, parameters(numbers.iter().map(Value::from)))?;
            }
            Ok(())
        })
        .await
    }
}

/// Puts messages into the outbox, in this order.
pub(crate) fn put<'a>(
    s: &mut Session,
    publications: impl IntoIterator<Item = &'a Publication>,
) -> Result<()> {
    let messages = publications.into_iter().map(Message::new);
    let messages =
        messages.collect::<Result<Vec<_>, _>>().map_err(|error| Error::Refused(error.to_string()))?;
    if !s.schema().has_own_tables() {
        s.messages.extend(messages);
        return Ok(());
    }
    // The numbers of the rows of one statement ascend.
    for messages in messages.chunks(INSERTED_AT_ONCE) {
        let insert = format!(
            "INSERT INTO faf_lobby_outbox (exchange, routing_key, body, is_persistent) VALUES {}",
            vec!["(?, ?, ?, ?)"; messages.len()].join(", ")
        );
        let values = messages.iter().flat_map(|message| {
            let Message { exchange, routing_key, body, is_persistent } = message;
            [exchange.into(), routing_key.into(), body.into(), Value::from(*is_persistent)]
        });
        s.execute(&insert, parameters(values))?;
    }
    Ok(())
}

/// Puts the publications of a game into the outbox, except for those that were put there before.
pub(crate) fn put_numbered(s: &mut Session, game: GameId, publications: &GamePublications) -> Result<()> {
    if publications.list.is_empty() {
        return Ok(());
    }
    if !s.schema().has_own_tables() {
        return put(s, &publications.list);
    }
    let query = "SELECT count FROM faf_lobby_publication WHERE id = ? FOR UPDATE";
    let stored: Option<u32> = s.first(query, (game.0,), |row| row.get(0))?;
    let stored = stored.unwrap_or(0);
    put(s, publications.after(stored))?;
    s.execute(
        "INSERT INTO faf_lobby_publication (id, count) VALUES (?, ?) ON DUPLICATE KEY UPDATE count = VALUES(count)",
        (game.0, stored.max(publications.end())),
    )
    .map(drop)
}
