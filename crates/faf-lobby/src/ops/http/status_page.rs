//! The status page for people: one file without external resources, and the stream that keeps it up
//! to date.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::Frame;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Interface, Phase};

/// Number of pages that receive changes at the same time: half of all connections. Further pages
/// are rejected and poll every few seconds, on connections that they do not keep.
pub(super) const STREAMS: usize = 32;

/// Lifetime of a stream; pages open the next one by themselves. It is shorter than that of a
/// [connection](super::CONNECTION_LIFE), so that only clients that do not read to the end are
/// cut off.
const STREAM_LIFE: Duration = Duration::from_secs(300);

/// Longest silence on a stream. A page that receives nothing for much longer knows that its
/// connection is lost.
const SILENCE: Duration = Duration::from_secs(15);

/// The event that is sent after a silence.
const KEEP_ALIVE: Bytes = Bytes::from_static(b"event: alive\ndata:\n\n");

const PAGE: &str = include_str!("status.html");

/// Rights of the page in a browser: run its own script and style, and send requests to this server.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let (script, style) = (hash_of(PAGE, "script"), hash_of(PAGE, "style"));
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    policy.parse().expect("a policy is ASCII")
});

/// Returns the hash with which a policy allows the content of a page's only element of this name.
///
/// # Panics
/// If the page has no such element.
pub(crate) fn hash_of(page: &str, element: &str) -> String {
    let inside = page.split_once(&format!("<{element}>")).and_then(|(_, rest)| rest.split_once("</"));
    let (inside, _) = inside.expect("the page has this element");
    format!("sha256-{}", STANDARD.encode(Sha256::digest(inside)))
}

/// Adds to every response that its content type is right: names and titles in it come from clients.
pub(super) async fn restrict(mut response: Response) -> Response {
    let mut add =
        |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(REFERRER_POLICY, "no-referrer");
    response
}

/// Handles `GET /`.
pub(super) async fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        // After an update of the server, browsers load the new page.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONNECTION, HeaderValue::from_static("close")),
    ];
    (headers, PAGE).into_response()
}

/// Handles `GET /events` with a stream of overviews: one at once, and one after every change.
pub(super) async fn events(State(interface): State<Interface>) -> Result<Response, StatusCode> {
    let place = interface.board.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let first = interface.overview().await?;
    // At most one overview waits. A slow reader misses those between, and delays nobody else.
    let (sender, receiver) = mpsc::channel(1);
    let events = Events { receiver, _place: place };
    tokio::spawn(async move { send_changes(&interface, first, &sender).await });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (CONNECTION, "close"),
        // Proxies are asked to pass everything on at once.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::new(events)).into_response())
}

/// Sends all changes to a page until it disconnects, or [`STREAM_LIFE`] is over, or the
/// server stops.
async fn send_changes(
    interface: &Interface,
    first: super::overview::CachedOverview,
    page: &mpsc::Sender<Bytes>,
) {
    let end = sleep(STREAM_LIFE);
    let sending = async {
        let mut changes = interface.board.changes();
        let mut overview = first;
        loop {
            page.send(overview.event.clone()).await.ok()?;
            let sent = overview.changes;
            while overview.changes == sent {
                while tokio::time::timeout(SILENCE, changes.wait_for(|now| *now != sent)).await.is_err() {
                    page.send(KEEP_ALIVE).await.ok()?;
                }
                sleep_until(Instant::from_std(overview.expires_at())).await;
                overview = interface.overview().await.ok()?;
            }
        }
    };
    let mut phase = interface.phase.clone();
    let _: Option<()> = tokio::select! {
        ended = sending => ended,
        () = page.closed() => None,
        () = end => None,
        _ = phase.wait_for(|phase| *phase != Phase::Ready) => None,
    };
}

/// Body of a response that continues.
struct Events {
    receiver: mpsc::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.receiver.poll_recv(context).map(|event| Some(Ok(Frame::data(event?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_complete_and_its_policy_strict() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for element in ["<script", "<style", "</script", "</style"] {
            assert_eq!(PAGE.matches(element).count(), 1, "{element}");
        }
        // Neither attributes that the policy would not allow, nor calls that make elements from
        // text.
        let page = PAGE.replace("http://www.w3.org/2000/svg", "");
        for wrong in
            ["style=", "onclick", "innerHTML", "insertAdjacentHTML", "document.write", "http:", "https:"]
        {
            assert!(!page.contains(wrong), "{wrong}");
        }
    }
}
