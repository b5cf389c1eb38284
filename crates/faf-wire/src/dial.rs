//! Connecting to a server.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use faf_client::{Connector, TrustError, Url};
use faf_connection::{Reader, Writer};

/// Certificates for `wss://`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Trust {
    /// File with certificates (PEM) to trust for wss:// instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Trust {
    /// Returns a connector for this URL. Certificates are read once, and only if they are needed.
    pub(crate) fn connector(&self, url: &Url) -> anyhow::Result<Connector> {
        if !url.is_encrypted() {
            return Ok(Connector::default());
        }
        let trust = match &self.ca {
            Some(file) => faf_client::Trust::file(file),
            None => faf_client::Trust::system(),
        };
        let trust = match trust {
            Err(TrustError::Empty) => anyhow::bail!("{}; name some with --ca", TrustError::Empty),
            other => other?,
        };
        Ok(Connector { trust: Some(trust), ..Connector::default() })
    }
}

/// Connects; after that, messages can be sent.
pub(crate) async fn connect(connector: &Connector, url: &Url) -> anyhow::Result<(Reader, Writer)> {
    let client = connector.connect(url).await.with_context(|| format!("cannot connect to {url}"))?;
    Ok(client.into_connection())
}
