//! The configurations of `packaging/proxy/`, in real proxies in front of a server: TLS, WebSocket,
//! and the address of the client.

use std::fs;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use faf_client::{Connector, Trust};
use faf_lobby::config::TrustedProxy;
use faf_lobby::server::Service;
use faf_protocol::WireFormat;
use faf_testkit::geoip::country_database;
use hyper::header::{HeaderName, HeaderValue};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket};

use super::support::{Client, TestServer, soon};

/// The client's address, the only one that the country database knows.
const CLIENT: [u8; 4] = [127, 0, 0, 9];

/// Time limit for a proxy to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A folder with a certificate for the names of the sites.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let names = ["localhost", "status.example.org"].map(str::to_owned);
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(folder.path("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.path("key.pem"), signing_key.serialize_pem()).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// A running proxy, which is killed at the end.
struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Proxy {
    /// Starts a proxy and waits until it listens.
    fn start(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        let mut proxy = Self { child: child.expect("the program is installed"), address };
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(proxy.child.try_wait().unwrap().is_none(), "{command:?} has ended");
            assert!(began.elapsed() < START_TIMEOUT, "{command:?} does not listen");
            std::thread::yield_now();
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns an address of this machine where nothing listens.
fn free_address() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Returns a file of `packaging/proxy/` with other texts in place of these. Each must be there.
fn adapted(name: &str, changes: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/proxy").join(name);
    changes.iter().fold(fs::read_to_string(file).unwrap(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is missing in {name}");
        text.replace(from, to)
    })
}

/// Starts a server that trusts proxies on this machine, and knows the country of [`CLIENT`].
async fn server_behind_a_proxy(folder: &Folder) -> TestServer {
    let countries = folder.path("countries.mmdb");
    fs::write(&countries, country_database(CLIENT, "US")).unwrap();
    TestServer::start_with(|settings| {
        settings.geoip_database = countries;
        settings.trusted_proxies = vec![TrustedProxy::try_from("127.0.0.1".to_owned()).unwrap()];
        settings.forwarded_header = "X-Real-IP".to_owned();
    })
    .await
}

/// Passes one connection on to the proxy, from the client's address; returns where to connect.
async fn from_the_client(proxy: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((CLIENT, 0).into()).unwrap();
        let mut proxy = socket.connect(proxy).await.unwrap();
        // Either side may have ended.
        let _ = copy_bidirectional(&mut client, &mut proxy).await;
    });
    address
}

/// Returns the status of an HTTPS response of the status site.
async fn status_of(proxy: &Proxy, folder: &Folder, path: &str) -> String {
    let port = proxy.address.port();
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--noproxy", "*"])
        // A stream of events does not end.
        .args(["--max-time", if path == "/events" { "1" } else { "30" }])
        .args(["--cacert", &folder.text("cert.pem")])
        .args(["--resolve", &format!("status.example.org:{port}:127.0.0.1")])
        .arg(format!("https://status.example.org:{port}{path}"));
    // The server runs on this thread.
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    String::from_utf8(output.expect("curl is installed").stdout).unwrap()
}

/// Logs a player in through the proxy, and asks for the pages that it offers and those it does not.
async fn check(server: &TestServer, proxy: &Proxy, folder: &Folder) {
    let relay = from_the_client(proxy.address).await;
    // The address that the client claims must not count.
    let claim = |name| (HeaderName::from_static(name), HeaderValue::from_static("1.1.1.1"));
    let connector = Connector {
        headers: vec![claim("x-real-ip"), claim("x-forwarded-for")],
        trust: Some(Trust::file(&folder.path("cert.pem")).unwrap()),
        ..Connector::default()
    };
    let url = format!("wss://localhost:{}/?verify=1-abc", relay.port()).parse().unwrap();
    let (reader, writer) =
        soon("a connection through the proxy", connector.connect(&url)).await.unwrap().into_connection();
    let mut client = Client { reader, writer };
    let welcome = client.log_in("Ada").await;
    let welcome: serde_json::Value = serde_json::from_str(welcome.as_str()).unwrap();
    assert_eq!(welcome["me"]["country"], "US", "the server does not see the client's address");
    client.check_is_served().await;

    for (path, status) in [
        ("/", "200"),
        ("/overview", "200"),
        ("/events", "200"),
        ("/metrics", "404"),
        ("/players", "404"),
        ("/games", "404"),
        ("/status", "404"),
        ("/health", "404"),
    ] {
        assert_eq!(status_of(proxy, folder, path).await, status, "{path}");
    }
    drop(client);
    server.wait_for_metric("server_user_online 0").await;
}

fn backends(server: &TestServer) -> [String; 2] {
    [Service::Lobby(WireFormat::WebSocket), Service::Http]
        .map(|service| server.addresses_of(service)[0].to_string())
}

#[tokio::test]
#[ignore = "needs nginx and curl; .ci/run runs it"]
async fn players_log_in_through_nginx() {
    let folder = Folder::new();
    let server = server_behind_a_proxy(&folder).await;
    let address = free_address();
    let [lobby, http] = backends(&server);
    let sites = adapted(
        "nginx.conf",
        &[
            ("listen 443 ssl", &format!("listen {address} ssl")),
            ("server_name lobby.example.org", "server_name localhost"),
            ("/etc/ssl/lobby.example.org.pem", &folder.text("cert.pem")),
            ("/etc/ssl/private/lobby.example.org.key", &folder.text("key.pem")),
            ("/etc/ssl/status.example.org.pem", &folder.text("cert.pem")),
            ("/etc/ssl/private/status.example.org.key", &folder.text("key.pem")),
            ("127.0.0.1:8003", &lobby),
            ("127.0.0.1:8011", &http),
        ],
    );
    fs::write(folder.path("sites.conf"), sites).unwrap();
    let here = folder.text("");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|part| format!("{part}_temp_path {here}{part};\n"))
        .concat();
    let main = format!(
        "daemon off;\nmaster_process off;\npid {here}pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}include {here}sites.conf;\n}}\n"
    );
    fs::write(folder.path("nginx.conf"), main).unwrap();
    let nginx = |extra: &[&str]| {
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-c", &folder.text("nginx.conf")]).args(extra);
        command
    };
    assert!(nginx(&["-t"]).status().expect("nginx is installed").success());
    let proxy = Proxy::start(&mut nginx(&[]), address);
    check(&server, &proxy, &folder).await;
}

#[tokio::test]
#[ignore = "needs caddy and curl; .ci/run runs it"]
async fn players_log_in_through_caddy() {
    let folder = Folder::new();
    let server = server_behind_a_proxy(&folder).await;
    let address = free_address();
    let [lobby, http] = backends(&server);
    let site = |name: &str| {
        let (port, cert, key) = (address.port(), folder.text("cert.pem"), folder.text("key.pem"));
        format!("https://{name}:{port} {{\n\tbind 127.0.0.1\n\ttls {cert} {key}\n")
    };
    let sites = adapted(
        "Caddyfile",
        &[
            ("lobby.example.org {\n", &site("localhost")),
            ("status.example.org {\n", &site("status.example.org")),
            ("127.0.0.1:8003", &lobby),
            ("127.0.0.1:8011", &http),
        ],
    );
    let options = "{\n\tlog {\n\t\tlevel ERROR\n\t}\n\tadmin off\n\tauto_https disable_redirects\n}\n";
    fs::write(folder.path("Caddyfile"), format!("{options}{sites}")).unwrap();
    let caddy = |action: &str| {
        let mut command = Command::new("caddy");
        command.args([action, "--adapter", "caddyfile", "--config", &folder.text("Caddyfile")]);
        for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(variable, folder.text(""));
        }
        command
    };
    assert!(caddy("validate").status().expect("caddy is installed").success());
    let proxy = Proxy::start(&mut caddy("run"), address);
    check(&server, &proxy, &folder).await;
}
