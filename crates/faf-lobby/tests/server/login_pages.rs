//! The login for today's clients without FAF's identity service.

use std::net::SocketAddr;

use faf_lobby::config::{Exposure, Listen, Settings};
use faf_lobby::server::Service;
use faf_protocol::WireFormat;
use serde_json::json;

use super::http_client::{Response, encode, get, get_with, post, send};
use super::support::TestServer;

/// The example of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const REDIRECT: &str = "http://127.0.0.1:53124/callback";

/// The request of a client.
const REQUEST: [(&str, &str); 7] = [
    ("response_type", "code"),
    ("client_id", "test-client"),
    ("redirect_uri", REDIRECT),
    ("state", "a state & more"),
    ("scope", "openid offline public_profile lobby"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// A server with the pages, and an account `Ada` with the password `secret`.
struct Pages {
    server: TestServer,
    address: SocketAddr,
}

impl Pages {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let server = TestServer::start_with(|settings| {
            settings.login_pages = Exposure::OnLoopback;
            change(settings);
        })
        .await;
        let address = server.addresses_of(Service::Http)[0];
        // The first login creates the account.
        drop(server.log_in(WireFormat::SimpleJson, "Ada").await);
        Self { server, address }
    }

    async fn open(&self) -> OpenPage {
        let page = get(self.address, &format!("/oauth2/auth?{}", encode(&REQUEST))).await;
        assert_eq!(page.status, 200, "{page:?}");
        let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let (_, rest) = page.body.split_once(r#"name="form" value=""#).unwrap();
        let proof = rest.split('"').next().unwrap().to_owned();
        OpenPage { cookie, proof }
    }

    /// Opens the page, and sends name and password.
    async fn log_in(&self, login: &str, password: &str) -> Response {
        let page = self.open().await;
        self.submit(&page.cookie, &page.proof, login, password, &[]).await
    }

    async fn submit(
        &self,
        cookie: &str,
        proof: &str,
        login: &str,
        password: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let form = [&REQUEST[..], &[("form", proof), ("login", login), ("password", password)]].concat();
        let headers = [&[("Cookie", cookie)], headers].concat();
        post(self.address, "/oauth2/auth", &headers, &form).await
    }

    async fn code(&self) -> String {
        let response = self.log_in("Ada", "secret").await;
        assert_eq!(response.status, 303, "{response:?}");
        response.parameter("code").unwrap()
    }

    /// Exchanges a code, with some parameters changed.
    async fn exchange(&self, code: &str, changed: &[(&str, &str)]) -> Response {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", "test-client"),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let usual = usual.into_iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let form: Vec<_> = usual.chain(changed.iter().copied().filter(|(_, value)| *value != "-")).collect();
        post(self.address, "/oauth2/token", &[], &form).await
    }

    async fn refresh(&self, token: &str) -> Response {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "test-client")];
        post(self.address, "/oauth2/token", &[], &form).await
    }

    /// Logs in to the lobby; returns the reply.
    async fn authenticate(&self, token: &str) -> serde_json::Value {
        authenticate(&self.server, token).await
    }
}

/// A page in a browser.
struct OpenPage {
    cookie: String,
    proof: String,
}

