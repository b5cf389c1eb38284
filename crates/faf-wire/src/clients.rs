//! Accepts clients at a URL, for `bridge`, `tap` and `lint`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use faf_client::Url;
use faf_connection::tcp;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;

use crate::exit::complain;

/// A listener, and the number of clients that it accepts at the same time.
pub(crate) struct Clients {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// The URL for clients, with the port in use.
    pub(crate) url: Url,
}

impl Clients {
    /// Listens. Beyond `limit` clients at the same time, further ones are rejected.
    ///
    /// # Errors
    /// If there is no such host, or the address cannot be used.
    pub(crate) async fn listen(url: &Url, limit: usize) -> anyhow::Result<Self> {
        let listener = listen_at(url).await.with_context(|| format!("cannot listen on {url}"))?;
        let url = url.with_port(listener.local_addr()?.port());
        Ok(Self { listener, places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))), url })
    }

    /// Gives every client to `carry`, whose errors go to standard error.
    pub(crate) async fn serve<C>(&self, carry: impl Fn(TcpStream, SocketAddr) -> C) -> Infallible
    where
        C: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let tell = |error| complain(format_args!("a client cannot be accepted: {error}"));
        let mut tell = tcp::now_and_then(tell);
        loop {
            let (stream, client) = tcp::accept(&self.listener, &mut tell).await;
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                complain("a client is rejected: --connection-limit is reached");
                continue;
            };
            let carried = carry(stream, client);
            tokio::spawn(async move {
                if let Err(error) = carried.await {
                    complain(format_args!("{client}: {error:#}"));
                }
                drop(place);
            });
        }
    }
}

async fn listen_at(url: &Url) -> anyhow::Result<TcpListener> {
    let address = lookup_host((url.host(), url.port())).await?.next().context("no such host")?;
    Ok(tcp::listen(address)?)
}
