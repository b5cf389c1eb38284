//! SQLite, in a file of the server's own: the backend for one server.
//!
//! What is written about games outlives a crash of the machine once it is acknowledged; a crash may
//! take back anything else for the last moment, but never in parts.
//!
//! Some things only a database in a file has: [`back_up`], [`Owner`], [`Examiner`] and [`Files`],
//! [`look_at`], and [`Sqlite::checkpoint`].

mod accounts;
mod avatars;
mod backup;
mod facts;
mod game_data;
mod game_end;
mod games;
mod health;
mod history;
mod joins;
mod launch;
mod live_game;
mod maps;
mod mod_vault;
mod notes;
mod open;
mod orders;
mod outbox;
mod owner;
mod permissions;
mod profile;
mod ratings;
mod schema;
mod seed;
mod social;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod upkeep;
mod worker;

use std::sync::Arc;
use std::sync::mpsc::Sender;

use faf_lobby_store::{Failures, StoreError};

pub(crate) use backup::{BackupError, back_up};
pub(crate) use health::{Examiner, Files};
pub(crate) use owner::{Owner, OwnerError, owner};
pub(crate) use schema::look_at;

/// A handle on the database; copies are the same handle. The threads end when the last one is
/// dropped.
#[derive(Debug, Clone)]
pub struct Sqlite {
    write: Sender<worker::Job>,
    read: Sender<worker::Job>,
    failures: Arc<Failures>,
}

impl Sqlite {
    /// Operations that have failed so far.
    #[must_use]
    pub fn failures(&self) -> Arc<Failures> {
        Arc::clone(&self.failures)
    }

    /// Moves everything into the database's one file, so that it can be copied without those beside
    /// it; returns whether that was possible, which it is not while another process uses the
    /// database.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn checkpoint(&self) -> Result<bool, StoreError> {
        let is_busy: bool = self
            .run_on_writer(|connection| {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0))
            })
            .await?;
        Ok(!is_busy)
    }
}

/// Skips rows whose values do not convert, such as a negative count, so that one bad row cannot
/// hide the rest.
fn skip_invalid<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> rusqlite::Result<Vec<T>> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};

    rows.filter_map(|row| match row {
        Err(error @ (FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..))) => {
            tracing::warn!(%error, "a row of the database does not convert and is skipped");
            None
        }
        other => Some(other),
    })
    .collect()
}
