//! Waits until clients have received everything.
//!
//! A server that can say when it has settled is asked: a client has received everything when its
//! ping has been answered, the server has settled, and another ping has been answered; before a
//! comparison, it also waits for the answer to a request, which nothing overtakes.
//!
//! Any other server is waited for as the recorder did: until nothing but `ping` and
//! `matchmaker_info` has come for a while.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use faf_connection::Error;
use faf_protocol::Message;
use faf_sessions::transcript::Sent;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Replay, Stopped};
use crate::client::Client;
use crate::server::{Offers, ServerUnderTest};

/// Time between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// The recorded pace, which a server must be given that has its timers and cannot say when it
/// has settled.
#[derive(Debug)]
pub(super) struct Pace {
    /// Time of the record that is replayed, since the session began.
    pub(super) now: Duration,
    is_kept: bool,
    /// A time of the recording, and of the replay.
    begin: (Duration, Instant),
}

impl Pace {
    pub(super) fn new(offers: &Offers) -> Self {
        Self { now: Duration::ZERO, is_kept: !offers.settles, begin: (Duration::ZERO, Instant::now()) }
    }

    /// From here on, the recording and the replay begin at the same time.
    pub(super) fn start_again(&mut self) {
        self.begin = (self.now, Instant::now());
    }

    /// Returns when the record of now should be replayed.
    fn due(&self) -> Instant {
        self.begin.1 + self.now.saturating_sub(self.begin.0)
    }
}

