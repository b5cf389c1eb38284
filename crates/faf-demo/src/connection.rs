//! The connections of a bot: it dials, passes messages on, and comes back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use faf_bots::{Action, Bot};
use faf_connection::{Reader, Settings, Writer, open_tcp, tcp, upgrade};
use faf_lobby::passwords;
use faf_protocol::client_message::{AskSession, Hello};
use faf_protocol::websocket::Role;
use faf_protocol::{ClientMessage, Secret, ServerMessage, WireFormat};
use hyper::Uri;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::seed::Account;

/// How long connecting may take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a bot connects, and how.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) format: WireFormat,
    pub(crate) address: SocketAddr,
    pub(crate) websocket_path: String,
}

impl Endpoint {
    /// The endpoint of a listener; one on all interfaces is reached over loopback.
    pub(crate) fn new(format: WireFormat, mut address: SocketAddr, websocket_path: &str) -> Self {
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

/// Runs a bot until the end is announced: connects, reconnects after every loss, and never fails.
pub(crate) async fn live(
    mut bot: Bot,
    account: Account,
    endpoint: Endpoint,
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
            // The connection is dropped, which the server takes for a client that has gone.
            _ = end.wait_for(|ends| *ends) => return,
            ended = drive(&mut bot, &account, &endpoint, began) => {
                if let Err(error) = ended {
                    tracing::debug!(bot = bot.login(), format = %endpoint.format, "bot has lost its connection: {error:#}");
                }
            }
        }
        away = bot.disconnected();
    }
}

/// Drives a bot over one connection, from its beginning to its end.
async fn drive(bot: &mut Bot, account: &Account, endpoint: &Endpoint, began: Instant) -> anyhow::Result<()> {
    let dialled = timeout(DIAL_TIMEOUT, endpoint.dial()).await.context("no answer")?;
    let (mut reader, writer) = dialled?;
    bot.connected(began.elapsed(), greeting(account));
    loop {
        while let Some(action) = bot.poll_action() {
            match action {
                // Waits until the operating system has it: a server that does not read slows its bots down.
                Action::Send(message) => writer.send(&message).await?,
                Action::LogOut => {
                    writer.close().await;
                    return Ok(());
                }
                // Dropping the reader drops the connection.
                Action::Drop => return Ok(()),
            }
        }
        let due = bot.next_deadline().map(|deadline| began + deadline);
        tokio::select! {
            message = reader.read() => {
                // A message that does not fit the vocabulary may be newer than the bot, which ignores it.
                if let Ok(message) = ServerMessage::read(message?) {
                    bot.handle(began.elapsed(), &message);
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => bot.handle_timeout(began.elapsed()),
        }
    }
}

/// The messages that log an account in.
fn greeting(account: &Account) -> [ClientMessage; 2] {
    let session = AskSession {
        user_agent: Some("faf-demo".to_owned()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    };
    let hello = Hello {
        login: account.login.clone(),
        password: Secret::new(passwords::digest(&account.password)),
        unique_id: "demo".to_owned(),
    };
    [ClientMessage::AskSession(session), ClientMessage::Hello(hello)]
}
