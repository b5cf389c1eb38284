//! The connections of a bot: it connects, passes messages on, and comes back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use faf_bots::{Action, Bot};
use faf_client::{Client, Credentials, Identity, InvalidUrl, Url};
use faf_protocol::WireFormat;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::seed::Account;

/// The URL of a listener; one on all interfaces is reached over loopback.
pub(crate) fn url(
    format: WireFormat,
    mut address: SocketAddr,
    websocket_path: &str,
) -> Result<Url, InvalidUrl> {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    let url = Url::new(format, address);
    if format.has_upgrade() { url.with_path(websocket_path) } else { Ok(url) }
}

/// Runs a bot until the end is announced: connects, reconnects after every loss, and never fails.
pub(crate) async fn live(
    mut bot: Bot,
    account: Account,
    server: Url,
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
            ended = drive(&mut bot, &account, &server, began) => {
                if let Err(error) = ended {
                    tracing::debug!(bot = bot.login(), %server, "bot has lost its connection: {error:#}");
                }
            }
        }
        away = bot.disconnected();
    }
}

/// Drives a bot over one connection, from its beginning to its end.
async fn drive(bot: &mut Bot, account: &Account, server: &Url, began: Instant) -> anyhow::Result<()> {
    let mut client = Client::connect(server).await?;
    let identity = Identity::of_program("faf-demo", env!("CARGO_PKG_VERSION"));
    let greeting = Credentials::password(&account.login, &account.password).messages(&identity);
    bot.connected(began.elapsed(), greeting);
    loop {
        while let Some(action) = bot.poll_action() {
            match action {
                // Waits until the operating system has it: a server that does not read slows its bots down.
                Action::Send(message) => client.send(&message).await?,
                Action::LogOut => {
                    client.close().await;
                    return Ok(());
                }
                // The connection ends with the client.
                Action::Drop => return Ok(()),
            }
        }
        let due = bot.next_deadline().map(|deadline| began + deadline);
        tokio::select! {
            message = client.read() => bot.handle(began.elapsed(), &message?),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => bot.handle_timeout(began.elapsed()),
        }
    }
}
