//! Waits for the outcome of an order to the server that uses a database.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::store::embedded::owner;
use crate::store::{AccountError, Store};

/// How long a running server may take to do what was ordered. It looks every second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time between two looks whether it has.
const STEP: Duration = Duration::from_millis(100);

/// The outcome of an order to a running server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The player was online.
    Online,
    /// The player was not.
    Offline,
    /// There is a server, which is this process, but it has not taken the order.
    NotTaken(String),
    /// No server uses the database.
    NoServer,
}

impl Outcome {
    /// What else the operator should know.
    pub(super) fn advice(&self) -> String {
        match self {
            Self::Online | Self::Offline => String::new(),
            Self::NotTaken(server) => format!(
                "; the server ({server}) has not taken it within {} seconds, and will when it can: see its /health",
                PATIENCE.as_secs()
            ),
            Self::NoServer => {
                "; no server uses this database here. If yours runs elsewhere, or in a container, give this \
                               command there, with the same --database"
                    .to_owned()
            }
        }
    }
}

/// Waits until the server that uses the database has taken an order, if there is one.
pub(super) async fn order_taken(database: &Path, store: &Store, order: i64) -> Result<Outcome, AccountError> {
    let began = Instant::now();
    loop {
        if let Some(was_online) = store.outcome_of_order(order).await? {
            return Ok(if was_online { Outcome::Online } else { Outcome::Offline });
        }
        let Some(server) = owner(database) else { return Ok(Outcome::NoServer) };
        if began.elapsed() > PATIENCE {
            return Ok(Outcome::NotTaken(server));
        }
        sleep(STEP).await;
    }
}
