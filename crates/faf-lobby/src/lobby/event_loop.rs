//! The loop around the lobby: it waits for an input or the next deadline, tells the [`World`], and executes
//! the effects.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use faf_connection::running_time::RunningTime;
use faf_lobby_core::{ConnId, Effect, Event, InitialState, LogLine, Moment, Reply, Request, World};
use faf_protocol::websocket::CloseCode;
use tokio::sync::mpsc;

use crate::auth::failed_logins::FailedLogins;
use crate::auth::policy::PolicyServer;
use crate::clock::utc_now;
use crate::config::LogAddresses;
use crate::delivery::{Dispatcher, SlowConsumerPolicy};
use crate::lobby::input::Input;
use crate::lobby::requests::RequestHandler;
use crate::net::read_gate::Hold;
use crate::net::session::{self, SHUTTING_DOWN};
use crate::net::slot::Ending;
use crate::ops::activity::ActivityLog;
use crate::ops::log;
use crate::ops::metrics::Metrics;
use crate::ops::recorder::Recorder;
use crate::publish::Publisher;

/// Inputs handled in one turn, before their effects are delivered. More would delay the first ones.
const TURN_INPUTS: usize = 64;

/// How long the loop sleeps at most if there is no deadline.
const IDLE_WAKE_UP: Duration = Duration::from_secs(60);

/// The world, with everything that executes its effects.
pub(crate) struct Lobby {
    world: World,
    dispatcher: Dispatcher,
    requests: RequestHandler,
    policy: PolicyServer,
    metrics: Arc<Metrics>,
    failed_logins: FailedLogins,
    /// Recent activity, for the status page.
    activity: Arc<ActivityLog>,
    /// Sends publications to other services.
    publisher: Publisher,
    recorder: Recorder,
    /// Where replies go.
    inbox: mpsc::Sender<Input>,
    /// Requests to store games, in their order. At most one for each game.
    storing: mpsc::UnboundedSender<Storing>,
    /// The clock of the world.
    time: RunningTime,
    is_stopped: bool,
}

/// Everything that the lobby acts on, except its clients.
pub(crate) struct Dependencies {
    pub(crate) requests: RequestHandler,
    pub(crate) policy: PolicyServer,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) activity: Arc<ActivityLog>,
    pub(crate) log_addresses: LogAddresses,
    pub(crate) publisher: Publisher,
}

