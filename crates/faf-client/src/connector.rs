use std::io;
use std::net::SocketAddr;
#[cfg(feature = "tls")]
use std::path::{Path, PathBuf};
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use faf_connection::upgrade::{self, UpgradeError};
use faf_connection::{Settings, open, open_tcp, proxy, tcp};
use faf_protocol::websocket::Role;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
#[cfg(feature = "tls")]
use tokio_rustls::TlsConnector;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::pki_types::pem::PemObject;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem};
#[cfg(feature = "tls")]
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::Client;
use crate::server_stream::ServerStream;
use crate::url::Url;

/// Default time limit for connecting, until the first message can be sent.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to servers, with the headers and limits to use.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Time limit for connecting, from the address lookup to the upgrade; default 10 seconds.
    pub timeout: Duration,
    /// Address of the client whose connection is passed on, for a PROXY header; default none.
    pub proxied: Option<SocketAddr>,
    /// Additional headers of an HTTP upgrade; default none.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Maximum number of bytes that may wait for the server; default
    /// [`faf_connection::OUTBOX_LIMIT`].
    pub outbox_limit: usize,
    /// Certificates that are trusted over TLS; by default those of the system, loaded for
    /// each connection.
    #[cfg(feature = "tls")]
    pub trust: Option<Trust>,
}

/// Reason why connecting failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server took longer than [`Connector::timeout`].
    #[error("no response within {} seconds", .0.as_secs_f64())]
    Timeout(Duration),
    /// The address is unknown, nothing listens there, or the connection was lost.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server did not grant the upgrade to WebSocket.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// No certificate can be issued for the host of the URL.
    #[error("`{0}` is not a name for a certificate")]
    Name(String),
    /// The URL requires TLS, but this crate was built without it.
    #[error("built without TLS")]
    NoTls,
    /// There are no certificates to trust.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl Default for Connector {
    fn default() -> Self {
        Self {
            timeout: TIMEOUT,
            proxied: None,
            headers: Vec::new(),
            outbox_limit: faf_connection::OUTBOX_LIMIT,
            #[cfg(feature = "tls")]
            trust: None,
        }
    }
}

impl Connector {
    /// Connects; after that, messages can be sent.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self, url: &Url) -> Result<Client, ConnectError> {
        timeout(self.timeout, self.connect_without_limit(url))
            .await
            .unwrap_or(Err(ConnectError::Timeout(self.timeout)))
    }

    /// Connects without requesting the upgrade and without reading or writing messages, for a
    /// program that passes bytes on. The PROXY header is sent, and TLS begins.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect_stream(&self, url: &Url) -> Result<ServerStream, ConnectError> {
        let connecting = async {
            let stream = self.connect_tcp(url).await?;
            if url.is_encrypted() { self.begin_tls(stream, url).await } else { Ok(ServerStream::Tcp(stream)) }
        };
        timeout(self.timeout, connecting).await.unwrap_or(Err(ConnectError::Timeout(self.timeout)))
    }

    async fn connect_tcp(&self, url: &Url) -> Result<TcpStream, ConnectError> {
        let mut stream = TcpStream::connect((url.host(), url.port())).await?;
        tcp::prepare(&stream)?;
        if let Some(client) = self.proxied {
            let header = proxy::header(client, stream.peer_addr()?);
            stream.write_all(header.as_bytes()).await?;
        }
        Ok(stream)
    }

    async fn connect_without_limit(&self, url: &Url) -> Result<Client, ConnectError> {
        let stream = self.connect_tcp(url).await?;
        if url.is_encrypted() {
            return self.connect_over_tls(stream, url).await;
        }
        let (stream, settings) = self.upgrade(stream, url).await?;
        let (reader, writer) = open_tcp(stream, settings);
        Ok(Client::new(reader, writer))
    }

    /// Creates a client on a stream to a server; requests the upgrade, if the format has one. Host
    /// and port of the URL are not checked, and there is no time limit.
    ///
    /// # Errors
    /// [`ConnectError::Upgrade`].
    pub async fn connect_over<S>(&self, stream: S, url: &Url) -> Result<Client, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (stream, settings) = self.upgrade(stream, url).await?;
        let (reader, writer) = open(stream, settings);
        Ok(Client::new(reader, writer))
    }

    /// Requests the upgrade, if the format has one; returns the stream with its settings.
    async fn upgrade<S>(&self, stream: S, url: &Url) -> Result<(S, Settings), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (role, outbox_limit) = (Role::Client, self.outbox_limit);
        let settings = Settings { role, outbox_limit, ..Settings::new(url.format()) };
        if !url.format().has_upgrade() {
            return Ok((stream, settings));
        }
        let upgraded = upgrade::connect(stream, url.uri(), &self.headers).await?;
        Ok((upgraded.stream, Settings { received: upgraded.received, ..settings }))
    }

    async fn connect_over_tls(&self, stream: TcpStream, url: &Url) -> Result<Client, ConnectError> {
        self.connect_over(self.begin_tls(stream, url).await?, url).await
    }

    #[cfg(feature = "tls")]
    async fn begin_tls(&self, stream: TcpStream, url: &Url) -> Result<ServerStream, ConnectError> {
        let trust = match &self.trust {
            Some(trust) => trust.clone(),
            None => Trust::system()?,
        };
        let name = ServerName::try_from(url.host().to_owned())
            .map_err(|_| ConnectError::Name(url.host().to_owned()))?;
        Ok(ServerStream::Tls(Box::new(trust.connector().connect(name, stream).await?)))
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "as with TLS")]
    async fn begin_tls(&self, _: TcpStream, _: &Url) -> Result<ServerStream, ConnectError> {
        Err(ConnectError::NoTls)
    }
}

/// The certificates that `wss://` trusts.
#[cfg(feature = "tls")]
#[derive(Debug, Clone)]
pub struct Trust(Arc<ClientConfig>);

/// Reason why no certificates can be trusted.
#[cfg(feature = "tls")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file cannot be read, or is not a PEM file.
    #[error("{}: {error}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Cause of the failure.
        error: pem::Error,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] tokio_rustls::rustls::Error),
    /// There are no certificates.
    #[error("there are no certificates to trust")]
    Empty,
}

#[cfg(feature = "tls")]
impl Trust {
    /// Trusts the certificates of the operating system; those that cannot be used are skipped.
    ///
    /// # Errors
    /// [`TrustError::Empty`].
    pub fn system() -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::new(roots)
    }

    /// Trusts only the certificates in a PEM file.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn file(path: &Path) -> Result<Self, TrustError> {
        let failed = |error| TrustError::File { path: path.to_owned(), error };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
            roots.add(certificate.map_err(failed)?)?;
        }
        Self::new(roots)
    }

    fn new(roots: RootCertStore) -> Result<Self, TrustError> {
        if roots.is_empty() {
            return Err(TrustError::Empty);
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.0))
    }
}
