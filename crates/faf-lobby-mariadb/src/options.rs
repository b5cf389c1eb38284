//! Where the database is, and how it is used.

use std::fmt;
use std::time::Duration;

use faf_protocol::Secret;

/// Location of a database, the account to use, and limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name or address of the machine.
    pub host: String,
    /// TCP port; MariaDB's own default is 3306.
    pub port: u16,
    /// Name of the account.
    pub user: String,
    /// Password of the account; it is sent hashed.
    pub password: Option<Secret>,
    /// Name of the database, for example `faf_lobby`.
    pub database: String,
    /// Table with the history of the schema, normally `flyway_schema_history`. If it is empty, the
    /// version of the schema is not checked, only its tables and columns.
    pub history_table: String,
    /// Number of connections for everything but writes about games, at least 1. These writes have
    /// another connection, and the owner of the database has one more.
    pub connections: usize,
    /// Time within which each statement must be complete, and for which an operation may wait for
    /// its turn; at least a second.
    pub query_timeout: Duration,
    /// Time between two looks for bans that other services have changed; new ones are found at
    /// every look.
    pub ban_changes_interval: Duration,
}

impl Options {
    /// Smallest number of connections.
    pub const CONNECTIONS_MIN: usize = 1;

    /// Smallest time limit of a statement.
    pub const QUERY_TIMEOUT_MIN: Duration = Duration::from_secs(1);

    /// Returns the number of connections within its bounds.
    pub(crate) fn connections(&self) -> usize {
        self.connections.max(Self::CONNECTIONS_MIN)
    }

    /// Returns the time for a statement within its bounds.
    pub(crate) fn query_timeout(&self) -> Duration {
        self.query_timeout.max(Self::QUERY_TIMEOUT_MIN)
    }
}

/// The address of the database, without the password.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, database, .. } = self;
        write!(f, "mysql://{user}@{host}:{port}/{database}")
    }
}

impl Default for Options {
    /// The account and database of FAF on this machine; 8 connections, 10 seconds for a statement.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 3306,
            user: "faf-python-server".to_owned(),
            password: None,
            database: "faf_lobby".to_owned(),
            history_table: "flyway_schema_history".to_owned(),
            connections: 8,
            query_timeout: Duration::from_secs(10),
            ban_changes_interval: Duration::from_secs(60),
        }
    }
}
