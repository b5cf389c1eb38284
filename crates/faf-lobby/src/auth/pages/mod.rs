//! Login for today's clients without FAF's identity service: OAuth 2 with PKCE, in the browser.
//!
//! ```text
//!   client                       browser                      this server
//!     | listens on 127.0.0.1:X      |                            |
//!     |--- opens ------------------>|-- GET  /oauth2/auth?... -->|  authorize.rs: the page
//!     |                             |-- POST /oauth2/auth ------>|  name and password
//!     |<-- 127.0.0.1:X/?code=... ---|<- 303 ---------------------|  grants.rs: a code
//!     |--- POST /oauth2/token, code and verifier --------------->|  token.rs: an access token
//!     |--- GET /me, /lobby/access, access token ---------------->|  resources.rs
//!     |--- WebSocket, auth, access token ----------------------->|
//! ```
//!
//! The pages are part of the HTTP interface if `login_pages` is on. While it is on for loopback
//! only, requests must also name this machine as their host: otherwise, any web site whose name
//! resolves to 127.0.0.1 could show the page as its own.

mod authorization;
mod authorize;
mod form;
mod grants;
mod page;
mod resources;
mod token;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, HeaderName, PRAGMA};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use faf_connection::forwarded::{self, Forwarded};
use faf_connection::running_time::timeout;
use faf_lobby_core::FailedLogins as Attempts;
use ring::hmac;
use tokio::time::Instant;

use crate::auth::failed_logins::{FailedLogin, FailedLogins};
use crate::config::{Exposure, Settings, TrustedProxy};
use crate::lobby::requests::RequestExecutor;
use grants::Grants;

/// Largest body of a request, in bytes: name, password, and the parameters of a client.
const BODY_LIMIT: usize = 16 * 1024;

/// Time limit for sending the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// State of the pages.
pub(crate) struct LoginPages {
    requests: RequestExecutor,
    exposure: Exposure,
    trusted_proxies: Vec<TrustedProxy>,
    forwarded_header: Option<HeaderName>,
    /// Where clients connect: a URL, or the address of a listener and its path.
    access_url: String,
    websocket: Option<(SocketAddr, String)>,
    /// Begin of the clock of `grants` and `attempts`.
    begin: Instant,
    grants: Mutex<Grants>,
    attempts: Mutex<Attempts>,
    attempt_limit: u32,
    failed: Mutex<FailedLogins>,
    /// Signs forms, so that only this server's own are accepted.
    form_key: hmac::Key,
}

impl LoginPages {
    /// Returns the pages if the settings have them. `websocket` is the address of a listener that
    /// clients can reach.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub(crate) fn new(
        settings: &Settings,
        requests: RequestExecutor,
        failed: FailedLogins,
        websocket: Option<SocketAddr>,
    ) -> Result<Option<Arc<Self>>, getrandom::Error> {
        if settings.login_pages == Exposure::Off {
            return Ok(None);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Some(Arc::new(Self {
            requests,
            exposure: settings.login_pages,
            trusted_proxies: settings.trusted_proxies.clone(),
            forwarded_header: settings.forwarded_header.parse().ok(),
            access_url: settings.access_url.clone(),
            websocket: websocket.map(|address| (address, settings.websocket_path.clone())),
            begin: Instant::now(),
            grants: Mutex::default(),
            attempts: Mutex::default(),
            attempt_limit: settings.login_attempts_per_address,
            failed: Mutex::new(failed),
            form_key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })))
    }

    /// Returns the routes.
    pub(crate) fn router<S: Clone + Send + Sync + 'static>(self: Arc<Self>) -> Router<S> {
        Router::new()
            .route("/oauth2/auth", get(authorize::page).post(authorize::log_in))
            .route("/oauth2/token", post(token::exchange))
            .route("/.well-known/jwks.json", get(resources::jwks))
            .route("/lobby/access", get(resources::access))
            .route("/me", get(resources::me))
            .layer(from_fn_with_state(Arc::clone(&self), Self::guard))
            .with_state(self)
    }

    /// Creates the key for tokens before the first login needs it.
    pub(crate) async fn prepare(self: Arc<Self>) {
        if let Err(error) = self.requests.own_tokens.prepare().await {
            tracing::warn!(%error, "there is no key for tokens yet; the first login tries again");
        }
    }

    /// Refuses requests for other hosts, and keeps all responses out of caches: they contain
    /// secrets, or depend on them.
    async fn guard(State(pages): State<Arc<Self>>, request: Request, next: Next) -> Response {
        let host = host(request.headers());
        let mut response = match host {
            Some(host) if pages.exposure == Exposure::Anywhere || authorization::is_loopback(host.host()) => {
                next.run(request).await
            }
            _ => {
                let problem = "This page is for programs on the machine of the server only: open it at \
                               http://127.0.0.1, or set login_pages = \"anywhere\".\n";
                (StatusCode::MISDIRECTED_REQUEST, problem).into_response()
            }
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }

    /// Time on the clock of the pages.
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        lock(&self.grants)
    }

    /// Returns the address of the browser or client, or `None` if a proxy does not tell it.
    fn address(&self, peer: PeerAddress, headers: &HeaderMap) -> Option<IpAddr> {
        let is_proxy = self.trusted_proxies.iter().any(|proxy| proxy.includes(peer.0));
        let header = self.forwarded_header.as_ref().filter(|_| is_proxy).and_then(|name| headers.get(name));
        let Some(header) = header else { return Some(peer.0) };
        match header.to_str().map(forwarded::read) {
            Ok(Forwarded::From(address)) => Some(address),
            _ => None,
        }
    }

    /// Counts a password as wrong before it is checked, so that parallel attempts are limited like
    /// successive ones. Returns `false` if the address has failed too often.
    fn begin_attempt(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else { return true };
        let (mut attempts, now) = (lock(&self.attempts), self.now());
        let may_try = attempts.count(address, now) < self.attempt_limit;
        if may_try {
            attempts.add(address, now);
        }
        may_try
    }

    /// Takes an attempt back that has not failed.
    fn take_attempt_back(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            lock(&self.attempts).take_back(address, self.now());
        }
    }

    fn tell_failed(&self, address: Option<IpAddr>, account: &str, reason: &'static str) {
        let (conn, method, detail) = (None, "page", "");
        lock(&self.failed).tell(&FailedLogin { conn, address, method, account, reason, detail });
    }
}

