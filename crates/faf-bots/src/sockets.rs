//! Connections of bots: they connect at a limited rate, pass messages on, and reconnect.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use faf_client::{Connector, Credentials, Identity, Url};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{Action, Bot, Course, Tally};

/// Messages that a bot sends at once at most; a lobby that opens takes two dozen.
const BURST: u32 = 80;

/// Time for each further message. No player and no game sends as many.
const TIME_PER_MESSAGE: Duration = Duration::from_millis(50);

/// Time limit for taking leave of the server at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects bots to servers. All bots share a rate of connecting and a number of places.
#[derive(Debug)]
pub struct Connections {
    connector: Connector,
    identity: Identity,
    /// Start of the bots' time.
    began: Instant,
    /// Time between two attempts to connect.
    interval: Duration,
    /// Time of the next attempt.
    next: Mutex<Instant>,
    /// Places for bots that are online.
    places: Semaphore,
    tally: Mutex<Tally>,
}

/// The end of a connection.
enum End {
    /// The bot has left.
    Left,
    /// All bots leave.
    Over,
    NotConnected(String),
    Lost(String),
}

impl Connections {
    /// Creates connections for a program with this identity. One attempt to connect is made in
    /// each interval, and at most this number of bots is online, or on the way back into a game.
    #[must_use]
    pub fn new(connector: Connector, identity: Identity, interval: Duration, places: usize) -> Self {
        let began = Instant::now();
        Self {
            connector,
            identity,
            began,
            interval,
            next: Mutex::new(began),
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
            tally: Mutex::default(),
        }
    }

    /// Returns the counts of all bots so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a bot until `end` is true: it connects, reconnects after every loss, and never fails.
    /// In the end it closes its game and leaves.
    pub async fn live(
        &self,
        mut bot: Bot,
        credentials: &Credentials,
        url: &Url,
        mut end: watch::Receiver<bool>,
    ) {
        let mut course = Course::default();
        let mut place = None;
        loop {
            if place.is_none() {
                place = tokio::select! {
                    place = self.places.acquire() => place.ok(),
                    _ = end.wait_for(|ends| *ends) => return,
                };
            }
            tokio::select! {
                () = self.await_turn() => {}
                _ = end.wait_for(|ends| *ends) => return,
            }
            match self.drive(&mut bot, &mut course, credentials, url, &mut end).await {
                End::Over => return,
                End::Left => self.count(|tally| tally.left += 1),
                End::NotConnected(reason) => self.count(|tally| tally.not_connected(&reason)),
                End::Lost(reason) => self.count(|tally| tally.lost(&reason)),
            }
            let away = bot.disconnected();
            if bot.game().is_none() {
                // Another bot may come meanwhile.
                place = None;
            }
            tokio::select! {
                () = sleep(away) => {}
                _ = end.wait_for(|ends| *ends) => return,
            }
        }
    }

    /// Waits until the bot may connect: a server that restarts is not met by all bots at once.
    async fn await_turn(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.interval;
            turn
        };
        sleep_until(turn).await;
    }

    /// Drives a bot over one connection, from its beginning to its end.
    async fn drive(
        &self,
        bot: &mut Bot,
        course: &mut Course,
        credentials: &Credentials,
        url: &Url,
        end: &mut watch::Receiver<bool>,
    ) -> End {
        let connected = tokio::select! {
            connected = self.connector.connect(url) => connected,
            _ = end.wait_for(|ends| *ends) => return End::Over,
        };
        let (mut incoming, writer) = match connected {
            Ok(client) => client.split(),
            Err(error) => return End::NotConnected(error.to_string()),
        };
        self.count(|tally| tally.connections += 1);
        bot.connected(self.began.elapsed(), credentials.messages(&self.identity));
        let mut pace = Pace::new();
        let mut is_over = false;
        loop {
            while let Some(action) = bot.poll_action() {
                match action {
                    Action::Send(message) => {
                        pace.wait().await;
                        self.count(|tally| tally.sent(course, &message));
                        // Waits until the operating system has taken it: a server that does not
                        // read slows its bots down.
                        if let Err(error) = writer.send(&message).await {
                            return End::Lost(error.to_string());
                        }
                    }
                    Action::LogOut => {
                        let _ = timeout(LEAVE_TIMEOUT, writer.close()).await;
                        return End::Left;
                    }
                    // Dropping both halves drops the connection.
                    Action::Drop => return End::Left,
                }
            }
            if is_over {
                let _ = timeout(LEAVE_TIMEOUT, writer.close()).await;
                return End::Over;
            }
            let due = bot.next_deadline().map(|deadline| self.began + deadline);
            tokio::select! {
                message = incoming.read() => match message {
                    Ok(message) => {
                        self.count(|tally| tally.received(course, &message));
                        bot.handle(self.began.elapsed(), &message);
                    }
                    Err(error) => return End::Lost(error.to_string()),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    bot.handle_timeout(self.began.elapsed());
                }
                _ = end.wait_for(|ends| *ends) => {
                    bot.end_process(self.began.elapsed());
                    is_over = true;
                }
            }
        }
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The rate of a bot's messages: a burst, and then one at a time.
struct Pace {
    /// Time up to which messages are paid for.
    paid: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { paid: Instant::now() }
    }

    /// Waits until the next message may be sent.
    async fn wait(&mut self) {
        self.paid = self.paid.max(Instant::now()) + TIME_PER_MESSAGE;
        if let Some(due) = self.paid.checked_sub(TIME_PER_MESSAGE * BURST) {
            sleep_until(due).await;
        }
    }
}