impl<S: ServerUnderTest> Replay<'_, S> {
    /// Waits until everything that was sent has had all its effects, and these have been received.
    pub(super) async fn synchronise(&mut self) -> Result<(), Stopped> {
        if !self.offers.settles {
            return self.read_until_quiet().await;
        }
        self.exchange_pings().await?;
        self.server.settle().await?;
        self.exchange_pings().await
    }

    /// Waits until everything has been received that should have been, or nothing more comes.
    pub(super) async fn receive_expected(&mut self) -> Result<(), Stopped> {
        if self.offers.settles {
            self.synchronise().await?;
            return self.wait_while(Self::lacks_events).await;
        }
        let latest = Instant::now() + self.options.quiet;
        while self.clients.values().any(Client::lacks_anything) && Instant::now() < latest {
            self.read_until(Instant::now() + PAUSE).await?;
        }
        Ok(())
    }

    /// Waits until everything has been received that belongs to a section.
    pub(super) async fn receive_all(&mut self) -> Result<(), Stopped> {
        self.synchronise().await?;
        if !self.offers.settles {
            return self.wait_while(Self::lacks_anything_yet).await;
        }
        self.wait_while(|replay| replay.lacks_events() || replay.lacks_rounds()).await?;
        self.receive_broadcasts().await
    }

    /// Waits until the end of the session has been received.
    pub(super) async fn receive_rest(&mut self) -> Result<(), Stopped> {
        self.synchronise().await?;
        if self.offers.settles {
            self.receive_broadcasts().await?;
            for client in self.clients.values_mut() {
                client.read_rest().await?;
            }
        }
        Ok(())
    }

    /// Waits until the server has closed a connection, or will not.
    pub(super) async fn receive_end(&mut self, conn: &str) -> Result<(), Stopped> {
        if !self.offers.settles {
            let latest = self.pace.due() + self.options.tolerance;
            while self.client(conn)?.is_open && Instant::now() < latest {
                self.read_until(Instant::now() + PAUSE).await?;
            }
            return Ok(());
        }
        // Like `synchronise`, but works without a server that can report that it has settled.
        let client = self.client(conn)?;
        let has_pinged = client.ping()?;
        client.catch_up(has_pinged).await?;
        if client.is_open {
            self.synchronise().await?;
        }
        Ok(())
    }

    /// Waits until as much time has passed since the last barrier as in the recording.
    pub(super) async fn keep_pace(&mut self) -> Result<(), Stopped> {
        if self.pace.is_kept {
            self.read_until(self.pace.due()).await?;
        }
        Ok(())
    }

    async fn exchange_pings(&mut self) -> Result<(), Stopped> {
        let pinged: Vec<bool> = self.clients.values_mut().map(Client::ping).collect::<Result<_, _>>()?;
        for (client, has_pinged) in self.clients.values_mut().zip(pinged) {
            client.catch_up(has_pinged).await?;
        }
        Ok(())
    }

    /// After [`synchronise`](Self::synchronise): waits until broadcasts have been received, too.
    async fn receive_broadcasts(&mut self) -> Result<(), Stopped> {
        let asked: Vec<bool> = self.clients.values_mut().map(Client::ask).collect::<Result<_, _>>()?;
        for (client, has_asked) in self.clients.values_mut().zip(asked) {
            client.receive_broadcasts(has_asked).await?;
        }
        Ok(())
    }

    /// Waits while effects of the server's timers are missing, and until everything that they cause
    /// has been received.
    async fn wait_while(&mut self, lacks: impl Fn(&Self) -> bool) -> Result<(), Stopped> {
        let begin = Instant::now();
        let latest = match self.offers.settles {
            true => begin + self.options.time_limit,
            false => self.pace.due() + self.options.tolerance,
        };
        while lacks(self) && Instant::now() < latest {
            // A client that pings without a pause is read more slowly, and notified.
            sleep(PAUSE).await;
            self.synchronise().await?;
        }
        if begin.elapsed() > PAUSE {
            self.synchronise().await?;
        }
        Ok(())
    }

    /// Returns whether a client has not received everything that time limits of games and rounds of
    /// queues cause in this section.
    fn lacks_events(&self) -> bool {
        (self.circumstances.waits_for_games && self.lacks_games())
            || (self.circumstances.has_rounds && self.clients.values().any(Client::lacks_matches))
    }

    /// Returns whether a round is missing that could have matched players who should still wait.
    fn lacks_rounds(&self) -> bool {
        self.circumstances.has_rounds && self.clients.values().any(Client::lacks_rounds)
    }

    fn lacks_anything_yet(&self) -> bool {
        self.clients.values().any(Client::lacks_anything) || self.lacks_rounds()
    }

    /// Returns whether a client has not received all games that it should have received in
    /// this section.
    fn lacks_games(&self) -> bool {
        let games = |messages: &[Value]| -> BTreeSet<u64> {
            messages
                .iter()
                .filter(|message| message["command"] == "game_info")
                .filter_map(|message| message["uid"].as_u64())
                .collect()
        };
        self.clients.values().any(|client| !games(&client.received).is_superset(&games(&client.expected)))
    }

    /// Reads until nothing but `ping` and `matchmaker_info` has come for the quiet time.
    async fn read_until_quiet(&mut self) -> Result<(), Stopped> {
        let latest = Instant::now() + self.options.time_limit;
        let mut quiet = Instant::now() + self.options.quiet;
        while let Some(is_routine) = self.read_one(quiet).await? {
            if !is_routine {
                quiet = Instant::now() + self.options.quiet;
            }
            if Instant::now() > latest {
                let quiet = self.options.quiet.as_secs_f64();
                return Err(Stopped::new(format!("there is never a pause of {quiet} seconds")));
            }
        }
        Ok(())
    }

    async fn read_until(&mut self, time: Instant) -> Result<(), Stopped> {
        while self.read_one(time).await?.is_some() {}
        Ok(())
    }

    /// Reads a message from any client before this time; returns whether it is one that comes in
    /// any pause. Pings are answered, unless the session is about them.
    async fn read_one(&mut self, before: Instant) -> Result<Option<bool>, Stopped> {
        let answers_pings = !self.circumstances.is_pinged;
        match timeout_at(before, next(self.clients.values_mut())).await {
            Err(_) => Ok(None),
            Ok((client, read)) => {
                let command = read.as_ref().ok().and_then(Message::command);
                let is_ping = command.as_deref() == Some("ping");
                let is_routine = is_ping || command.as_deref() == Some("matchmaker_info");
                drop(command);
                client.take(read)?;
                if is_ping && answers_pings && !client.is_inside_message() {
                    client.send(Sent::Message(Message::PONG))?;
                }
                Ok(Some(is_routine))
            }
        }
    }
}

/// Waits for a message to any client. Cancel-safe.
async fn next<'a>(clients: impl Iterator<Item = &'a mut Client>) -> (&'a mut Client, Result<Message, Error>) {
    let mut open: Vec<&mut Client> = clients.filter(|client| client.is_open).collect();
    let (position, read) = {
        let mut reads: Vec<_> = open.iter_mut().map(|client| Box::pin(client.next())).collect();
        poll_fn(|context| {
            for (position, read) in reads.iter_mut().enumerate() {
                if let Poll::Ready(read) = read.as_mut().poll(context) {
                    return Poll::Ready((position, read));
                }
            }
            Poll::Pending
        })
        .await
    };
    (open.swap_remove(position), read)
}