/// Logs in with a token; returns `welcome` or the refusal.
async fn authenticate(server: &TestServer, token: &str) -> serde_json::Value {
    let mut client = server.connect(WireFormat::WebSocket).await;
    client.send(r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#).await;
    client.receive_command("session").await;
    client
        .send(&json!({"command": "auth", "token": token, "unique_id": "uid", "session": 1}).to_string())
        .await;
    loop {
        let message: serde_json::Value = serde_json::from_str(client.receive().await.as_str()).unwrap();
        if message["command"] != "irc_password" {
            return message;
        }
    }
}

fn check_error(response: &Response, error: &str) {
    assert_eq!((response.status, response.json()["error"].as_str()), (400, Some(error)), "{response:?}");
    assert!(
        response.json()["error_description"].as_str().is_some_and(|text| text.len() > 10),
        "{response:?}"
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_client_logs_in_with_the_browser() {
    let pages = Pages::start().await;
    let back = pages.log_in("ada", "secret").await;
    assert_eq!(back.status, 303);
    assert!(back.header("location").unwrap().starts_with(&format!("{REDIRECT}?code=")), "{back:?}");
    assert_eq!(back.parameter("state").as_deref(), Some("a state & more"));
    let issued = pages.exchange(&back.parameter("code").unwrap(), &[]).await;
    assert_eq!((issued.status, issued.header("cache-control")), (200, Some("no-store")));
    assert_eq!(issued.header("content-type"), Some("application/json"));
    let issued = issued.json();
    assert_eq!((&issued["token_type"], &issued["scope"]), (&json!("bearer"), &json!("lobby offline")));
    assert_eq!(issued["expires_in"], json!(18000));
    let token = issued["access_token"].as_str().unwrap();

    let access = get_with(pages.address, "/lobby/access", token).await;
    let websocket = pages.server.address(WireFormat::WebSocket);
    assert_eq!(access.json(), json!({"accessUrl": format!("ws://{websocket}/")}));
    let me = get_with(pages.address, "/me", token).await;
    assert_eq!(me.header("content-type"), Some("application/vnd.api+json"));
    let me = me.json();
    assert_eq!((&me["data"]["type"], &me["data"]["id"]), (&json!("me"), &json!("me")));
    assert_eq!(me["data"]["attributes"]["userName"], "Ada");

    let welcome = pages.authenticate(token).await;
    assert_eq!((&welcome["command"], &welcome["login"]), (&json!("welcome"), &json!("Ada")));
    assert_eq!(welcome["id"], me["data"]["attributes"]["userId"]);

    let refreshed = pages.refresh(issued["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    assert_eq!(pages.authenticate(refreshed.json()["access_token"].as_str().unwrap()).await["login"], "Ada");
    check_error(&pages.refresh(issued["refresh_token"].as_str().unwrap()).await, "invalid_grant");
}

#[tokio::test]
async fn a_code_works_once_and_only_for_its_client() {
    let pages = Pages::start().await;
    for changed in [
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX"),
        ("code_verifier", CHALLENGE),
        ("redirect_uri", "http://127.0.0.1:53125/callback"),
        ("client_id", "another-client"),
        ("code", "1.AAAA"),
    ] {
        let code = pages.code().await;
        check_error(&pages.exchange(&code, &[changed]).await, "invalid_grant");
        // A wrong attempt uses the code up as well.
        if changed.0 != "code" {
            check_error(&pages.exchange(&code, &[]).await, "invalid_grant");
        }
    }
    let code = pages.code().await;
    let issued = pages.exchange(&code, &[]).await.json();
    check_error(&pages.exchange(&code, &[]).await, "invalid_grant");
    // Two parties have had the code, so what came of it is revoked.
    check_error(&pages.refresh(issued["refresh_token"].as_str().unwrap()).await, "invalid_grant");
}

#[tokio::test]
async fn wrong_requests_for_tokens_are_explained() {
    let pages = Pages::start().await;
    for missing in ["grant_type", "code", "client_id", "redirect_uri", "code_verifier"] {
        check_error(&pages.exchange("1.a", &[(missing, "-")]).await, "invalid_request");
    }
    for (changed, error) in [
        (&[("grant_type", "password")][..], "unsupported_grant_type"),
        (&[("code", "1.a"), ("code", "1.b")], "invalid_request"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "1.a")], "invalid_grant"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "1.a"), ("scope", "email")], "invalid_scope"),
    ] {
        check_error(&pages.exchange("1.a", changed).await, error);
    }
    let json = [("Content-Type", "application/json")];
    check_error(&send(pages.address, "POST", "/oauth2/token", &json, "{}").await, "invalid_request");
    assert_eq!(get(pages.address, "/oauth2/token").await.status, 405);
    let large = format!("code={}", "a".repeat(20_000));
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for path in ["/oauth2/token", "/oauth2/auth"] {
        assert_eq!(send(pages.address, "POST", path, &form, &large).await.status, 413, "{path}");
    }
}

#[tokio::test]
async fn nobody_is_sent_to_an_unknown_address() {
    let pages = Pages::start().await;
    let open = async |changed: &[(&str, &str)]| {
        let unchanged = REQUEST.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let request: Vec<_> =
            unchanged.chain(changed.iter().filter(|(_, value)| *value != "-")).copied().collect();
        get(pages.address, &format!("/oauth2/auth?{}", encode(&request))).await
    };
    for changed in [
        &[("redirect_uri", "https://example.org/")][..],
        &[("redirect_uri", "http://127.0.0.1@example.org/")],
        &[("redirect_uri", "-")],
        &[("redirect_uri", REDIRECT), ("redirect_uri", "http://example.org/")],
        &[("client_id", "-")],
    ] {
        let page = open(changed).await;
        assert_eq!((page.status, page.header("location")), (400, None), "{changed:?}");
        assert!(page.body.contains("not valid") && !page.body.contains("example.org"), "{page:?}");
    }
    // Problems of other parameters are the client's, which is on this machine.
    for (changed, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "-"), "invalid_request"),
        (("scope", "email"), "invalid_scope"),
        (("code_challenge", "-"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
    ] {
        let back = open(&[changed]).await;
        assert_eq!(back.status, 303, "{changed:?}");
        assert!(back.header("location").unwrap().starts_with(&format!("{REDIRECT}?error=")), "{back:?}");
        assert_eq!(back.parameter("error").as_deref(), Some(error));
        assert_eq!(back.parameter("state").as_deref(), Some("a state & more"));
        assert!(back.parameter("error_description").is_some());
    }
}

#[tokio::test]
async fn pages_cannot_be_framed_or_cached() {
    let pages = Pages::start().await;
    let page = get(pages.address, &format!("/oauth2/auth?{}", encode(&REQUEST))).await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    let cookie = page.header("set-cookie").unwrap();
    assert!(
        cookie.contains("; HttpOnly; SameSite=Strict") && cookie.contains("Path=/oauth2/auth"),
        "{cookie}"
    );
    // The server of this test has open registration.
    assert!(page.body.contains("A new name creates an account"));
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let pages = Pages::start().await;
    let (page, other) = (pages.open().await, pages.open().await);
    let submit = async |cookie: &str, proof: &str, headers: &[(&str, &str)]| {
        let response = pages.submit(cookie, proof, "Ada", "secret", headers).await;
        (response.status, response.header("location").is_some())
    };
    assert_eq!(submit("a=b", &page.proof, &[]).await, (403, false));
    assert_eq!(submit(&other.cookie, &page.proof, &[]).await, (403, false));
    assert_eq!(submit(&page.cookie, "", &[]).await, (403, false));
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(submit(&page.cookie, &page.proof, &[("Sec-Fetch-Site", site)]).await, (403, false));
    }
    let same = [("Sec-Fetch-Site", "same-origin")];
    assert_eq!(submit(&page.cookie, &page.proof, &same).await, (303, true));
}

