//! The one loop around the lobby: waits for an input or the next deadline, tells the [`World`], and carries out what it
//! wants done.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faf_connection::Writer;
use faf_connection::running_time::RunningTime;
use faf_lobby_core::{
    Answer, Beginning, ConnId, Effect, Event, LogLine, Moment, Question, Ticket, Timestamp, World,
};
use faf_protocol::websocket::CloseCode;
use faf_protocol::{ClientMessage, CommandError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::answers::Answers;
use crate::failed_logins::{FailedLogins, LogAddresses};
use crate::fan_out::{FanOut, Patience};
use crate::happenings::Happenings;
use crate::metrics::Metrics;
use crate::policy::PolicyServer;
use crate::publish::Publisher;
use crate::recorder::Recorder;
use crate::seat::{Ending, Seat};
use crate::session::{self, SHUTTING_DOWN};

/// Inputs that may wait. Every connection has at most a few under way, and waits with more while this is full.
pub(crate) const INBOX: usize = 1024;

/// Inputs that are taken in before what they caused is sent. More would keep the first ones waiting for long.
const TURN: usize = 64;

/// Without a deadline the loop still looks at the clock from time to time.
const IDLE: Duration = Duration::from_secs(60);

/// What reaches the lobby.
pub(crate) enum Input {
    /// Somebody has connected; the event is [`Event::Connected`].
    Connect(ConnId, Writer, Arc<Seat>, Event),
    /// A connection has sent something, and this is when it was read.
    Received(ConnId, Result<ClientMessage, CommandError>, Instant),
    /// Something else has happened.
    Event(Event),
    /// Somebody wants to know what is going on.
    Inspect(Box<dyn FnOnce(&World) + Send>),
}

/// The lobby with all it needs to act.
pub(crate) struct Lobby {
    world: World,
    fan_out: FanOut,
    answers: Answers,
    policy: PolicyServer,
    metrics: Arc<Metrics>,
    failed_logins: FailedLogins,
    /// What the status page tells of.
    happenings: Arc<Happenings>,
    /// Tells other services.
    publisher: Publisher,
    recorder: Recorder,
    /// Where answers go.
    inbox: mpsc::Sender<Input>,
    /// What is being stored about games, in the order it was asked for. At most one for each game.
    storing: mpsc::UnboundedSender<Storing>,
    /// By which everything goes that the world waits for.
    time: RunningTime,
    is_stopped: bool,
}

/// What the lobby acts on besides its clients.
pub(crate) struct Outside {
    pub(crate) answers: Answers,
    pub(crate) policy: PolicyServer,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) happenings: Arc<Happenings>,
    pub(crate) log_addresses: LogAddresses,
    pub(crate) publisher: Publisher,
}

/// Something about a game that the database has been told to store.
type Storing = (Ticket, Pin<Box<dyn Future<Output = Answer> + Send>>);

impl Lobby {
    pub(crate) fn new(
        settings: faf_lobby_core::Settings,
        beginning: Beginning,
        outside: Outside,
        inbox: mpsc::Sender<Input>,
        patience: Patience,
    ) -> Self {
        let Outside { answers, policy, metrics, happenings, log_addresses, publisher } = outside;
        let time = RunningTime::begin();
        let world = World::new(settings, moment(&time), beginning);
        let fan_out = FanOut::start(patience, Arc::clone(&metrics));
        let (storing, stored) = mpsc::unbounded_channel();
        tokio::spawn(pass_on(stored, inbox.clone()));
        let recorder = Recorder::off();
        Self {
            world,
            fan_out,
            answers,
            policy,
            failed_logins: FailedLogins::new(log_addresses, Arc::clone(&metrics)),
            metrics,
            happenings,
            publisher,
            recorder,
            inbox,
            storing,
            time,
            is_stopped: false,
        }
    }

    /// The time by which it goes.
    pub(crate) fn time(&self) -> RunningTime {
        self.time
    }

    /// Everything it is told is recorded.
    pub(crate) fn recorded_by(mut self, mut recorder: Recorder) -> Self {
        recorder.attach(&self.world, moment(&self.time));
        self.recorder = recorder;
        self
    }

