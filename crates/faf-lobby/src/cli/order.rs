//! Waits for the outcome of an order to the server that uses a database.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::store::{AccountError, Database, Store};

/// Time limit for a running server to execute an order. It checks for orders every second.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Time between two checks whether it has.
const POLL_PERIOD: Duration = Duration::from_millis(100);

/// The outcome of an order to a running server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The player was online.
    Online,
    /// The player was not online.
    Offline,
    /// A server uses the database, but has not executed the order; this names it.
    NotTaken(String),
    /// No server uses the database.
    NoServer,
}

impl Outcome {
    /// Returns further advice for the operator.
    pub(super) fn advice(&self) -> String {
        match self {
            Self::Online | Self::Offline => String::new(),
            Self::NotTaken(server) => format!(
                "; the server ({server}) has not executed it within {} seconds, and will as soon as it can: see its /health",
                TIME_LIMIT.as_secs()
            ),
            Self::NoServer => {
                "; no server uses this database here. If yours runs elsewhere, or in a container, give this \
                               command there, with the same --database"
                    .to_owned()
            }
        }
    }
}

/// Waits until the server that uses the database has executed an order, if there is one.
pub(super) async fn order_taken(
    database: &Database,
    store: &Store,
    order: i64,
) -> Result<Outcome, AccountError> {
    let began = Instant::now();
    loop {
        if let Some(was_online) = store.outcome_of_order(order).await? {
            return Ok(if was_online { Outcome::Online } else { Outcome::Offline });
        }
        let Some(server) = database.owner() else { return Ok(Outcome::NoServer) };
        if began.elapsed() > TIME_LIMIT {
            return Ok(Outcome::NotTaken(server));
        }
        sleep(POLL_PERIOD).await;
    }
}
