//! Connecting to a server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use faf_connection::{Reader, Settings, Writer, open, open_tcp, tcp, upgrade};
use faf_protocol::WireFormat;
use faf_protocol::websocket::Role;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::url::Url;

/// How long a server may take until the first message can be sent.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How `wss://` is trusted.
#[derive(Debug, Clone, Args)]
pub(crate) struct Trust {
    /// File with certificates (PEM) to trust for wss:// instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Connects to servers.
#[derive(Clone)]
pub(crate) struct Dialer {
    tls: Option<TlsConnector>,
}

/// What is told to the server before the first message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Introduction {
    /// Whose connection is passed on: announced in a PROXY header.
    pub(crate) proxied: Option<SocketAddr>,
    /// Headers of the upgrade to WebSocket.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Dialer {
    pub(crate) fn new(url: &Url, trust: &Trust) -> anyhow::Result<Self> {
        if !url.is_encrypted {
            return Ok(Self { tls: None });
        }
        let mut roots = RootCertStore::empty();
        match &trust.ca {
            Some(path) => {
                for certificate in
                    CertificateDer::pem_file_iter(path).with_context(|| path.display().to_string())?
                {
                    roots.add(certificate.with_context(|| path.display().to_string())?)?;
                }
            }
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        anyhow::ensure!(!roots.is_empty(), "there are no certificates to trust; name some with --ca");
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// Connects, up to the point where messages can be sent.
    pub(crate) async fn dial(
        &self,
        url: &Url,
        introduction: &Introduction,
    ) -> anyhow::Result<(Reader, Writer)> {
        timeout(TIMEOUT, self.dial_patiently(url, introduction))
            .await
            .map_err(|_| anyhow::anyhow!("no answer within {} seconds", TIMEOUT.as_secs()))
            .and_then(|dialled| dialled)
            .with_context(|| format!("cannot connect to {url}"))
    }

    async fn dial_patiently(
        &self,
        url: &Url,
        introduction: &Introduction,
    ) -> anyhow::Result<(Reader, Writer)> {
        let mut stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
        tcp::prepare(&stream)?;
        if let Some(client) = introduction.proxied {
            let header = faf_connection::proxy::header(client, stream.peer_addr()?);
            stream.write_all(header.as_bytes()).await?;
        }
        let settings = Settings { role: Role::Client, ..Settings::new(url.format) };
        if url.format != WireFormat::WebSocket {
            return Ok(open_tcp(stream, settings));
        }
        match &self.tls {
            None => upgrade_to_websocket(stream, url, introduction, settings).await,
            Some(tls) => {
                let name = ServerName::try_from(url.host.clone())?;
                let stream = tls.connect(name, stream).await?;
                upgrade_to_websocket(stream, url, introduction, settings).await
            }
        }
    }
}

async fn upgrade_to_websocket<S>(
    stream: S,
    url: &Url,
    introduction: &Introduction,
    settings: Settings,
) -> anyhow::Result<(Reader, Writer)>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let upgraded = upgrade::connect(stream, &url.uri, &introduction.headers).await?;
    Ok(open(upgraded.stream, Settings { received: upgraded.received, ..settings }))
}