impl fmt::Debug for LoginPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginPages").field("exposure", &self.exposure).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds one of these locks leaves it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the host that a request is for, if it names exactly one.
fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, None) = (hosts.next()?, hosts.next()) else { return None };
    Authority::try_from(host.as_bytes()).ok().filter(|host| !host.as_str().contains('@'))
}

/// Reads the form in the body of a request.
async fn read_form(body: Body) -> Result<form::Form, StatusCode> {
    match timeout(BODY_TIMEOUT, to_bytes(body, BODY_LIMIT)).await {
        None => Err(StatusCode::REQUEST_TIMEOUT),
        Some(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Some(Ok(bytes)) => Ok(form::Form::parse(&bytes)),
    }
}

#[cfg(test)]
mod testing {
    use faf_protocol::PlayerId;

    use super::*;
    use crate::auth::passwords::PasswordThreads;
    use crate::auth::tokens::{OwnTokens, Tokens};
    use crate::ops::metrics::Metrics;
    use crate::store::Store;

    /// Returns pages of a server in memory, and its only player.
    pub(super) async fn pages() -> (Arc<LoginPages>, PlayerId) {
        let settings = Settings { login_pages: Exposure::OnLoopback, ..Settings::default() };
        let store = Store::in_memory();
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        let requests = RequestExecutor {
            store: store.clone(),
            tokens: Arc::new(Tokens::new(&settings)),
            own_tokens: Arc::new(OwnTokens::new(store)),
            passwords: PasswordThreads::new(),
            outbox: Arc::default(),
            registers: false,
            fails_to_store: Arc::default(),
        };
        let failed = FailedLogins::new(settings.log_addresses, Arc::new(Metrics::new()));
        (LoginPages::new(&settings, requests, failed, None).unwrap().unwrap(), ada)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn proxies_tell_the_address_of_a_browser() {
        let (pages, _) = testing::pages().await;
        let mut pages = Arc::into_inner(pages).unwrap();
        pages.trusted_proxies = vec![TrustedProxy::try_from("10.0.0.1".to_owned()).unwrap()];
        pages.forwarded_header = Some(HeaderName::from_static("x-real-ip"));
        let address = |peer: &str, header: Option<&str>| {
            let headers = header.map(|value| (HeaderName::from_static("x-real-ip"), value.parse().unwrap()));
            let address = pages.address(PeerAddress(peer.parse().unwrap()), &headers.into_iter().collect());
            address.map(|address| address.to_string())
        };
        assert_eq!(address("10.0.0.1", Some("1.2.3.4")).as_deref(), Some("1.2.3.4"));
        assert_eq!(address("10.0.0.1", Some("?")), None);
        assert_eq!(address("10.0.0.1", None).as_deref(), Some("10.0.0.1"));
        assert_eq!(address("10.0.0.2", Some("1.2.3.4")).as_deref(), Some("10.0.0.2"));
    }

    /// A body of which nothing arrives.
    struct Silent;

    impl hyper::body::Body for Silent {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::convert::Infallible>>>
        {
            std::task::Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_arrive_soon_and_be_short() {
        let begin = Instant::now();
        assert_eq!(read_form(Body::new(Silent)).await.err(), Some(StatusCode::REQUEST_TIMEOUT));
        assert!(begin.elapsed() < BODY_TIMEOUT * 2);
        let of = async |length: usize| read_form(Body::from(vec![b'a'; length])).await.err();
        assert_eq!(of(BODY_LIMIT).await, None);
        assert_eq!(of(BODY_LIMIT + 1).await, Some(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_fails_often_must_wait() {
        let (pages, _) = testing::pages().await;
        let mut pages = Arc::into_inner(pages).unwrap();
        pages.attempt_limit = 3;
        let ada = Some("1.1.1.1".parse().unwrap());
        for _ in 0..10 {
            assert!(pages.begin_attempt(ada));
            pages.take_attempt_back(ada);
        }
        assert_eq!([0; 4].map(|_| pages.begin_attempt(ada)), [true, true, true, false]);
        assert!(pages.begin_attempt(Some("1.1.1.2".parse().unwrap())));
        tokio::time::advance(Duration::from_secs(600)).await;
        assert!(pages.begin_attempt(ada));
    }

    #[test]
    fn a_request_is_for_exactly_one_host() {
        let hosts = |hosts: &[&str]| {
            let headers = hosts.iter().map(|host| (HOST, host.parse().unwrap())).collect();
            host(&headers).map(|host| host.to_string())
        };
        assert_eq!(hosts(&["localhost:8011"]).as_deref(), Some("localhost:8011"));
        assert_eq!(hosts(&["[::1]:8011"]).as_deref(), Some("[::1]:8011"));
        for wrong in
            [&[][..], &["localhost", "localhost"], &["a@localhost"], &["a b"], &["localhost/x"], &[""]]
        {
            assert_eq!(hosts(wrong), None, "{wrong:?}");
        }
    }
}
