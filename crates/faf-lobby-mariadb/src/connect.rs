//! New connections: what they set, and what they find out.

use std::time::Duration;

use faf_protocol::Secret;
use mysql::consts::CapabilityFlags;
use mysql::{Conn, Opts, OptsBuilder};

use crate::error::Result;
use crate::options::Options;
use crate::schema::Schema;
use crate::session::Session;

/// Longest time to wait for a new connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of prepared statements that a connection keeps; the server has fewer statements.
const STATEMENTS: usize = 256;

/// Time that the database gets to end a statement by itself before the connection is given up.
const MARGIN: Duration = Duration::from_millis(200);

/// Connects to the database, and determines the version of its schema.
pub(crate) fn connect(options: &Options) -> Result<Session> {
    let mut connection = Conn::new(driver_options(options))?;
    let schema = Schema::read(&mut connection, &options.history_table)?;
    Ok(Session::new(connection, schema))
}

/// Connects to the database without a look at its schema.
pub(crate) fn connect_only(options: &Options) -> Result<Session> {
    Ok(Session::new(Conn::new(driver_options(options))?, Schema::default()))
}

fn driver_options(options: &Options) -> Opts {
    let limit = options.query_timeout();
    OptsBuilder::new()
        .ip_or_hostname(Some(&options.host))
        .tcp_port(options.port)
        // Otherwise, the driver would look for a socket file of a database on this machine.
        .prefer_socket(false)
        .user(Some(&options.user))
        .pass(options.password.as_ref().map(Secret::reveal))
        .db_name(Some(&options.database))
        .tcp_connect_timeout(Some(limit.min(CONNECT_TIMEOUT)))
        .read_timeout(Some(limit))
        .write_timeout(Some(limit))
        .tcp_nodelay(true)
        .stmt_cache_size(STATEMENTS)
        // An update that changes nothing must count as a match.
        .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS)
        .init(vec![
            settings(limit),
            // Reads of other services must not block writes, and the other way round: no gaps are
            // locked.
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        ])
        .into()
}

/// Returns the statement with the settings of a connection.
fn settings(limit: Duration) -> String {
    // The database should end a statement before the connection is given up.
    let statement = limit.saturating_sub(MARGIN).as_secs_f64();
    // A lock that is held for long must leave time for another attempt.
    let lock = (limit.as_secs() / 3).max(1);
    format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, time_zone = '+00:00', \
         sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
         max_statement_time = {statement:.3}, innodb_lock_wait_timeout = {lock}"
    )
}
