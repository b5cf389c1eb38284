//! Carrying a bot over connections: dial, pass on, come back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use faf_connection::{Reader, Settings, Writer, open_tcp, tcp, upgrade};
use faf_protocol::websocket::Role;
use faf_protocol::{ServerMessage, WireFormat};
use hyper::Uri;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::bot::{Bot, Order};

/// How long connecting may take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a bot connects, and how.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) format: WireFormat,
    pub(super) address: SocketAddr,
    pub(super) websocket_path: String,
}

impl Door {
    /// The door to what listens on an address; an address of all interfaces is reached over loopback.
    pub(super) fn new(format: WireFormat, mut address: SocketAddr, websocket_path: &str) -> Self {
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            });
        }
        Self { format, address, websocket_path: websocket_path.to_owned() }
    }

    async fn dial(&self) -> anyhow::Result<(Reader, Writer)> {
        let mut stream = TcpStream::connect(self.address).await?;
        tcp::prepare(&stream)?;
        let mut settings = Settings { role: Role::Client, ..Settings::new(self.format) };
        if self.format == WireFormat::WebSocket {
            let url: Uri = format!("ws://{}{}", self.address, self.websocket_path).parse()?;
            let upgraded = upgrade::connect(stream, &url, &[]).await?;
            (stream, settings.received) = (upgraded.stream, upgraded.received);
        }
        Ok(open_tcp(stream, settings))
    }
}

/// Lets a bot live until it is told to end: connects, comes back whenever the connection has ended, and never fails.
pub(super) async fn live(
    mut bot: Bot,
    door: Door,
    began: Instant,
    first: Duration,
    mut end: watch::Receiver<bool>,
) {
    let mut away = first;
    loop {
        tokio::select! {
            () = sleep(away) => {}
            _ = end.wait_for(|ends| *ends) => return,
        }
        tokio::select! {
            // It leaves behind a connection that is dropped, which the server takes for a client that has gone.
            _ = end.wait_for(|ends| *ends) => return,
            ended = carry(&mut bot, &door, began) => {
                if let Err(error) = ended {
                    tracing::debug!(bot = bot.login(), format = %door.format, "bot has lost its connection: {error:#}");
                }
            }
        }
        away = bot.disconnected();
    }
}

/// One connection, from its beginning to its end.
async fn carry(bot: &mut Bot, door: &Door, began: Instant) -> anyhow::Result<()> {
    let dialled = timeout(DIAL_TIMEOUT, door.dial()).await.context("no answer")?;
    let (mut reader, writer) = dialled?;
    bot.connected(began.elapsed());
    loop {
        while let Some(order) = bot.poll() {
            match order {
                // Waits until the operating system has it: a server that does not read slows its bots down.
                Order::Say(message) => writer.send(&message).await?,
                Order::LogOut => {
                    writer.close().await;
                    return Ok(());
                }
                // The reader takes the connection along.
                Order::Crash => return Ok(()),
            }
        }
        tokio::select! {
            message = reader.read() => {
                // What does not fit the vocabulary may be newer than the bot; it is none of its business.
                if let Ok(message) = ServerMessage::read(message?) {
                    bot.hear(began.elapsed(), &message);
                }
            }
            () = sleep_until(began + bot.next_deadline()) => bot.handle_timeout(began.elapsed()),
        }
    }
}
