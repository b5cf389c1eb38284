//! The connections of a bot: it connects, passes messages on, and reconnects.

use std::time::Duration;

use faf_bots::{Action, Bot};
use faf_client::{Client, Credentials, Identity, Url};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Runs a bot until the demo ends: connects, reconnects after every loss, and never fails.
pub(crate) async fn live(
    mut bot: Bot,
    credentials: Credentials,
    url: Url,
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
            // Dropping the connection looks to the server like a client that has disconnected.
            _ = end.wait_for(|ends| *ends) => return,
            ended = drive(&mut bot, &credentials, &url, began) => {
                if let Err(error) = ended {
                    tracing::debug!(bot = bot.login(), %url, "bot has lost its connection: {error:#}");
                }
            }
        }
        away = bot.disconnected();
    }
}

/// Drives a bot over one connection, from its beginning to its end.
async fn drive(bot: &mut Bot, credentials: &Credentials, url: &Url, began: Instant) -> anyhow::Result<()> {
    let (mut incoming, writer) = Client::connect(url).await?.split();
    let identity = Identity::of_program("faf-demo", env!("CARGO_PKG_VERSION"));
    bot.connected(began.elapsed(), credentials.messages(&identity));
    loop {
        while let Some(action) = bot.poll_action() {
            match action {
                // Waits until the operating system has taken it: a server that does not read slows
                // its bots down.
                Action::Send(message) => writer.send(&message).await?,
                Action::LogOut => {
                    writer.close().await;
                    return Ok(());
                }
                // Dropping both halves drops the connection.
                Action::Drop => return Ok(()),
            }
        }
        let due = bot.next_deadline().map(|deadline| began + deadline);
        tokio::select! {
            message = incoming.read() => bot.handle(began.elapsed(), &message?),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => bot.handle_timeout(began.elapsed()),
        }
    }
}
