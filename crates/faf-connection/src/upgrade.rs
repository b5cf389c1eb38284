//! The HTTP upgrade in front of a WebSocket connection (RFC 6455 section 4), by the HTTP library.
//!
//! Behind it, the bare stream is taken out of the library again, so that nothing of it stays with the connection.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HOST, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::server::create_response;

/// Largest head of an upgrade request or its answer: 16 KiB, room for the long access tokens that proxies put into URLs.
const HEAD_LIMIT: usize = 16 * 1024;

/// A stream behind its upgrade.
#[derive(Debug)]
pub struct Upgraded<S> {
    /// The stream.
    pub stream: S,
    /// What has been received behind the upgrade; for [`Settings::received`](crate::Settings::received).
    pub received: BytesMut,
    /// The header that was asked for, if the request had it; of several lines, the first. For [`forwarded`](crate::forwarded).
    pub forwarded_for: Option<String>,
}

/// Why there is no WebSocket connection.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The peer asked for something else and got this answer; or, for a client, gave it.
    #[error("no upgrade to WebSocket: {0}")]
    Refused(StatusCode),
    /// The peer does not speak HTTP, or the connection was lost.
    #[error("no upgrade to WebSocket: {0}")]
    Http(#[from] hyper::Error),
    /// The URL cannot be put into a request.
    #[error("no upgrade to WebSocket: {0}")]
    Url(#[from] hyper::http::Error),
    /// The server's answer does not belong to the request.
    #[error("no upgrade to WebSocket: the server's answer has the wrong key")]
    Key,
}

/// What a server expects of an upgrade.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The only path that upgrades; a query behind it is ignored, and never logged: proxies put secrets there.
    pub path: String,
    /// Header in which a proxy says whose connection it passes on. Ask for it only if the peer is trusted.
    pub forwarded_header: Option<HeaderName>,
}

/// Answers the upgrade of a client.
///
/// Another path is answered by 404, a request that is no upgrade by 400, another method than GET by 405, and the
/// connection ends. Waits as long as the peer takes: give it a time limit.
///
/// # Errors
/// [`UpgradeError::Refused`] and [`UpgradeError::Http`].
pub async fn accept<S>(stream: S, endpoint: &Endpoint) -> Result<Upgraded<S>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let outcome = Arc::new(Mutex::new(None));
    let service = service_fn(|mut request: Request<Incoming>| {
        let (answer, upgrade) = answer(&mut request, endpoint);
        *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrade.ok_or(answer.status()));
        async move { Ok::<_, io::Error>(answer) }
    });
    hyper::server::conn::http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
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

fn answer(request: &mut Request<Incoming>, endpoint: &Endpoint) -> (Response<Full<Bytes>>, Option<Offer>) {
    let refuse = |status: StatusCode, text: &'static str| {
        let mut answer = Response::new(Full::from(text));
        *answer.status_mut() = status;
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        (answer, None)
    };
    if request.uri().path() != endpoint.path {
        return refuse(StatusCode::NOT_FOUND, "There is nothing here.\n");
    }
    if request.method() != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "This is a WebSocket endpoint.\n");
    }
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.version_mut() = request.version();
    head.headers_mut().clone_from(request.headers());
    let Ok(answer) = create_response(&head) else {
        return refuse(StatusCode::BAD_REQUEST, "This is a WebSocket endpoint.\n");
    };
    let forwarded_for = endpoint
        .forwarded_header
        .as_ref()
        .and_then(|name| Some(String::from_utf8_lossy(request.headers().get(name)?.as_bytes()).into_owned()));
    let upgrade = hyper::upgrade::on(request);
    (answer.map(|()| Full::default()), Some(Offer { upgrade, forwarded_for }))
}

/// Asks a server for the upgrade. `headers` are sent besides those that are needed.
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
        .max_buf_size(HEAD_LIMIT)
        .handshake(TokioIo::new(stream))
        .await?;
    let exchange = async move {
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpgradeError::Refused(answer.status()));
        }
        let accept = answer.headers().get(SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(UpgradeError::Key);
        }
        Ok(hyper::upgrade::on(answer).await?)
    };
    let (upgraded, _) = tokio::join!(exchange, connection.with_upgrades());
    let (stream, received) = take_stream(upgraded?);
    Ok(Upgraded { stream, received, forwarded_for: None })
}

/// Takes the stream out of the library, with what the library has read behind the upgrade.
fn take_stream<S>(upgraded: hyper::upgrade::Upgraded) -> (S, BytesMut)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(parts) = upgraded.downcast::<TokioIo<S>>() else {
        unreachable!("the stream behind an upgrade is the one it began with");
    };
    (parts.io.into_inner(), BytesMut::from(parts.read_buf))
}
