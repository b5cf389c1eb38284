//! The stream of entries.

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{Error as JetStreamError, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

use crate::connection::{Connection, during};
use crate::link::Link;

/// Time in which an entry with a known id is not stored again.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// The stream of a cluster: entries in one order, on disk, until they are purged. When it is full,
/// it refuses entries instead of dropping old ones.
#[derive(Debug, Clone)]
pub struct Log {
    pub(crate) connection: Connection,
    pub(crate) name: String,
}

/// Bounds of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Bytes on disk, which the server reserves for the stream; `None` for what the server allows.
    /// An existing stream is changed to this. Default: 4 GiB.
    pub max_bytes: Option<u64>,
    /// Largest entry in bytes, with some 100 bytes for its headers; at most `max_payload` of the
    /// server, which is also meant by `None`. It counts when the stream is created.
    pub max_entry_bytes: Option<usize>,
}

/// State of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogState {
    /// Time at which the stream was created, in nanoseconds since 1970: another stream of the same
    /// name has another one.
    pub identity: u64,
    /// Sequence number of the first entry that is kept, or of the next one if there is none.
    pub first: u64,
    /// Sequence number of the last entry; 0 if there never was one.
    pub last: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Reason why the stream cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// There is no connection, or NATS does not reply; another attempt may succeed.
    #[error("NATS {0}")]
    Away(String),
    /// There is no such stream.
    #[error("NATS has no stream {0}; the server that leads the cluster creates it")]
    NoStream(String),
    /// There is a stream of this name that does not do what is needed.
    #[error(
        "the stream {name} of NATS exists with another configuration ({what}); remove it if nobody needs its entries, or \
         give the cluster another name"
    )]
    Differs {
        /// Name of the stream.
        name: String,
        /// The difference.
        what: String,
    },
    /// NATS has not enough memory, disk or servers for it.
    #[error("NATS has no place for the stream: {0}")]
    Full(String),
    /// NATS refuses the request.
    #[error("NATS refuses the request: {0}")]
    Refused(String),
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { max_bytes: Some(4 << 30), max_entry_bytes: None }
    }
}

