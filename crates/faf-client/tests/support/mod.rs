//! A lobby server for one test.

use std::net::SocketAddr;

use faf_client::Url;
use faf_client::faf_protocol::WireFormat;
use faf_lobby::config::{Exposure, Listen, Settings};
use faf_lobby::server::{Server, Service};
use tempfile::TempDir;

/// A server where the first login creates an account. It ends with the runtime.
pub(crate) struct Lobby {
    server: Server,
    _folder: TempDir,
}

impl Lobby {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = || Listen::one("127.0.0.1:0").unwrap();
        let settings = Settings {
            qdatastream: free(),
            simple_json: free(),
            websocket: free(),
            http: free(),
            database: folder.path().join("test.sqlite").into(),
            open_registration: Exposure::OnLoopback,
            report_interval: 0.02,
            ..Settings::default()
        };
        Self { server: Server::start(settings).await.unwrap(), _folder: folder }
    }

    pub(crate) fn address(&self, format: WireFormat) -> SocketAddr {
        let of_format = |service| service == Service::Lobby(format);
        self.server.listening().iter().find(|listening| of_format(listening.service)).unwrap().address
    }

    pub(crate) fn url(&self, format: WireFormat) -> Url {
        Url::new(format, self.address(format))
    }
}
