//! Addresses of clients as proxies announce them.

use std::net::SocketAddr;

use faf_client::ConnectError;
use faf_connection::upgrade::UpgradeError;
use faf_lobby::config::{Listen, Settings, TrustedProxy};
use faf_lobby::server::Service;
use faf_protocol::{Message, WireFormat};
use faf_testkit::geoip::country_database;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::{Client, TestServer};

/// The address whose country is in the test's database.
const KNOWN: &str = "1.1.1.1";

struct Countries(tempfile::NamedTempFile);

impl Countries {
    fn new() -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), country_database([1, 1, 1, 1], "US")).unwrap();
        Self(file)
    }

    fn set(&self, settings: &mut Settings, trusted: &str) {
        settings.geoip_database = self.0.path().to_owned();
        settings.trusted_proxies = vec![TrustedProxy::try_from(trusted.to_owned()).unwrap()];
    }
}

fn country(welcome: &Message) -> String {
    let welcome: serde_json::Value = serde_json::from_str(welcome.as_str()).unwrap();
    welcome["me"]["country"].as_str().unwrap().to_owned()
}

async fn connect_with_header(
    address: SocketAddr,
    format: WireFormat,
    header: &[u8],
) -> Result<Client, ConnectError> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(header).await.unwrap();
    Client::over(stream, format, "/", &[]).await
}

#[tokio::test]
async fn trusted_proxy_header_counts_in_every_format() {
    let countries = Countries::new();
    let server = TestServer::start_with(|settings| {
        countries.set(settings, "127.0.0.0/8");
        for listen in [&mut settings.qdatastream, &mut settings.simple_json, &mut settings.websocket] {
            *listen = Listen::one("127.0.0.1:0 proxy").unwrap();
        }
    })
    .await;
    let version_2: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x01\x01\x01\x01\x0a\x00\x00\x01\x15\xb3\x1f\x42";
    for format in WireFormat::ALL {
        for header in [format!("PROXY TCP4 {KNOWN} 10.0.0.1 5555 8002\r\n").as_bytes(), version_2] {
            let mut client = connect_with_header(server.address(format), format, header).await.unwrap();
            assert_eq!(country(&client.log_in("Ada").await), "US");
        }
        // A health check of the proxy has no client address.
        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
        let mut client = connect_with_header(server.address(format), format, local).await.unwrap();
        assert_eq!(country(&client.log_in("Ada").await), "");
    }
    for wrong in [&b"{\"command\":\"ping\"}\n"[..], b"PROXY UNKNOWN\r\n", b"PROXY TCP4 x y 1 2\r\n"] {
        assert_eq!(server.send_raw(WireFormat::SimpleJson, wrong).await, b"");
    }
    server.wait_for_metric("server_connections_refused_total{reason=\"PROXY header\"} 3").await;
}

#[tokio::test]
async fn untrusted_proxy_header_is_rejected() {
    let countries = Countries::new();
    let server = TestServer::start_with(|settings| {
        countries.set(settings, "10.0.0.0/8");
        settings.simple_json = Listen::one("127.0.0.1:0 proxy").unwrap();
    })
    .await;
    let mut bystander = server.log_in(WireFormat::WebSocket, "Bob").await;
    let header = format!("PROXY TCP4 {KNOWN} 10.0.0.1 5555 8002\r\n{{\"command\":\"ping\"}}\n");
    assert_eq!(server.send_raw(WireFormat::SimpleJson, header.as_bytes()).await, b"");
    server.wait_for_metric("server_connections_refused_total{reason=\"untrusted proxy\"} 1").await;
    bystander.check_is_served().await;
}

#[tokio::test]
async fn forwarded_header_counts_if_its_sender_is_trusted() {
    for (trusted, expected) in [("127.0.0.1", "US"), ("10.0.0.0/8", "")] {
        let countries = Countries::new();
        let server = TestServer::start_with(|settings| {
            countries.set(settings, trusted);
            settings.forwarded_header = "X-Real-IP".to_owned();
        })
        .await;
        for (value, expected) in [
            (KNOWN, expected),
            ("1.1.1.1, 10.0.0.1", expected),
            ("1.1.1.1:5678", expected),
            ("[::ffff:1.1.1.1]:5678", expected),
            ("for=\"1.1.1.1:5678\";proto=https", expected),
            ("unknown", ""),
            ("gibberish", ""),
        ] {
            let stream = TcpStream::connect(server.address(WireFormat::WebSocket)).await.unwrap();
            let header = (HeaderName::from_static("x-real-ip"), HeaderValue::from_static(value));
            let mut client = Client::over(stream, WireFormat::WebSocket, "/", &[header]).await.unwrap();
            assert_eq!(country(&client.log_in("Ada").await), expected, "{value} from {trusted}");
        }
    }
}

#[tokio::test]
async fn only_the_right_path_upgrades() {
    let server = TestServer::start_with(|settings| settings.websocket_path = "/lobby".to_owned()).await;
    let upgrade = async |path: &str| {
        let stream = TcpStream::connect(server.address(WireFormat::WebSocket)).await.unwrap();
        Client::over(stream, WireFormat::WebSocket, path, &[]).await.map(drop)
    };
    assert!(upgrade("/lobby").await.is_ok());
    assert!(upgrade("/lobby?verify=1-abc").await.is_ok());
    for wrong in ["/", "/lobby/", "/other"] {
        assert!(
            matches!(
                upgrade(wrong).await,
                Err(ConnectError::Upgrade(UpgradeError::Refused(StatusCode::NOT_FOUND)))
            ),
            "{wrong}"
        );
    }
    server.wait_for_metric("server_connections_refused_total{reason=\"upgrade\"} 3").await;
}

#[tokio::test]
async fn format_can_have_several_listeners() {
    let server = TestServer::start_with(|settings| {
        settings.simple_json = toml::from_str::<std::collections::BTreeMap<String, Listen>>(
            "listen = [\"127.0.0.1:0\", \"127.0.0.1:0 proxy\"]",
        )
        .unwrap()
        .remove("listen")
        .unwrap();
    })
    .await;
    let addresses = server.addresses_of(Service::Lobby(WireFormat::SimpleJson));
    assert_eq!(addresses.len(), 2);
    let mut client = connect_with_header(addresses[0], WireFormat::SimpleJson, b"").await.unwrap();
    client.log_in("Ada").await;
}
