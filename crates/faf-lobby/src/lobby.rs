//! The one loop around the lobby: waits for an input or the next deadline, tells the [`World`], and carries out what it
//! wants done.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faf_lobby_core::{ConnId, Effect, Event, LogLine, Moment, Question, Ticket, Timestamp, World};
use faf_protocol::{ClientMessage, CommandError, server_message};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::answers::Answers;
use crate::fan_out::{FanOut, Peer};
use crate::metrics::Metrics;
use crate::policy::PolicyServer;

/// Inputs that may wait. Every connection has at most a few under way, and waits with more while this is full.
pub(crate) const INBOX: usize = 1024;

/// Inputs that are taken in before what they caused is sent. More would keep the first ones waiting for long.
const TURN: usize = 64;

/// Without a deadline the loop still looks at the clock from time to time.
const IDLE: Duration = Duration::from_secs(60);

/// What reaches the lobby.
pub(crate) enum Input {
    /// Somebody has connected; the event is [`Event::Connected`].
    Connect(ConnId, Peer, Event),
    /// A connection has sent something, and this is when it was read.
    Received(ConnId, Result<ClientMessage, CommandError>, Instant),
    /// Something else has happened.
    Event(Event),
    /// Somebody wants to know what is going on.
    Inspect(oneshot::Sender<Snapshot>),
}

/// What is going on.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) players: Vec<Arc<server_message::Player>>,
    pub(crate) connections: usize,
    /// Whether no command is being carried out and no change waits to be told.
    pub(crate) is_settled: bool,
}

/// The lobby with all it needs to act.
pub(crate) struct Lobby {
    world: World,
    fan_out: FanOut,
    answers: Answers,
    policy: PolicyServer,
    metrics: Arc<Metrics>,
    /// Where answers go.
    inbox: mpsc::Sender<Input>,
    started: Instant,
    is_stopped: bool,
}

impl Lobby {
    pub(crate) fn new(
        settings: faf_lobby_core::Settings,
        answers: Answers,
        policy: PolicyServer,
        metrics: Arc<Metrics>,
        inbox: mpsc::Sender<Input>,
    ) -> Self {
        let started = Instant::now();
        let world = World::new(settings, moment(started));
        let fan_out = FanOut::new(Arc::clone(&metrics));
        Self { world, fan_out, answers, policy, metrics, inbox, started, is_stopped: false }
    }

    /// Runs until the world stops.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Input>) {
        let mut inputs = Vec::with_capacity(TURN);
        while !self.is_stopped {
            let deadline = self.started + self.world.next_deadline().unwrap_or(self.started.elapsed() + IDLE);
            tokio::select! {
                _ = inbox.recv_many(&mut inputs, TURN) => {}
                () = sleep_until(deadline) => {
                    self.world.handle_timeout(moment(self.started));
                    self.carry_out();
                }
            }
            for input in inputs.drain(..) {
                self.take_in(input);
            }
            self.fan_out.flush();
            self.metrics.set_online(self.world.player_count());
        }
        // Whoever was about to come in is not left waiting.
        inbox.close();
        while let Some(input) = inbox.recv().await {
            if let Input::Connect(_, peer, _) = input {
                peer.close();
            }
        }
    }

    fn take_in(&mut self, input: Input) {
        match input {
            Input::Connect(conn, peer, event) => {
                self.fan_out.connect(conn, peer);
                self.tell(event);
            }
            Input::Received(conn, message, read_at) => {
                self.fan_out.received(conn, read_at);
                self.tell(Event::Received { conn, message });
            }
            Input::Event(event) => {
                if let Event::Disconnected { conn } = &event {
                    self.fan_out.disconnect(*conn);
                }
                self.tell(event);
            }
            Input::Inspect(reply) => {
                let snapshot = Snapshot {
                    players: self.world.players(),
                    connections: self.world.connection_count(),
                    is_settled: self.world.is_settled(),
                };
                // Whoever asked may be gone.
                let _ = reply.send(snapshot);
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.world.handle(moment(self.started), event);
        self.carry_out();
    }

    /// Does what the world wants done, in its order.
    fn carry_out(&mut self) {
        while let Some(effect) = self.world.poll_effect() {
            match effect {
                Effect::Send { to, message } => self.fan_out.send(&to, &message),
                Effect::Ready { conn } => self.fan_out.ready(conn),
                Effect::Done { conn } => self.fan_out.done(conn),
                Effect::LoggedIn { conn } => self.fan_out.log_in(conn),
                Effect::Close { conn } => {
                    self.metrics.count_ended("closed here");
                    self.fan_out.close(conn);
                }
                Effect::Ask { conn, ticket, question } => self.ask(conn, ticket, question),
                Effect::ReportLogin { player, unique_id, session } => {
                    self.policy.report(player, &unique_id, session);
                }
                Effect::Count(count) => self.metrics.count(count),
                Effect::Log(line) => log(&line),
                Effect::Stop => self.is_stopped = true,
            }
        }
    }

    /// Finds the answer elsewhere; it comes back as an event.
    fn ask(&self, conn: ConnId, ticket: Ticket, question: Question) {
        let (answers, inbox) = (self.answers.clone(), self.inbox.clone());
        let seat = self.fan_out.seat(conn);
        tokio::spawn(async move {
            // In a task of its own, so that there is an answer even if that one panics.
            let answer = tokio::spawn(async move { answers.answer(question).await }).await;
            let answer = answer.unwrap_or(faf_lobby_core::Answer::Unavailable);
            // The lobby may have stopped meanwhile.
            let _ = inbox.send(Input::Event(Event::Answered { ticket, answer })).await;
            drop(seat);
        });
    }
}

fn moment(started: Instant) -> Moment {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let utc = Timestamp(since_epoch.as_micros().try_into().unwrap_or(i64::MAX));
    Moment { elapsed: started.elapsed(), utc }
}

fn log(line: &LogLine) {
    match line {
        LogLine::LoggedIn { .. }
        | LogLine::LoggedOut { .. }
        | LogLine::Banned { .. }
        | LogLine::Admin { .. }
        | LogLine::NoPermission { .. }
        | LogLine::Shutdown { .. } => tracing::info!("{line}"),
        LogLine::Refused { .. } => tracing::debug!("{line}"),
        LogLine::WrongAnswer { .. } => tracing::error!("{line}"),
    }
}
