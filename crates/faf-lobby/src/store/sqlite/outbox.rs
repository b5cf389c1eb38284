//! The outbox: messages for other services, written in the transaction that caused them.

use faf_lobby_core::{GamePublications, Publication};
use faf_lobby_store::{Message, Outbox, StoreError, Waiting};
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Transaction};

use super::Sqlite;
use super::live_game::refusal;

impl Outbox for Sqlite {
    async fn waiting_messages(&self, limit: u32) -> Result<Waiting, StoreError> {
        self.read(move |t| {
            let count = t.prepare_cached("SELECT count(*) FROM outbox")?.query_row((), |row| row.get(0))?;
            let mut select = t.prepare_cached(
                "SELECT id, exchange, routing_key, body, is_persistent FROM outbox ORDER BY id LIMIT ?1",
            )?;
            let rows = select.query_map([limit], |row| {
                let message = Message {
                    exchange: row.get(1)?,
                    routing_key: row.get(2)?,
                    body: row.get(3)?,
                    is_persistent: row.get(4)?,
                };
                Ok((row.get(0)?, message))
            })?;
            Ok(Waiting { count, messages: rows.collect::<Result<_, _>>()? })
        })
        .await
    }

    async fn messages_delivered(&self, numbers: Vec<i64>) -> Result<(), StoreError> {
        self.write(move |t| {
            let mut delete = t.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
            numbers.iter().try_for_each(|number| delete.execute([number]).map(drop))
        })
        .await
    }
}

/// Puts messages into the outbox, in this order.
pub(super) fn put<'a>(
    t: &Transaction<'_>,
    publications: impl IntoIterator<Item = &'a Publication>,
) -> rusqlite::Result<()> {
    let mut insert = t.prepare_cached(
        "INSERT INTO outbox (exchange, routing_key, body, is_persistent) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for publication in publications {
        let message = Message::new(publication).map_err(|error| refusal(error.to_string()))?;
        insert.execute((message.exchange, message.routing_key, message.body, message.is_persistent))?;
    }
    Ok(())
}

/// Puts the publications of a game into the outbox, except for those that were put there before.
pub(super) fn put_numbered(
    t: &Transaction<'_>,
    game: GameId,
    publications: &GamePublications,
) -> rusqlite::Result<()> {
    if publications.list.is_empty() {
        return Ok(());
    }
    let mut select = t.prepare_cached("SELECT count FROM game_publication WHERE game_id = ?1")?;
    let stored: Option<u32> = select.query_row([game.0], |row| row.get(0)).optional()?;
    let stored = stored.unwrap_or(0);
    put(t, publications.after(stored))?;
    t.prepare_cached(
        "INSERT INTO game_publication (game_id, count) VALUES (?1, ?2)
         ON CONFLICT (game_id) DO UPDATE SET count = excluded.count",
    )?
    .execute((game.0, stored.max(publications.end())))?;
    Ok(())
}
