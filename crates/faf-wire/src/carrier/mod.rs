//! Carries bytes between clients and a server without changing them, and lets somebody look.
//!
//! ```text
//!  client <======= pipe =======> server        every byte, as it is
//!                   |
//!                 queue                        copies; bounded, and never waited for
//!                   |
//!                watcher  ->  Observer         messages, on a thread of its own
//! ```

mod conversation;
mod host;
mod pipe;
mod queue;
mod watcher;

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;
use faf_client::{Connector, Url};
use faf_connection::tcp;
use tokio::net::TcpStream;

use crate::clients::Clients;
use crate::dial::Trust;
use crate::exit::{self, Failure, complain};

pub(crate) use queue::{QUEUE_LIMIT, Queue};
pub(crate) use watcher::{Observer, Opened, watch};

/// Longest time that the observer has for what is left at the end.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Where clients come from and where they go.
#[derive(Debug, Args)]
pub(crate) struct Route {
    /// Address for clients: tcp://, qdatastream:// or ws:// with host and port; port 0 picks one
    #[arg(long, value_name = "URL")]
    listen: Url,
    /// The server: tcp://, qdatastream://, ws:// or wss://, of the same format
    #[arg(long, value_name = "URL")]
    to: Url,
    /// Announce the client's address to the server in a PROXY header
    #[arg(long)]
    proxy_header: bool,
    /// Maximum number of clients at the same time; further ones are rejected
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    connection_limit: usize,
    #[command(flatten)]
    trust: Trust,
}

impl Route {
    fn check(&self) -> anyhow::Result<()> {
        let Self { listen, to, .. } = self;
        anyhow::ensure!(!listen.is_encrypted(), "wss:// clients cannot be accepted; put a proxy in front");
        anyhow::ensure!(
            listen.format() == to.format(),
            "bytes are passed on as they are, so both URLs need the same format, not {} and {}; `faf-wire bridge` \
             translates",
            listen.format(),
            to.format()
        );
        anyhow::ensure!(
            listen.path() == to.path(),
            "bytes are passed on as they are, so both URLs need the same path"
        );
        Ok(())
    }
}

/// Carries bytes until the program is interrupted or terminated. `command` is the name of the
/// program's command.
pub(crate) async fn run(
    route: Route,
    command: &str,
    queue: Queue,
    observer: Box<dyn Observer>,
) -> Result<(), Failure> {
    let carrier = Carrier::listen(route, queue.clone()).await?;
    let watcher = watch(queue.clone(), observer)?;
    let interruption = interruption()?;
    writeln!(io::stdout(), "{command} from {} to {}", carrier.clients.url, carrier.to)?;
    let ended = tokio::select! {
        never = carrier.accept() => match never {},
        ended = interruption => ended,
    };
    queue.close();
    wait_for(watcher).await;
    Ok(ended?)
}

/// Returns what waits for Ctrl-C or, as service managers send it, SIGTERM. From now on they do not
/// kill the program.
fn interruption() -> io::Result<impl Future<Output = io::Result<()>>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let (mut interrupted, mut terminated) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupted.recv() => Ok(()),
                _ = terminated.recv() => Ok(()),
            }
        })
    }
    #[cfg(not(unix))]
    Ok(tokio::signal::ctrl_c())
}

/// Waits for the thread. A disk that hangs must not keep the program from ending.
async fn wait_for(watcher: JoinHandle<()>) {
    let joined = tokio::task::spawn_blocking(move || watcher.join());
    match tokio::time::timeout(END_TIMEOUT, joined).await {
        Ok(Ok(Ok(()))) => {}
        Ok(_) => complain("the thread that looks at messages has failed"),
        Err(_) => complain("what is left cannot be handled in time"),
    }
}

/// Accepts clients, and carries the bytes of each.
pub(crate) struct Carrier {
    pub(crate) clients: Clients,
    to: Url,
    proxy_header: bool,
    connector: Connector,
    queue: Queue,
}

impl Carrier {
    pub(crate) async fn listen(route: Route, queue: Queue) -> Result<Arc<Self>, Failure> {
        route.check().map_err(|error| Failure::new(exit::USAGE, error))?;
        let Route { listen, to, proxy_header, connection_limit, trust } = route;
        let clients = Clients::listen(&listen, connection_limit).await?;
        let connector = trust.connector(&to)?;
        Ok(Arc::new(Self { clients, to, proxy_header, connector, queue }))
    }

    pub(crate) async fn accept(self: &Arc<Self>) -> Infallible {
        self.clients.serve(|stream, client| Arc::clone(self).carry(stream, client)).await
    }

    /// Carries bytes between a client and the server until both have ended, or one has failed.
    async fn carry(self: Arc<Self>, mut stream: TcpStream, client: SocketAddr) -> anyhow::Result<()> {
        tcp::prepare(&stream)?;
        let connector = Connector { proxied: self.proxy_header.then_some(client), ..self.connector.clone() };
        let server = match connector.connect_stream(&self.to).await {
            Ok(server) => server,
            Err(error) => {
                // As if nobody listened here.
                let _ = stream.set_zero_linger();
                return Err(anyhow::Error::from(error).context(format!("cannot connect to {}", self.to)));
            }
        };
        let mut copies = self.queue.open(self.to.format(), client);
        let first = match self.to.is_encrypted() {
            true => host::request(&mut stream, &self.to, &mut copies).await?,
            false => Vec::new(),
        };
        // A side that fails, or resets its connection, is an everyday event.
        let _ = pipe::pass_on(stream, server, first, &mut copies).await;
        Ok(())
    }
}