    /// Runs until the world stops.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Input>) {
        let mut inputs = Vec::with_capacity(TURN);
        while !self.is_stopped {
            let due = self.world.next_deadline().unwrap_or(self.time.elapsed() + IDLE);
            tokio::select! {
                // What has arrived comes first: it may be what a deadline waits for.
                biased;
                _ = inbox.recv_many(&mut inputs, TURN) => {}
                () = self.time.wait_until(due) => {
                    self.turn_to(None);
                }
            }
            for input in inputs.drain(..) {
                self.take_in(input);
            }
            self.fan_out.flush().await;
            self.recorder.flush();
            self.metrics.set_online(self.world.player_count());
            self.metrics.set_logins_waiting(self.world.waiting_logins());
        }
        self.fan_out.finish().await;
        // Whoever was about to come in is not left waiting.
        inbox.close();
        while let Some(input) = inbox.recv().await {
            if let Input::Connect(_, writer, seat, _) = input {
                session::turn_away(&writer, &seat);
            }
        }
        self.recorder.finish().await;
    }

    fn take_in(&mut self, input: Input) {
        match input {
            Input::Connect(conn, writer, seat, event) => {
                self.fan_out.connect(conn, writer, seat);
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
            Input::Inspect(look) => look(&self.world),
        }
    }

    fn tell(&mut self, event: Event) {
        self.turn_to(Some(event));
    }

    /// Tells the world of an event, or that time has passed, and carries out what follows.
    fn turn_to(&mut self, event: Option<Event>) {
        let now = moment(&self.time);
        self.recorder.begin(&self.world, now, event.as_ref());
        match event {
            Some(event) => self.world.handle(now, event),
            None => self.world.handle_timeout(now),
        }
        self.carry_out();
        self.recorder.end();
    }

    /// Does what the world wants done, in its order.
    fn carry_out(&mut self) {
        // What the world has just said of a connection that it closes next.
        let mut said: Option<(ConnId, Ending)> = None;
        while let Some(effect) = self.world.poll_effect() {
            self.happenings.notice(&effect, &self.world);
            self.recorder.note(&effect);
            match effect {
                Effect::Send { to, message } => self.fan_out.send(to, message),
                Effect::Relay { from, to, message } => self.fan_out.relay(from, to, message),
                Effect::Ready { conn } => self.fan_out.ready(conn),
                Effect::Wait { conn } => self.fan_out.wait(conn),
                Effect::Done { conn } => self.fan_out.done(conn),
                Effect::LoggedIn { conn } => self.fan_out.log_in(conn),
                Effect::Close { conn } => {
                    let ending = self.ending(said.take_if(|(other, _)| *other == conn));
                    if let Some(seat) = self.fan_out.seat(conn) {
                        seat.set_ending(ending);
                    }
                    self.fan_out.close(conn);
                }
                Effect::Ask { conn, ticket, question } => self.ask(conn, ticket, question),
                Effect::ReportLogin { player, unique_id, session } => {
                    self.policy.report(player, &unique_id, session);
                }
                Effect::Publish(publication) => self.publisher.tell(&publication),
                Effect::Count(count) => self.metrics.count(count),
                Effect::Log(line) => {
                    if let LogLine::LoginFailed { conn, .. } = line {
                        self.fan_out.login_failed(conn);
                        self.failed_logins.tell(&line);
                    }
                    log(&line);
                    match line {
                        LogLine::Refused { conn, reason } => {
                            said = Some((conn, Ending { code: CloseCode::Policy, reason }));
                        }
                        LogLine::SentAway { conn } => said = Some((conn, shutting_down())),
                        _ => {}
                    }
                }
                Effect::Stop => self.is_stopped = true,
            }
        }
    }

    /// Why a connection is closed, for a WebSocket client.
    fn ending(&self, said: Option<(ConnId, Ending)>) -> Ending {
        match said {
            Some((_, ending)) => ending,
            None if self.world.has_stopped() => shutting_down(),
            None => Ending { code: CloseCode::Policy, reason: "disconnected by the lobby".to_owned() },
        }
    }

    /// Finds the answer elsewhere; it comes back as an event.
    ///
    /// What is stored about games is stored in the order it was asked for, and answered in that order: games are rated in
    /// the order in which they have ended, and who hears of two new ratings hears of the newer one last. With other
    /// questions it does not matter: what they change belongs to one player, who has one question open.
    fn ask(&self, conn: Option<ConnId>, ticket: Ticket, question: Question) {
        if let Question::StoreGame { game, write, publications } = question {
            let answer = self.answers.store_game(game, write, publications);
            // It only fails when the runtime is about to end; then nobody waits for the answer, and it is stored all the
            // same.
            let _ = self.storing.send((ticket, Box::pin(answer)));
            return;
        }
        let (answers, inbox) = (self.answers.clone(), self.inbox.clone());
        let seat = conn.and_then(|conn| self.fan_out.seat(conn));
        tokio::spawn(async move {
            // In a task of its own, so that there is an answer even if that one panics.
            let answer = tokio::spawn(async move { answers.answer(question).await }).await;
            let answer = answer.unwrap_or(Answer::Unavailable);
            // The lobby may have stopped meanwhile.
            let _ = inbox.send(Input::Event(Event::Answered { ticket, answer })).await;
            drop(seat);
        });
    }
}

/// Passes answers about games on, one after the other: the database carries them out in this order, too.
async fn pass_on(mut storing: mpsc::UnboundedReceiver<Storing>, inbox: mpsc::Sender<Input>) {
    while let Some((ticket, answer)) = storing.recv().await {
        let answer = answer.await;
        // A lobby that has stopped does not need to know.
        let _ = inbox.send(Input::Event(Event::Answered { ticket, answer })).await;
    }
}

fn moment(time: &RunningTime) -> Moment {
    Moment { elapsed: time.elapsed(), utc: utc_now() }
}

pub(crate) fn utc_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_micros().try_into().unwrap_or(i64::MAX))
}

fn shutting_down() -> Ending {
    Ending { code: CloseCode::GoingAway, reason: SHUTTING_DOWN.to_owned() }
}

fn log(line: &LogLine) {
    match line {
        LogLine::LoggedIn { .. }
        | LogLine::LoggedOut { .. }
        | LogLine::Ejected { .. }
        | LogLine::Paced { .. }
        | LogLine::Admin { .. }
        | LogLine::NoPermission { .. }
        | LogLine::Shutdown { .. }
        | LogLine::GameOpened { .. }
        | LogLine::GameLaunched { .. }
        | LogLine::GameEnded { .. } => tracing::info!("{line}"),
        // A target of its own: games of bots wait for nobody.
        LogLine::GamesCutOff { .. } => tracing::warn!(target: "faf_lobby::shutdown", "{line}"),
        // It is told of elsewhere.
        LogLine::LoginFailed { .. } => {}
        LogLine::Banned { .. }
        | LogLine::Refused { .. }
        | LogLine::SentAway { .. }
        | LogLine::GameMessageIgnored { .. } => {
            tracing::debug!("{line}");
        }
        LogLine::GameRefused { .. } | LogLine::WrongAnswer { .. } => tracing::error!("{line}"),
    }
}