#[tokio::test]
async fn wrong_passwords_are_counted_by_address() {
    let pages = Pages::start_with(|settings| settings.login_attempts_per_address = 3).await;
    for (login, password) in [("Ada", "Secret"), ("Ada", "")] {
        let refused = pages.log_in(login, password).await;
        let status = if password.is_empty() { 400 } else { 403 };
        assert_eq!((refused.status, refused.header("location")), (status, None));
        assert!(refused.body.contains(r#"role="alert""#) && refused.body.contains(r#"value="Ada""#));
        assert!(!refused.body.contains("Secret"), "the password is in the page");
    }
    // A right password does not count, and does not make up for wrong ones either.
    assert_eq!(pages.log_in("Ada", "secret").await.status, 303);
    assert_eq!(pages.log_in("Ada", "wrong").await.status, 403);
    assert_eq!(pages.log_in("Ada", "wrong").await.status, 403);
    for password in ["wrong", "secret"] {
        let refused = pages.log_in("Ada", password).await;
        assert_eq!((refused.status, refused.header("location")), (429, None));
    }
    pages.server.wait_for_metric("server_logins_failed_total{reason=\"wrong name or password\"} 3").await;
    pages.server.wait_for_metric("server_logins_failed_total{reason=\"too many from this address\"} 2").await;
}

#[tokio::test]
async fn resources_need_a_token_of_this_server() {
    let pages = Pages::start().await;
    let other = Pages::start().await;
    let foreign = other.exchange(&other.code().await, &[]).await.json();
    for path in ["/lobby/access", "/me"] {
        let refused = get(pages.address, path).await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        for token in ["", "abc", foreign["access_token"].as_str().unwrap()] {
            let refused = get_with(pages.address, path, token).await;
            let challenge = refused.header("www-authenticate").unwrap_or_default();
            assert_eq!(refused.status, 401, "{path} {token}");
            assert!(token.is_empty() || challenge.contains(r#"error="invalid_token""#), "{challenge}");
        }
    }
    assert_eq!(
        pages.authenticate(foreign["access_token"].as_str().unwrap()).await["command"],
        "authentication_failed"
    );
}

#[tokio::test]
async fn tokens_of_a_trusted_issuer_open_resources_too() {
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), faf_testkit::token::JWKS).unwrap();
    let jwks = keys.path().to_str().unwrap().to_owned();
    let pages = Pages::start_with(|settings| settings.jwks = jwks).await;
    let me = get_with(pages.address, "/me", &faf_testkit::token::token_of(1)).await;
    assert_eq!(me.json()["data"]["attributes"]["userName"], "Ada");
    let of_nobody = get_with(pages.address, "/me", &faf_testkit::token::token_of(99)).await;
    assert_eq!((of_nobody.status, of_nobody.json()["error"].clone()), (401, json!("invalid_token")));
    let other = faf_testkit::token::sign(r#"{"sub":"1","scp":["email"],"exp":4102444800}"#);
    let refused = get_with(pages.address, "/lobby/access", &other).await;
    assert_eq!((refused.status, refused.json()["error"].clone()), (403, json!("insufficient_scope")));
}

#[tokio::test]
async fn another_server_can_verify_the_tokens() {
    let issuer = Pages::start().await;
    let jwks = format!("http://{}/.well-known/jwks.json", issuer.address);
    let keys = get(issuer.address, "/.well-known/jwks.json").await;
    assert_eq!((keys.status, keys.json()["keys"].as_array().unwrap().len()), (200, 1));
    let verifier = Pages::start_with(|settings| {
        settings.jwks = jwks;
        (settings.token_issuer, settings.token_audience) = ("faf-lobby".to_owned(), "faf-lobby".to_owned());
    })
    .await;
    let token = async |pages: &Pages| {
        let issued = pages.exchange(&pages.code().await, &[]).await.json();
        issued["access_token"].as_str().unwrap().to_owned()
    };
    assert_eq!(verifier.authenticate(&token(&issuer).await).await["login"], "Ada");
    // It also accepts its own tokens, which are not in the key set.
    assert_eq!(verifier.authenticate(&token(&verifier).await).await["login"], "Ada");
    assert_eq!(issuer.authenticate(&token(&verifier).await).await["command"], "authentication_failed");
}

#[tokio::test]
async fn pages_are_off_by_default_and_for_this_machine_only() {
    let server = TestServer::start().await;
    let address = server.addresses_of(Service::Http)[0];
    for path in ["/oauth2/auth", "/oauth2/token", "/.well-known/jwks.json", "/lobby/access", "/me"] {
        assert_eq!(get(address, path).await.status, 404, "{path}");
    }
    let pages = Pages::start().await;
    let status = async |pages: &Pages, host: &str| {
        send(pages.address, "GET", "/.well-known/jwks.json", &[("Host", host)], "").await.status
    };
    for (host, expected) in [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:5", 200), ("example.org", 421)]
    {
        assert_eq!(status(&pages, host).await, expected, "{host}");
    }
    let public = Pages::start_with(|settings| settings.login_pages = Exposure::Anywhere).await;
    assert_eq!(status(&public, "example.org").await, 200);
}

#[tokio::test]
async fn clients_get_the_address_by_which_they_came() {
    let token = async |pages: &Pages| {
        let issued = pages.exchange(&pages.code().await, &[]).await.json();
        issued["access_token"].as_str().unwrap().to_owned()
    };
    let access = async |pages: &Pages, host: &str| {
        let authorization = format!("Bearer {}", token(pages).await);
        let headers = [("Host", host), ("Authorization", authorization.as_str())];
        send(pages.address, "GET", "/lobby/access", &headers, "").await.json()["accessUrl"].clone()
    };
    let pages = Pages::start_with(|settings| {
        settings.websocket = Listen::one("0.0.0.0:0").unwrap();
        settings.websocket_path = "/ws".to_owned();
    })
    .await;
    let port = pages.server.address(WireFormat::WebSocket).port();
    assert_eq!(access(&pages, "localhost:8011").await, format!("ws://localhost:{port}/ws"));
    assert_eq!(access(&pages, "[::1]:8011").await, format!("ws://[::1]:{port}/ws"));
    let pages = Pages::start_with(|settings| settings.access_url = "wss://ws.example.org/".to_owned()).await;
    assert_eq!(access(&pages, "localhost").await, "wss://ws.example.org/");
}
