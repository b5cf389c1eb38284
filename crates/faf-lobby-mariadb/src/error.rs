//! Errors of statements, and what they mean for a caller.

use std::io::ErrorKind;

use faf_lobby_store::{Reason, StoreError};
use mysql::{DriverError, Error as Driver, MySqlError};
use mysql_common::proto::codec::error::PacketCodecError;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A statement failed, or its result cannot be used.
#[derive(Debug)]
pub(crate) enum Error {
    /// The database or the connection reports an error.
    Driver(Driver),
    /// A value of a row has a type or range that does not fit, such as a negative count.
    Value {
        /// Name of the column.
        column: String,
    },
    /// The operation contradicts the stored data, for this reason.
    Refused(String),
    /// The operation cannot be carried out now.
    Unavailable(Reason, String),
}

impl From<Driver> for Error {
    fn from(error: Driver) -> Self {
        Self::Driver(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// The numbers of MariaDB's errors, by their consequences.
mod numbers {
    /// A value or a key contradicts what is stored, or does not fit into its column.
    pub(super) const CONTRADICTION: [u16; 16] =
        [1048, 1062, 1169, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1644, 1690, 4025];
    /// Illegal mix of collations: a name that the column's character set cannot express.
    pub(super) const COLLATION: u16 = 1267;
    /// Deadlock; another transaction changed the row since this one began.
    pub(super) const DEADLOCK: [u16; 2] = [1213, 1020];
    pub(super) const LOCK_WAIT: u16 = 1205;
    pub(super) const CONNECTIONS: [u16; 3] = [1040, 1203, 1226];
    pub(super) const READ_ONLY: [u16; 3] = [1036, 1290, 1836];
    pub(super) const FULL: [u16; 3] = [1021, 1041, 1114];
    pub(super) const STORAGE: [u16; 6] = [3, 1003, 1026, 1030, 1035, 1180];
    pub(super) const DAMAGED: [u16; 5] = [1034, 1194, 1195, 1712, 1877];
    pub(super) const TIMEOUT: [u16; 2] = [1969, 3024];
    /// Killed, or the server is shutting down.
    pub(super) const AWAY: [u16; 9] = [1053, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927];
    pub(super) const ACCESS: [u16; 8] = [1044, 1045, 1049, 1142, 1143, 1227, 1370, 1698];
    /// A table, column or value that another version of the schema has.
    pub(super) const SCHEMA: [u16; 4] = [1054, 1146, 1265, 1906];
    pub(super) const NO_SUCH_DATABASE: u16 = 1049;
}

impl Error {
    /// Creates the error of a write about a game that is not live.
    pub(crate) fn not_live() -> Self {
        Self::Refused("the game is not live".to_owned())
    }

    fn number(&self) -> Option<u16> {
        match self {
            Self::Driver(Driver::MySqlError(error)) => Some(error.code),
            _ => None,
        }
    }

    /// Returns whether a row with the same key exists already.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.number() == Some(1062)
    }

    /// Returns whether a write contradicts the stored data or can never be stored, so that a retry
    /// does not help.
    pub(crate) fn is_contradiction(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            other => other.number().is_some_and(|number| {
                numbers::CONTRADICTION.contains(&number) || number == numbers::COLLATION
            }),
        }
    }

    /// Returns whether the same transaction can succeed when it is repeated at once.
    pub(crate) fn is_transient(&self) -> bool {
        self.number()
            .is_some_and(|number| numbers::DEADLOCK.contains(&number) || number == numbers::LOCK_WAIT)
    }

    /// Returns whether the schema may have changed since the connection was made.
    pub(crate) fn is_of_schema(&self) -> bool {
        self.number().is_some_and(|number| numbers::SCHEMA.contains(&number))
    }

    /// Returns whether the connection cannot be used any more.
    pub(crate) fn breaks_connection(&self) -> bool {
        match self {
            // A statement that ran into its time limit leaves a usable connection, but the state of
            // the protocol is unknown after any other failure.
            Self::Driver(Driver::MySqlError(error)) => numbers::AWAY.contains(&error.code),
            Self::Driver(Driver::DriverError(
                DriverError::MismatchedStmtParams(..) | DriverError::Params(_),
            )) => false,
            Self::Driver(_) => true,
            Self::Value { .. } | Self::Refused(_) | Self::Unavailable(..) => false,
        }
    }

    /// Returns the kind of problem.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Driver(Driver::MySqlError(error)) => reason(error),
            Self::Driver(Driver::DriverError(DriverError::ConnectTimeout | DriverError::Timeout)) => {
                Reason::Timeout
            }
            Self::Driver(error) => match io_kind(error) {
                Some(ErrorKind::TimedOut | ErrorKind::WouldBlock) => Reason::Timeout,
                Some(_) => Reason::Io,
                None => Reason::Other,
            },
            Self::Value { .. } => Reason::Damaged,
            Self::Refused(_) => Reason::Contradiction,
            Self::Unavailable(reason, _) => *reason,
        }
    }

    /// Returns a description of the problem, and what an operator can do about it.
    pub(crate) fn explain(&self) -> String {
        let text = match self {
            Self::Driver(Driver::MySqlError(MySqlError { code, message, .. })) => {
                format!("{message} (error {code})")
            }
            Self::Driver(Driver::IoError(error) | Driver::CodecError(PacketCodecError::Io(error))) => {
                error.to_string()
            }
            Self::Driver(Driver::DriverError(error)) => error.to_string(),
            Self::Driver(error) => error.to_string(),
            Self::Value { column } => format!("a value of the column {column} does not fit"),
            Self::Refused(reason) | Self::Unavailable(_, reason) => return reason.clone(),
        };
        let advice = match self.reason() {
            Reason::Access if self.number() == Some(numbers::NO_SUCH_DATABASE) => {
                "check the name of the database; the server never creates it"
            }
            Reason::Access => "check user and password, and grant the account what it needs on this database",
            Reason::Busy => "another transaction holds a lock for too long",
            Reason::Connections => {
                "raise max_connections of the database, or lower database_connections here"
            }
            Reason::Deadlock => "other programs change the same rows",
            Reason::Full => "make room on the disk of the database",
            Reason::Io => "is the database running, and are host and port right?",
            Reason::ReadOnly => "name the primary server, or set read_only = 0 there",
            Reason::Timeout => "the database is overloaded, stopped, or does not respond",
            _ => return text,
        };
        format!("{text}; {advice}")
    }

    /// Converts the error into the form that all databases share.
    pub(crate) fn into_store(self) -> StoreError {
        match self {
            Self::Refused(reason) => StoreError::Contradiction(reason),
            other if other.is_contradiction() => StoreError::Contradiction(other.explain()),
            other => StoreError::Unavailable { reason: other.reason(), problem: other.explain() },
        }
    }
}

