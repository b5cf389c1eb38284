//! Opens the database.

use std::sync::Arc;

use faf_lobby_store::{Failures, StoreError};

use crate::connect::connect;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::own_tables;
use crate::owner::Owner;
use crate::schema::NEWEST_SCHEMA;
use crate::session::Session;
use crate::shared::Shared;
use crate::timings::Timings;
use crate::worker::{Queues, start};

/// A handle to the database; clones refer to the same database. The threads and connections end
/// when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct MariaDb {
    pub(crate) queues: Queues,
    pub(crate) shared: Arc<Shared>,
    missing: Option<String>,
}

impl MariaDb {
    /// Connects to the database, checks its schema, and creates the tables of this server if they
    /// are missing and the account may create them. Blocks until then, a few seconds at most.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the database cannot be reached, refuses the account, has a schema
    /// that is too old, or does not have FAF's schema.
    pub fn open(options: &Options) -> std::result::Result<Self, StoreError> {
        let open_error = |problem: String| StoreError::Open { place: options.to_string(), problem };
        let (mut session, missing) = prepared(options).map_err(|error| open_error(error.explain()))?;
        if let Some(missing) = &missing {
            tracing::warn!(
                missing,
                "the database has no tables of this server, so some things are impossible"
            );
        }
        if let Some(version) = session.schema().version.filter(|version| *version > NEWEST_SCHEMA) {
            tracing::warn!(
                version,
                tested = NEWEST_SCHEMA,
                "the schema is newer than the newest version that this server was tested with"
            );
        }
        let shared = Arc::new(Shared::new(options.clone()));
        crate::ban_watch::begin(&mut session, &shared).map_err(|error| open_error(error.explain()))?;
        let queues = start(&shared, session).map_err(|error| open_error(error.to_string()))?;
        Ok(Self { queues, shared, missing })
    }

    /// Returns what the server cannot do because its own tables are missing, and what an operator
    /// can do about it; `None` if they exist.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Returns the number of failed operations so far, by reason.
    #[must_use]
    pub fn failures(&self) -> Arc<Failures> {
        Arc::clone(&self.shared.failures)
    }

    /// Returns the number and duration of operations so far, by family.
    #[must_use]
    pub fn timings(&self) -> Arc<Timings> {
        Arc::clone(&self.shared.timings)
    }

    /// Returns whether the database could not be used when it was used last.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.shared.outage.is_on()
    }

    /// Makes all writes depend on the ownership of the database: once another server has taken it,
    /// every write fails with [`Reason::Owner`](faf_lobby_store::Reason::Owner). Only the first
    /// call has an effect.
    pub fn write_only_as(&self, owner: &Owner) {
        let _ = self.shared.owner.set(owner.lock());
    }
}

/// Returns a connection to a database whose tables are prepared, and what is impossible without the
/// tables of this server if they cannot be created.
fn prepared(options: &Options) -> Result<(Session, Option<String>)> {
    let mut session = connect(options)?;
    if session.schema().has_own_tables() {
        return Ok((session, None));
    }
    let existing = session.schema().own.clone();
    match own_tables::create(&mut session, &existing) {
        Ok(()) => Ok((connect(options)?, None)),
        Err(error @ Error::Driver(_)) if !error.breaks_connection() => {
            let missing = format!(
                "{}; grant the account CREATE on the database and restart the server, or create the tables with \
                 another account ({})",
                own_tables::WITHOUT,
                error.explain()
            );
            Ok((session, Some(missing)))
        }
        Err(error) => Err(error),
    }
}
