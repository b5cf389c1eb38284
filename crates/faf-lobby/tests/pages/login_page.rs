//! The login page, from the client that opens it to the lobby.

use faf_lobby::config::Exposure;
use faf_lobby::server::Service;
use faf_protocol::WireFormat;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::check_fits;
use super::http_client::{encode, get_with, post};
use super::support::{Client, TestServer, soon};
use super::webdriver::{Browser, ENTER, TAB};

/// The example of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn start() -> TestServer {
    let server = TestServer::start_with(|settings| settings.login_pages = Exposure::OnLoopback).await;
    // The first login creates the account.
    drop(server.log_in(WireFormat::SimpleJson, "Ada").await);
    server
}

/// A client that waits for the browser to return.
struct NativeClient {
    listener: TcpListener,
    redirect: String,
}

impl NativeClient {
    async fn listen(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let redirect = format!("http://{}/callback", listener.local_addr().unwrap());
        Self { listener, redirect }
    }

    /// Returns the URL of the login page for this client.
    fn page(&self, server: &TestServer) -> String {
        let request = [
            ("response_type", "code"),
            ("client_id", "<b>test</b>"),
            ("redirect_uri", &self.redirect),
            ("state", "a state"),
            ("scope", "openid offline lobby"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        format!("http://{}/oauth2/auth?{}", server.addresses_of(Service::Http)[0], encode(&request))
    }

    /// Waits until the browser returns; returns the code.
    async fn receive_code(&self) -> String {
        loop {
            let (mut stream, _) = soon("the browser returns", self.listener.accept()).await.unwrap();
            let mut request = vec![0; 8192];
            let length = soon("the browser's request", stream.read(&mut request)).await.unwrap();
            let request = String::from_utf8(request[..length].to_vec()).unwrap();
            let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n<p id=end>Logged in</p>";
            stream.write_all(page.as_bytes()).await.unwrap();
            // Browsers also open connections that they do not use, or ask for an icon.
            let Some((_, query)) = request.split(' ').nth(1).and_then(|path| path.split_once("/callback?"))
            else {
                continue;
            };
            let value = |name: &str| {
                let mut parameters = form_urlencoded::parse(query.as_bytes());
                parameters.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
            };
            assert_eq!(value("state").as_deref(), Some("a state"), "{query}");
            return value("code").unwrap_or_else(|| panic!("{query}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn a_player_logs_in_with_the_keyboard() {
    let browser = Browser::start();
    let server = start().await;
    let client = NativeClient::listen("127.0.0.1:0").await;
    browser.open(&client.page(&server));
    assert_eq!(browser.value("document.activeElement.id"), json!("login"));
    assert_eq!(browser.value("document.title"), json!("Log in · Forged Alliance Forever lobby"));
    // Neither the page nor its policy caused an error, and the client's name is not HTML.
    assert_eq!(browser.log(), Vec::<String>::new());
    assert!(browser.value("document.body.innerText").as_str().unwrap().contains("<b>test</b>"));
    browser.type_text(&format!("Ada{TAB}wrong{ENTER}"));
    browser.wait_for("problem", "The name or the password is wrong");
    assert_eq!(browser.value("document.activeElement.id"), json!("password"));
    assert_eq!(browser.value("document.getElementById('login').value"), json!("Ada"));
    assert_eq!(browser.value("document.getElementById('password').value"), json!(""));
    browser.picture("login-wrong");

    let code = tokio::spawn(async move { (client.receive_code().await, client.redirect) });
    browser.type_text(&format!("secret{ENTER}"));
    let (code, redirect) = code.await.unwrap();
    browser.wait_for("end", "Logged in");
    let address = server.addresses_of(Service::Http)[0];
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", "<b>test</b>"),
        ("redirect_uri", &redirect),
        ("code_verifier", VERIFIER),
    ];
    let issued = post(address, "/oauth2/token", &[], &form).await.json();
    let token = issued["access_token"].as_str().unwrap_or_else(|| panic!("{issued}"));
    let access = get_with(address, "/lobby/access", token).await.json();
    let url = access["accessUrl"].as_str().unwrap_or_else(|| panic!("{access}"));
    let (host, path) = url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    let mut lobby = Client::over(stream, WireFormat::WebSocket, &format!("/{path}"), &[]).await.unwrap();
    lobby.send(r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#).await;
    lobby.receive_command("session").await;
    lobby
        .send(&json!({"command": "auth", "token": token, "unique_id": "uid", "session": 1}).to_string())
        .await;
    let welcome = lobby.receive_command("welcome").await;
    assert!(welcome.as_str().contains(r#""login":"Ada""#), "{}", welcome.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn the_browser_returns_to_clients_on_other_loopback_addresses() {
    let server = start().await;
    for address in ["[::1]:0", "localhost:0"] {
        let browser = Browser::start();
        let mut client = NativeClient::listen(address).await;
        if address.starts_with("localhost") {
            let port = client.listener.local_addr().unwrap().port();
            client.redirect = format!("http://localhost:{port}/callback");
        }
        browser.open(&client.page(&server));
        let code = tokio::spawn(async move { client.receive_code().await });
        browser.type_text(&format!("Ada{TAB}secret{ENTER}"));
        assert!(!code.await.unwrap().is_empty());
        browser.wait_for("end", "Logged in");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn the_page_fits_narrow_and_wide_screens() {
    let browser = Browser::start();
    let server = start().await;
    let client = NativeClient::listen("127.0.0.1:0").await;
    let invalid = client.page(&server).replace("redirect_uri=http", "redirect_uri=https");
    for (name, url) in [("login", client.page(&server)), ("login-invalid", invalid)] {
        browser.open(&url);
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            for width in [320, 768, 1280] {
                check_fits(&browser, width);
                browser.resize(width, 700);
                browser.picture(&format!("{name}-{scheme}-{width}"));
            }
        }
    }
}