impl Log {
    /// Opens the stream, and creates it if there is none.
    ///
    /// # Errors
    /// If there is neither, or it has another configuration than this crate needs.
    pub async fn open_or_create(
        connection: &Connection,
        options: LogOptions,
    ) -> Result<(Self, LogState), LogError> {
        match Self::open(connection).await {
            Err(LogError::NoStream(_)) => {}
            Ok((log, _)) => {
                let state = log.set_max_bytes(options).await?;
                return Ok((log, state));
            }
            Err(error) => return Err(error),
        }
        let log = Self::handle(connection);
        let link = log.link()?;
        let config = log.config(options);
        let created = during(&link, link.jetstream.create_stream(config)).await.ok_or_else(|| log.away())?;
        match created.map_err(|error| error.kind()) {
            Ok(stream) => {
                let info = stream.cached_info();
                log.check(info)?;
                Ok((log, LogState::of(info)))
            }
            // Another server was faster.
            Err(CreateStreamErrorKind::JetStream(error))
                if error.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                Self::open(connection).await
            }
            Err(CreateStreamErrorKind::JetStream(error)) => Err(refusal(&error)),
            Err(kind) => Err(LogError::Away(format!("does not create the stream: {kind}"))),
        }
    }

    /// Opens the stream.
    ///
    /// # Errors
    /// If there is none, or it has another configuration than this crate needs.
    pub async fn open(connection: &Connection) -> Result<(Self, LogState), LogError> {
        let log = Self::handle(connection);
        let info = log.info(&*log.link()?).await?;
        log.check(&info)?;
        Ok((log, LogState::of(&info)))
    }

    /// Returns the connection that it was opened with.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the current state.
    ///
    /// # Errors
    /// If it cannot be had.
    pub async fn state(&self) -> Result<LogState, LogError> {
        self.info(&*self.link()?).await.map(|info| LogState::of(&info))
    }

    /// Removes all entries before a sequence number.
    ///
    /// # Errors
    /// If the stream does not do it. Entries may have been removed if the connection has ended.
    pub async fn purge_before(&self, sequence: u64) -> Result<(), LogError> {
        let link = self.link()?;
        let stream =
            during(&link, link.jetstream.get_stream_no_info(&self.name)).await.ok_or_else(|| self.away())?;
        let stream = stream.map_err(|error| LogError::Away(format!("does not reply: {error}")))?;
        if sequence <= 1 {
            return Ok(());
        }
        let purging = async { stream.purge().sequence(sequence).await };
        let purged = during(&link, purging).await.ok_or_else(|| self.away())?;
        match purged {
            Ok(_) => Ok(()),
            // Tells why.
            Err(error) => match self.info(&link).await {
                Err(reason) => Err(reason),
                Ok(_) => Err(LogError::Refused(error.to_string())),
            },
        }
    }

    /// Returns the stream of this connection, which need not exist yet.
    #[must_use]
    pub fn handle(connection: &Connection) -> Self {
        Self { connection: connection.clone(), name: connection.shared().names.stream() }
    }

    pub(crate) fn away(&self) -> LogError {
        LogError::Away(self.connection.shared().away())
    }

    fn link(&self) -> Result<Arc<Link>, LogError> {
        self.connection.shared().link().ok_or_else(|| self.away())
    }

    pub(crate) async fn info(&self, link: &Link) -> Result<Info, LogError> {
        let got = during(link, link.jetstream.get_stream(&self.name)).await.ok_or_else(|| self.away())?;
        match got.map_err(|error| (error.kind(), error)) {
            Ok(stream) => Ok(stream.cached_info().clone()),
            Err((GetStreamErrorKind::JetStream(error), _))
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Err(LogError::NoStream(self.name.clone()))
            }
            Err((GetStreamErrorKind::JetStream(error), _)) => Err(refusal(&error)),
            Err((_, error)) => Err(LogError::Away(format!("does not reply: {error}"))),
        }
    }

    /// Changes the bound of an existing stream.
    async fn set_max_bytes(&self, options: LogOptions) -> Result<LogState, LogError> {
        let link = self.link()?;
        let info = self.info(&link).await?;
        let wanted = max_bytes(options);
        if options.max_bytes.is_none() || info.config.max_bytes == wanted {
            return Ok(LogState::of(&info));
        }
        let config = Config { max_bytes: wanted, ..info.config };
        let updated = during(&link, link.jetstream.update_stream(config)).await.ok_or_else(|| self.away())?;
        match updated.map_err(|error| error.kind()) {
            Ok(info) => Ok(LogState::of(&info)),
            Err(CreateStreamErrorKind::JetStream(error)) => Err(refusal(&error)),
            Err(kind) => Err(LogError::Away(format!("does not change the stream: {kind}"))),
        }
    }

    fn config(&self, options: LogOptions) -> Config {
        let shared = self.connection.shared();
        let max_entry = options.max_entry_bytes.unwrap_or_else(|| self.connection.max_payload());
        Config {
            name: self.name.clone(),
            subjects: vec![shared.names.lanes()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            max_bytes: max_bytes(options),
            max_message_size: i32::try_from(max_entry).unwrap_or(i32::MAX),
            duplicate_window: DUPLICATE_WINDOW,
            num_replicas: shared.settings.replicas,
            // Nobody removes single entries: sequence numbers have no gaps.
            deny_delete: true,
            ..Config::default()
        }
    }

    /// Compares what matters.
    fn check(&self, info: &Info) -> Result<(), LogError> {
        let (found, wanted) = (&info.config, self.config(LogOptions::default()));
        let what = if found.subjects != wanted.subjects {
            format!("its subjects are {:?} and must be {:?}", found.subjects, wanted.subjects)
        } else if found.storage != wanted.storage {
            "it is kept in memory and must be in files".to_owned()
        } else if found.retention != wanted.retention {
            "it does not keep entries that were read".to_owned()
        } else if found.discard != wanted.discard {
            "it drops old entries when it is full, and must refuse new ones".to_owned()
        } else if found.max_age != Duration::ZERO
            || found.max_messages > 0
            || found.max_messages_per_subject > 0
        {
            "it drops entries by their age or number".to_owned()
        } else if found.no_ack || found.sealed || found.mirror.is_some() || found.sources.is_some() {
            "it takes no entries, does not acknowledge them, or copies another stream".to_owned()
        } else {
            return Ok(());
        };
        Err(LogError::Differs { name: self.name.clone(), what })
    }
}

impl LogState {
    pub(crate) fn of(info: &Info) -> Self {
        let state = &info.state;
        Self {
            identity: u64::try_from(info.created.unix_timestamp_nanos()).unwrap_or(0),
            first: state.first_sequence.max(1),
            last: state.last_sequence,
            bytes: state.bytes,
        }
    }
}

fn max_bytes(options: LogOptions) -> i64 {
    options.max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// Names the reason why JetStream refuses a request.
fn refusal(error: &JetStreamError) -> LogError {
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND => LogError::NoStream(error.to_string()),
        ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::CLUSTER_NO_PEERS => LogError::Full(error.to_string()),
        // The servers of a cluster have not agreed on a leader yet, for example.
        _ if error.code() == 503 => LogError::Away(format!("is not ready: {error}")),
        _ => LogError::Refused(error.to_string()),
    }
}