/// Returns the kind of an error of the connection itself.
fn io_kind(error: &Driver) -> Option<ErrorKind> {
    match error {
        Driver::IoError(error) | Driver::CodecError(PacketCodecError::Io(error)) => Some(error.kind()),
        Driver::DriverError(DriverError::CouldNotConnect(Some((_, _, kind)))) => Some(*kind),
        Driver::DriverError(DriverError::CouldNotConnect(None)) => Some(ErrorKind::NotConnected),
        _ => None,
    }
}

fn reason(error: &MySqlError) -> Reason {
    match error.code {
        code if numbers::DEADLOCK.contains(&code) => Reason::Deadlock,
        numbers::LOCK_WAIT => Reason::Busy,
        code if numbers::CONNECTIONS.contains(&code) => Reason::Connections,
        code if numbers::READ_ONLY.contains(&code) => Reason::ReadOnly,
        code if numbers::FULL.contains(&code) => Reason::Full,
        // "No space left on device" comes as a number inside of some errors of the storage.
        code if numbers::STORAGE.contains(&code) && error.message.contains("28") => Reason::Full,
        code if numbers::STORAGE.contains(&code) => Reason::Io,
        code if numbers::DAMAGED.contains(&code) => Reason::Damaged,
        code if numbers::TIMEOUT.contains(&code) => Reason::Timeout,
        code if numbers::AWAY.contains(&code) => Reason::Io,
        code if numbers::ACCESS.contains(&code) => Reason::Access,
        code if numbers::CONTRADICTION.contains(&code) => Reason::Contradiction,
        _ => Reason::Other,
    }
}
