//! SQLite in a file of its own: the backend for a single server.
//!
//! Acknowledged writes about games survive a crash of the machine. A crash may undo other writes of
//! the last moment, but never parts of a transaction.
//!
//! Some operations exist only for a database in a file: [`back_up`], [`Owner`], [`Examiner`] and
//! [`Files`], [`inspect`], and [`Sqlite::checkpoint`].

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
mod other_program;
mod outbox;
mod owner;
mod permissions;
mod profile;
mod queues;
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
pub use other_program::OtherProgram;
pub(crate) use owner::{Owner, owner};
pub(crate) use schema::inspect;

/// A handle to the database; clones refer to the same database. The threads end when the last
/// handle is dropped.
#[derive(Debug, Clone)]
pub struct Sqlite {
    write: Sender<worker::Job>,
    read: Sender<worker::Job>,
    failures: Arc<Failures>,
}

impl Sqlite {
    /// Returns the number of failed operations so far, by reason.
    #[must_use]
    pub fn failures(&self) -> Arc<Failures> {
        Arc::clone(&self.failures)
    }

    /// Moves all data into the database's main file, so that this file can be copied alone. Returns
    /// whether that succeeded; it does not while another process uses the database.
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
