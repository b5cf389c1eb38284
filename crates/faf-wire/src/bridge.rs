//! `faf-wire bridge`: clients of one wire format, a server of another.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use faf_client::{Connector, Url};
use faf_connection::upgrade::{self, Endpoint};
use faf_connection::{Disconnected, Error, Reader, Settings, Writer, open_tcp, tcp};
use faf_protocol::Message;
use hyper::header::{HeaderName, HeaderValue};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clients::Clients;
use crate::dial::{self, Trust};
use crate::exit::{self, Failure};
use crate::render::{Renderer, Style, Way};

/// Time limit for a client's upgrade to WebSocket.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for a side to read the rest after the other one has ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one direction continues without a message after the other one has ended. A
/// server may take seconds to reply to the last message; it may also not notice that the
/// client has disconnected.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address for clients: tcp://, qdatastream:// or ws:// with host and port; port 0 picks one
    #[arg(long, value_name = "URL")]
    listen: Url,
    /// The server: tcp://, qdatastream://, ws:// or wss://
    #[arg(long, value_name = "URL")]
    to: Url,
    /// Announce the client's address to the server in a PROXY header
    #[arg(long)]
    proxy_header: bool,
    /// Announce the client's address to a WebSocket server in this header, such as X-Real-IP
    #[arg(long, value_name = "NAME")]
    forwarded_header: Option<HeaderName>,
    /// Maximum number of clients at the same time; further ones are rejected
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    connection_limit: usize,
    /// Print every message that is passed on, with its client and direction; passwords and tokens
    /// are replaced by ...
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    style: Style,
    #[command(flatten)]
    trust: Trust,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { listen, to, proxy_header, forwarded_header, connection_limit, print, style, trust } =
        arguments;
    if listen.is_encrypted() {
        let error = anyhow::anyhow!("the bridge cannot accept wss:// clients; put a proxy in front");
        return Err(Failure::new(exit::USAGE, error));
    }
    if forwarded_header.is_some() && !to.format().has_upgrade() {
        let error = anyhow::anyhow!("--forwarded-header needs a WebSocket server; see --proxy-header");
        return Err(Failure::new(exit::USAGE, error));
    }
    let clients = Clients::listen(&listen, connection_limit).await?;
    let connector = trust.connector(&to)?;
    writeln!(io::stdout(), "bridge from {} to {to}", clients.url)?;
    let renderer = print.then(|| Renderer::new(style));
    let bridge = Arc::new(Bridge { listen, to, proxy_header, forwarded_header, connector, renderer });
    tokio::select! {
        never = clients.serve(|stream, client| Arc::clone(&bridge).carry(stream, client)) => match never {},
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

struct Bridge {
    listen: Url,
    to: Url,
    proxy_header: bool,
    forwarded_header: Option<HeaderName>,
    connector: Connector,
    /// Prints the messages that are passed on, with `--print`.
    renderer: Option<Renderer>,
}

impl Bridge {
    /// Carries messages between a client and the server until both have ended, or one has failed. A
    /// side that has ended its direction may still receive messages.
    async fn carry(self: Arc<Self>, stream: TcpStream, client: SocketAddr) -> anyhow::Result<()> {
        tcp::prepare(&stream)?;
        let near =
            timeout(HANDSHAKE_TIMEOUT, self.open_client(stream)).await.context("no upgrade in time")??;
        let connector = Connector {
            proxied: self.proxy_header.then_some(client),
            headers: self.forwarded_for(client)?.into_iter().collect(),
            ..self.connector.clone()
        };
        let far = match dial::connect(&connector, &self.to).await {
            Ok(far) => far,
            Err(error) => {
                close_cleanly(near).await;
                return Err(error);
            }
        };
        let ((mut near_reader, near_writer), (mut far_reader, far_writer)) = (near, far);
        near_reader.listen_to_the_end();
        far_reader.listen_to_the_end();
        // A side that does not read stops the other one from being read, so no backlog grows here.
        let renderer = &self.renderer;
        let show = |way| {
            let whose = client.to_string();
            move |message: &Message| {
                // Clients are served even if nobody reads this.
                renderer.iter().for_each(|renderer| drop(renderer.passed_on(&whose, way, message)));
            }
        };
        let passed = AtomicU64::new(0);
        let ended = {
            let up = pump(&mut near_reader, &far_writer, show(Way::ToServer), &passed);
            let down = pump(&mut far_reader, &near_writer, show(Way::FromServer), &passed);
            let (mut up, mut down) = (pin!(up), pin!(down));
            tokio::select! {
                ended = &mut up => match ended.context("from the client") {
                    Ok(()) => finish(down, &far_writer, &passed).await.context("from the server"),
                    failed => failed,
                },
                ended = &mut down => match ended.context("from the server") {
                    Ok(()) => finish(up, &near_writer, &passed).await.context("from the client"),
                    failed => failed,
                },
            }
        };
        tokio::join!(close_cleanly((near_reader, near_writer)), close_cleanly((far_reader, far_writer)));
        ended
    }

    /// Opens a connection on a client's stream.
    async fn open_client(&self, stream: TcpStream) -> anyhow::Result<(Reader, Writer)> {
        let settings = Settings::new(self.listen.format());
        if !self.listen.format().has_upgrade() {
            return Ok(open_tcp(stream, settings));
        }
        let endpoint =
            Endpoint { path: self.listen.path().to_owned(), origins: Vec::new(), forwarded_header: None };
        let upgraded = upgrade::accept(stream, &endpoint).await?;
        Ok(open_tcp(upgraded.stream, Settings { received: upgraded.received, ..settings }))
    }

    fn forwarded_for(&self, client: SocketAddr) -> anyhow::Result<Option<(HeaderName, HeaderValue)>> {
        let Some(name) = self.forwarded_header.clone() else { return Ok(None) };
        Ok(Some((name, HeaderValue::from_str(&client.ip().to_canonical().to_string())?)))
    }
}

/// Handles the end of one direction: ends it, and continues with the other one while
/// messages arrive.
async fn finish(
    other: impl Future<Output = anyhow::Result<()>>,
    ended: &Writer,
    passed: &AtomicU64,
) -> anyhow::Result<()> {
    let mut rest = pin!(async { tokio::join!(ended.close(), other).1 });
    loop {
        let before = passed.load(Ordering::Relaxed);
        match timeout(SILENCE_TIMEOUT, &mut rest).await {
            Ok(done) => return done,
            Err(_) if passed.load(Ordering::Relaxed) == before => return Ok(()),
            Err(_) => {}
        }
    }
}

/// Passes messages on, each after the one before has been taken, until the sender ends or either
/// side fails; counts them.
async fn pump(
    from: &mut Reader,
    to: &Writer,
    show: impl Fn(&Message),
    passed: &AtomicU64,
) -> anyhow::Result<()> {
    loop {
        match from.read().await {
            Ok(message) => match to.send(&message).await {
                Ok(()) => {
                    show(&message);
                    passed.fetch_add(1, Ordering::Relaxed);
                }
                Err(Error::Disconnected(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            },
            Err(Error::Disconnected(Disconnected::ByPeer | Disconnected::Here)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends a connection cleanly: after all queued messages, and not before the peer has read them.
async fn close_cleanly((mut reader, writer): (Reader, Writer)) {
    let closing = async {
        writer.close().await;
        while reader.read().await.is_ok() {}
    };
    if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
        writer.abort();
    }
}