/// A request to store a game, under way.
type Storing = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl Lobby {
    pub(crate) fn new(
        settings: faf_lobby_core::Settings,
        initial: InitialState,
        outside: Dependencies,
        inbox: mpsc::Sender<Input>,
        slow_consumers: SlowConsumerPolicy,
    ) -> Self {
        let Dependencies { requests, policy, metrics, activity, log_addresses, publisher } = outside;
        let time = RunningTime::begin();
        let world = World::new(settings, moment(&time), initial);
        let dispatcher = Dispatcher::start(slow_consumers, Arc::clone(&metrics));
        let (storing, stored) = mpsc::unbounded_channel();
        tokio::spawn(pass_on(stored, inbox.clone()));
        let recorder = Recorder::off();
        Self {
            world,
            dispatcher,
            requests,
            policy,
            failed_logins: FailedLogins::new(log_addresses, Arc::clone(&metrics)),
            metrics,
            activity,
            publisher,
            recorder,
            inbox,
            storing,
            time,
            is_stopped: false,
        }
    }

    /// Returns the clock of the world.
    pub(crate) fn time(&self) -> RunningTime {
        self.time
    }

    /// Records all inputs.
    pub(crate) fn recorded_by(mut self, mut recorder: Recorder) -> Self {
        recorder.attach(&self.world, moment(&self.time));
        self.recorder = recorder;
        self
    }

    /// Runs until the world stops.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Input>) {
        let mut inputs = Vec::with_capacity(TURN_INPUTS);
        while !self.is_stopped {
            let due = self.world.next_deadline().unwrap_or(self.time.elapsed() + IDLE_WAKE_UP);
            tokio::select! {
                // Inputs come first: one of them may be what a deadline waits for.
                biased;
                _ = inbox.recv_many(&mut inputs, TURN_INPUTS) => {}
                () = self.time.wait_until(due) => {
                    self.advance_world(None);
                }
            }
            for input in inputs.drain(..) {
                self.dispatch(input);
            }
            self.dispatcher.flush().await;
            self.recorder.flush();
            self.metrics.set_online(self.world.player_count());
            self.metrics.set_logins_waiting(self.world.waiting_logins());
        }
        self.dispatcher.finish().await;
        // Clients that have connected too late are closed, too.
        inbox.close();
        while let Some(input) = inbox.recv().await {
            if let Input::Connect(_, writer, slot, _) = input {
                session::close_late(&writer, &slot);
            }
        }
        self.recorder.finish().await;
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::Connect(conn, writer, slot, event) => {
                self.dispatcher.connect(conn, writer, slot);
                self.tell(event);
            }
            Input::Received(conn, message, read_at) => {
                self.dispatcher.received(conn, read_at);
                self.tell(Event::Received { conn, message });
                self.dispatcher.release(conn, Hold::InFlight);
            }
            Input::Event(event) => {
                if let Event::Disconnected { conn } = &event {
                    self.dispatcher.disconnect(*conn);
                }
                self.tell(event);
            }
            Input::Inspect(look) => look(&self.world),
        }
    }

    fn tell(&mut self, event: Event) {
        self.advance_world(Some(event));
    }

    /// Tells the world of an event, or that time has passed, and executes the effects.
    fn advance_world(&mut self, event: Option<Event>) {
        let now = moment(&self.time);
        self.recorder.begin(&self.world, now, event.as_ref());
        match event {
            Some(event) => self.world.handle(now, event),
            None => self.world.handle_timeout(now),
        }
        self.execute_effects();
        self.recorder.end();
    }

    /// Executes the effects of the world, in their order.
    fn execute_effects(&mut self) {
        // Why the world closes the connection that it closes next, from its log.
        let mut said: Option<(ConnId, Ending)> = None;
        while let Some(effect) = self.world.poll_effect() {
            self.activity.observe(&effect, &self.world);
            self.recorder.note(&effect);
            match effect {
                Effect::Send { to, message } => self.dispatcher.send(to, message),
                Effect::SendSnapshot { conn, id, message } => {
                    self.dispatcher.send_snapshot(conn, id, message);
                }
                Effect::Relay { from, to, message } => self.dispatcher.relay(from, to, message),
                Effect::Hold { conn, reason } => self.dispatcher.hold(conn, reason.into()),
                Effect::Release { conn, reason } => self.dispatcher.release(conn, reason.into()),
                Effect::Done { conn } => self.dispatcher.done(conn),
                Effect::LoggedIn { conn } => self.dispatcher.log_in(conn),
                Effect::Close { conn } => {
                    let ending = self.ending(said.take_if(|(other, _)| *other == conn));
                    self.dispatcher.close(conn, ending);
                }
                Effect::Request { conn, request } => self.request(conn, request),
                Effect::ReportLogin { player, unique_id, session } => {
                    self.policy.report(player, &unique_id, session);
                }
                Effect::Publish(publication) => self.publisher.tell(&publication),
                Effect::Count(count) => self.metrics.count(count),
                Effect::Log(line) => {
                    if let LogLine::LoginFailed { conn, .. } = line {
                        self.dispatcher.login_failed(conn);
                        self.failed_logins.tell(&line);
                    }
                    log::write(&line);
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

    /// Returns the close frame of a connection that is closed.
    fn ending(&self, said: Option<(ConnId, Ending)>) -> Ending {
        match said {
            Some((_, ending)) => ending,
            None if self.world.has_stopped() => shutting_down(),
            None => Ending { code: CloseCode::Policy, reason: "disconnected by the lobby".to_owned() },
        }
    }

    /// Carries out a request elsewhere; the reply comes back as an event.
    ///
    /// What is stored about games is stored in the order of the requests, and the replies come in that order: games are rated
    /// in the order in which they have ended, and a client that gets two new ratings gets the newer one last. With
    /// other requests it does not matter: what they change belongs to one player, who has one request open.
    fn request(&self, conn: Option<ConnId>, request: Request) {
        if let Request::StoreGame(ticket, request) = request {
            let stored = self.requests.store_game(request);
            // It only fails when the runtime is about to end; then nobody waits for the reply, and it is stored all the
            // same.
            let _ = self.storing.send(Box::pin(async move { ticket.reply(stored.await) }));
            return;
        }
        let (requests, inbox) = (self.requests.clone(), self.inbox.clone());
        let slot = conn.and_then(|conn| self.dispatcher.slot(conn));
        tokio::spawn(async move {
            let unavailable = request.unavailable();
            // In a task of its own, so that there is a reply even if that one panics.
            let reply =
                tokio::spawn(async move { requests.perform(request).await }).await.unwrap_or(unavailable);
            // The lobby may have stopped in the meantime.
            let _ = inbox.send(Input::Event(Event::Replied { reply })).await;
            drop(slot);
        });
    }
}

/// Passes replies about games on, one after the other: the database carries out the requests in this order, too.
async fn pass_on(mut storing: mpsc::UnboundedReceiver<Storing>, inbox: mpsc::Sender<Input>) {
    while let Some(stored) = storing.recv().await {
        let reply = stored.await;
        // A lobby that has stopped does not need to know.
        let _ = inbox.send(Input::Event(Event::Replied { reply })).await;
    }
}

fn moment(time: &RunningTime) -> Moment {
    Moment { elapsed: time.elapsed(), utc: utc_now() }
}

fn shutting_down() -> Ending {
    Ending { code: CloseCode::GoingAway, reason: SHUTTING_DOWN.to_owned() }
}
