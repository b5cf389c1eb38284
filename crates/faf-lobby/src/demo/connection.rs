//! Carrying a bot over connections: connect, pass on, come back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use faf_client::{Client, Url};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::bot::{Bot, Order};

/// An address that a client can connect to: one of all interfaces is reached over loopback.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

/// Lets a bot live until it is told to end: connects, comes back whenever the connection has ended, and never fails.
pub(super) async fn live(
    mut bot: Bot,
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
            // It leaves behind a connection that is dropped, which the server takes for a client that has gone.
            _ = end.wait_for(|ends| *ends) => return,
            ended = carry(&mut bot, &server, began) => {
                if let Err(error) = ended {
                    tracing::debug!(bot = bot.login(), %server, "bot has lost its connection: {error:#}");
                }
            }
        }
        away = bot.disconnected();
    }
}

/// One connection, from its beginning to its end.
async fn carry(bot: &mut Bot, server: &Url, began: Instant) -> anyhow::Result<()> {
    let mut client = Client::connect(server).await?;
    bot.connected(began.elapsed());
    loop {
        while let Some(order) = bot.poll() {
            match order {
                // Waits until the operating system has it: a server that does not read slows its bots down.
                Order::Say(message) => client.send(&message).await?,
                Order::LogOut => {
                    client.close().await;
                    return Ok(());
                }
                // The connection ends with the client.
                Order::Crash => return Ok(()),
            }
        }
        tokio::select! {
            message = client.read() => bot.hear(began.elapsed(), &message?),
            () = sleep_until(began + bot.next_deadline()) => bot.handle_timeout(began.elapsed()),
        }
    }
}
