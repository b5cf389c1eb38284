//! The HTTP upgrade before a WebSocket connection (RFC 6455 section 4), by the HTTP library.
//!
//! After the upgrade, the bare stream is taken out of the library, so that the connection does not
//! hold the library's memory.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

/// Largest head of an upgrade request or its response: 16 KiB, enough for the long access tokens
/// that proxies put into URLs.
const HEAD_LIMIT_BYTES: usize = 16 * 1024;

/// A stream after its upgrade.
#[derive(Debug)]
pub struct Upgraded<S> {
    /// The bare stream, for a connection.
    pub stream: S,
    /// Bytes received after the upgrade, for [`Settings::received`](crate::Settings::received).
    pub received: BytesMut,
    /// Value of [`Endpoint::forwarded_header`], if the request has it; of several lines, the first.
    /// For [`forwarded`](crate::forwarded).
    pub forwarded_for: Option<String>,
}

/// The reason an upgrade failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The request was refused with this status, by this side or by the server.
    #[error("no upgrade to WebSocket: {0}")]
    Refused(StatusCode),
    /// The peer does not speak HTTP, or the connection was lost.
    #[error("no upgrade to WebSocket: {0}")]
    Http(#[from] hyper::Error),
    /// The URL cannot be put into a request.
    #[error("no upgrade to WebSocket: {0}")]
    Url(#[from] hyper::http::Error),
    /// The server's response does not belong to the request.
    #[error("no upgrade to WebSocket: the server's response has the wrong key")]
    Key,
}

/// The conditions under which a server grants an upgrade.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The only path that upgrades. A query after it is ignored, and never logged, because proxies
    /// put secrets there.
    pub path: String,
    /// Origins of web pages that may connect, such as `https://example.org`; `*` stands for all.
    /// Other programs than browsers usually send none, and may connect.
    pub origins: Vec<String>,
    /// Header in which a proxy names the address of its client. Set it only for a trusted peer.
    pub forwarded_header: Option<HeaderName>,
}

/// Grants or refuses the upgrade of a client.
///
/// A wrong path gets 404, a method other than GET 405, a request that is not an upgrade 400, a
/// version other than 13 426, and a web page that may not connect 403. After that the connection
/// ends. There is no time limit: the caller must set one.
///
/// # Errors
/// [`UpgradeError::Refused`] and [`UpgradeError::Http`].
pub async fn accept<S>(stream: S, endpoint: &Endpoint) -> Result<Upgraded<S>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let outcome = Arc::new(Mutex::new(None));
    let service = service_fn(|mut request: Request<Incoming>| {
        let (response, upgrade) = respond(&mut request, endpoint);
        *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrade.ok_or(response.status()));
        async move { Ok::<_, io::Error>(response) }
    });
    hyper::server::conn::http1::Builder::new()
        .max_buf_size(HEAD_LIMIT_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Offer { upgrade, forwarded_for } =
        outcome.unwrap_or(Err(StatusCode::BAD_REQUEST)).map_err(UpgradeError::Refused)?;
    let (stream, received) = take_stream(upgrade.await?);
    Ok(Upgraded { stream, received, forwarded_for })
}

struct Offer {
    upgrade: OnUpgrade,
    forwarded_for: Option<String>,
}

fn respond(request: &mut Request<Incoming>, endpoint: &Endpoint) -> (Response<Full<Bytes>>, Option<Offer>) {
    let key = match upgrade_key(request, endpoint) {
        Ok(key) => key,
        Err(refusal) => return (refusal.response(), None),
    };
    let forwarded_for = endpoint
        .forwarded_header
        .as_ref()
        .and_then(|name| Some(String::from_utf8_lossy(request.headers().get(name)?.as_bytes()).into_owned()));
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(request);
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(accept).expect("an accept key is ASCII"));
    (response, Some(Offer { upgrade, forwarded_for }))
}

/// The response to a request that is refused.
struct Refusal {
    status: StatusCode,
    text: &'static str,
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    fn new(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, header: None }
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.text));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Returns the key of an upgrade that is granted (RFC 6455 section 4.2.1).
fn upgrade_key<B>(request: &Request<B>, endpoint: &Endpoint) -> Result<String, Refusal> {
    let headers = request.headers();
    if request.uri().path() != endpoint.path {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "There is nothing here.\n"));
    }
    if request.method() != Method::GET {
        let header = Some((ALLOW, "GET"));
        let text = "This is a WebSocket endpoint.\n";
        return Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, text, header });
    }
    let bad = |text| Refusal::new(StatusCode::BAD_REQUEST, text);
    let is_upgrade = names(headers, &CONNECTION, "upgrade") && names(headers, &UPGRADE, "websocket");
    if request.version() < Version::HTTP_11 || !is_upgrade {
        return Err(bad("This is a WebSocket endpoint.\n"));
    }
    if only(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        let header = Some((SEC_WEBSOCKET_VERSION, "13"));
        let text = "The version of WebSocket must be 13.\n";
        return Err(Refusal { status: StatusCode::UPGRADE_REQUIRED, text, header });
    }
    if only(headers, &HOST).is_none() {
        return Err(bad("There must be exactly one Host.\n"));
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let key =
        key.ok_or_else(|| bad("There must be exactly one Sec-WebSocket-Key, of 16 bytes in Base64.\n"))?;
    let is_allowed = |origin: &str| {
        endpoint.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    };
    if headers.contains_key(ORIGIN) && !only(headers, &ORIGIN).is_some_and(is_allowed) {
        let text = "Web pages of this origin may not connect.\n";
        return Err(Refusal::new(StatusCode::FORBIDDEN, text));
    }
    Ok(key.to_owned())
}

/// Returns whether a list, which may have several lines, has an element. Ignores case.
fn names(headers: &HeaderMap, header: &HeaderName, element: &str) -> bool {
    let lines = headers.get_all(header).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|name| name.trim().eq_ignore_ascii_case(element))
}

/// Returns the value of a header that the request has exactly once.
fn only<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(header).iter();
    let only = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(only.trim())
}

/// Returns whether this is Base64 of 16 bytes.
fn is_key(key: &str) -> bool {
    let digits = key.strip_suffix("==").unwrap_or_default();
    digits.len() == 22
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Requests the upgrade from a server. `headers` are added to the required ones.
///
/// # Errors
/// [`UpgradeError`].
pub async fn connect<S>(
    stream: S,
    url: &Uri,
    headers: &[(HeaderName, HeaderValue)],
) -> Result<Upgraded<S>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let key = generate_key();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path)
        .header(HOST, url.authority().map_or("", |authority| authority.as_str()))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .body(Empty::<Bytes>::new())?;
    request.headers_mut().extend(headers.iter().map(|(name, value)| (Some(name.clone()), value.clone())));

    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_LIMIT_BYTES)
        .handshake(TokioIo::new(stream))
        .await?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpgradeError::Refused(response.status()));
        }
        let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(UpgradeError::Key);
        }
        Ok(hyper::upgrade::on(response).await?)
    };
    let (upgraded, _) = tokio::join!(exchange, connection.with_upgrades());
    let (stream, received) = take_stream(upgraded?);
    Ok(Upgraded { stream, received, forwarded_for: None })
}

/// Takes the stream out of the library, with the bytes that it has read after the upgrade.
fn take_stream<S>(upgraded: hyper::upgrade::Upgraded) -> (S, BytesMut)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(parts) = upgraded.downcast::<TokioIo<S>>() else {
        unreachable!("an upgrade returns the stream it began with");
    };
    (parts.io.into_inner(), BytesMut::from(parts.read_buf))
}
