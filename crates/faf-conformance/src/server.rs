//! The hooks that a server offers to a replay.

use faf_client::Url;
use faf_protocol::WireFormat;
use faf_sessions::compare::database::Tables;
use faf_sessions::transcript::{Connect, Http};
use serde_json::Value;

/// A server with the seed of the sessions, started afresh for one of them.
///
/// A client needs an address, and nothing else. Each hook is called only if
/// [`offers`](Self::offers) lists it.
pub trait ServerUnderTest {
    /// Returns what the server offers beside its addresses.
    fn offers(&self) -> Offers;

    /// Returns the URL for a connection in this wire format, to a listener that expects a PROXY
    /// header if the connection says so. `None` if the server has no such listener.
    fn url(&self, connect: &Connect) -> Option<Url>;

    /// Waits until the server is idle: no command is in progress, and all changes have been
    /// reported to those who are to receive them. Without this hook, a replay waits until nothing
    /// more comes.
    ///
    /// # Errors
    /// If the server does not become idle, or cannot be asked.
    fn settle(&mut self) -> impl Future<Output = Result<(), HookError>> {
        not_offered()
    }

    /// Returns the response to a request over HTTP.
    ///
    /// # Errors
    /// If there is no response.
    fn page(&mut self, _path: &str) -> impl Future<Output = Result<Http, HookError>> {
        not_offered()
    }

    /// Returns the rows of the database.
    ///
    /// # Errors
    /// If they cannot be read.
    fn rows(&mut self) -> impl Future<Output = Result<RowsBeforeAndNow, HookError>> {
        not_offered()
    }

    /// Returns what the server has published since the last call, in the form of
    /// [`faf_sessions::compare::broker::record`].
    ///
    /// # Errors
    /// If it cannot be read.
    fn publications(&mut self) -> Result<Vec<Value>, HookError> {
        Err(HookError::new("this server does not offer it"))
    }

    /// Returns the next request to the policy service.
    ///
    /// # Errors
    /// If there is none.
    fn policy_request(&mut self) -> impl Future<Output = Result<Value, HookError>> {
        not_offered()
    }

    /// Makes the policy service unreachable.
    ///
    /// # Errors
    /// If that fails.
    fn stop_policy_service(&mut self) -> impl Future<Output = Result<(), HookError>> {
        not_offered()
    }

    /// Asks the server to end, as SIGTERM does.
    ///
    /// # Errors
    /// If that fails.
    fn signal(&mut self) -> impl Future<Output = Result<(), HookError>> {
        not_offered()
    }
}

/// The hooks and settings that a server offers to a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    /// Wire formats that have a listener.
    pub formats: Vec<WireFormat>,
    /// Wire formats that have a listener that expects a PROXY header.
    pub proxied_formats: Vec<WireFormat>,
    /// [`ServerUnderTest::settle`].
    pub settles: bool,
    /// [`ServerUnderTest::page`].
    pub pages: bool,
    /// [`ServerUnderTest::rows`].
    pub rows: bool,
    /// [`ServerUnderTest::publications`].
    pub publications: bool,
    /// [`ServerUnderTest::policy_request`] and [`ServerUnderTest::stop_policy_service`].
    pub policy_service: bool,
    /// [`ServerUnderTest::signal`].
    pub signal: bool,
    /// Settings that the server has been given as the session says.
    pub settings: Settings,
}

/// Settings of the recorded server that differ from session to session, by their recorded names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// The server has been given all of them.
    All,
    /// The server has been given these.
    Named(Vec<String>),
}

impl Default for Settings {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Settings {
    /// Returns whether the server has been given this setting.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|known| known == name),
        }
    }
}

/// The rows of the database before the session, and those of now.
#[derive(Debug, Clone, Default)]
pub struct RowsBeforeAndNow {
    /// Rows of the seed.
    pub before: Tables,
    /// Rows of now.
    pub now: Tables,
}

/// A hook that has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HookError(String);

impl HookError {
    /// Creates an error with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

fn not_offered<T>() -> impl Future<Output = Result<T, HookError>> {
    std::future::ready(Err(HookError::new("this server does not offer it")))
}
