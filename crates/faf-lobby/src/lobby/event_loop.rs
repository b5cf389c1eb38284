//! The event loop: it waits for an input or the next deadline, passes it to the [`World`], and
//! executes the effects.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use faf_connection::running_time::RunningTime;
use faf_lobby_core::{
    ClosingReasons, ConnId, Effect, Event, InitialState, LogLine, Moment, Reply, Request, SHUTTING_DOWN,
    World,
};
use tokio::sync::mpsc;

use crate::auth::failed_logins::FailedLogins;
use crate::auth::policy::PolicyServer;
use crate::clock::utc_now;
use crate::delivery::{Dispatcher, SlowConsumerPolicy};
use crate::lobby::input::Input;
use crate::lobby::requests::RequestExecutor;
use crate::net::read_gate::Hold;
use crate::net::session;
use crate::ops::activity::ActivityLog;
use crate::ops::log;
use crate::ops::metrics::Metrics;
use crate::ops::recorder::Recorder;
use crate::publish::Publisher;

/// Inputs handled in one turn, before their effects are delivered. More would delay the first ones.
const TURN_INPUTS: usize = 64;

/// Longest sleep of the loop if there is no deadline.
const IDLE_WAKE_UP: Duration = Duration::from_secs(60);

/// The world, with everything that executes its effects.
pub(crate) struct Lobby {
    world: World,
    dispatcher: Dispatcher,
    services: Services,
    /// Receives the replies to requests.
    inbox: mpsc::Sender<Input>,
    /// Writes about games, in the order of their requests. At most one for each game.
    game_writes: mpsc::UnboundedSender<PendingWrite>,
    /// The clock of the world.
    time: RunningTime,
    is_stopped: bool,
}

/// The services that the loop uses.
pub(crate) struct Services {
    pub(crate) requests: RequestExecutor,
    pub(crate) policy: PolicyServer,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) failed_logins: FailedLogins,
    /// Recent activity, for the status page.
    pub(crate) activity: Arc<ActivityLog>,
    /// Sends publications to other services.
    pub(crate) publisher: Publisher,
    /// Records all inputs.
    pub(crate) recorder: Recorder,
}

/// A write about a game that is under way.
type PendingWrite = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl Lobby {
    pub(crate) fn new(
        settings: faf_lobby_core::Settings,
        initial: InitialState,
        time: RunningTime,
        mut services: Services,
        inbox: mpsc::Sender<Input>,
        slow_consumers: SlowConsumerPolicy,
    ) -> Self {
        let now = moment(&time);
        let world = World::new(settings, now, initial);
        services.recorder.attach(&world, now);
        let dispatcher = Dispatcher::start(slow_consumers, Arc::clone(&services.metrics));
        let (game_writes, pending_writes) = mpsc::unbounded_channel();
        tokio::spawn(reply_in_order(pending_writes, inbox.clone()));
        Self { world, dispatcher, services, inbox, game_writes, time, is_stopped: false }
    }

    /// Runs until the world stops.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Input>) {
        let mut inputs = Vec::with_capacity(TURN_INPUTS);
        while !self.is_stopped {
            let due = self.world.next_deadline().unwrap_or(self.time.elapsed() + IDLE_WAKE_UP);
            tokio::select! {
                // Inputs come first: one of them may make a deadline unnecessary.
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
            self.services.recorder.flush();
            self.services.metrics.set_online(self.world.player_count());
            self.services.metrics.set_logins_waiting(self.world.waiting_logins());
        }
        self.dispatcher.finish().await;
        // Sessions whose `Connect` the loop has not handled must be closed, too.
        inbox.close();
        while let Some(input) = inbox.recv().await {
            if let Input::Connect(_, writer, slot, _) = input {
                session::close_late(&writer, &slot, SHUTTING_DOWN);
            }
        }
        self.services.recorder.finish().await;
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::Connect(conn, writer, slot, event) => {
                self.dispatcher.connect(conn, writer, slot);
                self.advance_world(Some(event));
            }
            Input::Received(conn, message, read_at) => {
                self.dispatcher.received(conn, read_at);
                self.advance_world(Some(Event::Received { conn, message }));
                self.dispatcher.release(conn, Hold::InFlight);
            }
            Input::Event(event) => {
                if let Event::Disconnected { conn } = &event {
                    self.dispatcher.disconnect(*conn);
                }
                self.advance_world(Some(event));
            }
            Input::Inspect(inspect) => inspect(&self.world),
        }
    }

    /// Passes an event to the world, or only the time, and executes the effects.
    fn advance_world(&mut self, event: Option<Event>) {
        let now = moment(&self.time);
        self.services.recorder.begin(&self.world, now, event.as_ref());
        match event {
            Some(event) => self.world.handle(now, event),
            None => self.world.handle_timeout(now),
        }
        self.execute_effects();
        self.services.recorder.end();
    }

    /// Executes the effects of the world, in their order.
    fn execute_effects(&mut self) {
        let mut closing_reasons = ClosingReasons::default();
        while let Some(effect) = self.world.poll_effect() {
            self.services.activity.observe(&effect, &self.world);
            self.services.recorder.note(&effect);
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
                    let closing = closing_reasons.of(conn, self.world.has_stopped());
                    self.dispatcher.close(conn, closing.into());
                }
                Effect::Request { conn, request } => self.request(conn, request),
                Effect::ReportLogin { player, unique_id, session } => {
                    self.services.policy.report(player, &unique_id, session);
                }
                Effect::Publish(publication) => self.services.publisher.report(&publication),
                Effect::Queue(event) => self.services.metrics.count_queue_event(&event, &self.world),
                Effect::Count(count) => self.services.metrics.count(count),
                Effect::Log(line) => {
                    if let LogLine::LoginFailed { conn, .. } = line {
                        self.dispatcher.login_failed(conn);
                        self.services.failed_logins.tell_line(&line);
                    }
                    closing_reasons.note(&line);
                    log::write(&line);
                }
                Effect::Stop => self.is_stopped = true,
            }
        }
    }

    /// Starts a request in another task. The reply comes back as an event.
    ///
    /// Writes about games are stored and replied to in the order of their requests: games are rated
    /// in the order in which they ended, and a client that receives two new ratings receives the
    /// newer one last. The order of other requests does not matter: those of a player follow one
    /// another, matches have nothing to do with each other, and the lobby saves parties and
    /// searches again only after the reply to the last save.
    fn request(&self, conn: Option<ConnId>, request: Request) {
        if let Request::StoreGame(ticket, request) = request {
            let stored = self.services.requests.store_game(request);
            // Fails only when the runtime is about to end. The write goes on, and nobody waits for
            // the reply.
            let _ = self.game_writes.send(Box::pin(async move { ticket.reply(stored.await) }));
            return;
        }
        let (requests, inbox) = (self.services.requests.clone(), self.inbox.clone());
        let slot = conn.and_then(|conn| self.dispatcher.slot(conn));
        tokio::spawn(async move {
            let unavailable = request.unavailable();
            // Runs in another task, so that there is a reply even if the request panics.
            let reply =
                tokio::spawn(async move { requests.perform(request).await }).await.unwrap_or(unavailable);
            // The lobby may have stopped in the meantime.
            let _ = inbox.send(Input::Event(Event::Replied { reply })).await;
            drop(slot);
        });
    }
}

/// Sends the replies to writes about games in the order of the requests, in which the database
/// executes them, too.
async fn reply_in_order(mut writes: mpsc::UnboundedReceiver<PendingWrite>, inbox: mpsc::Sender<Input>) {
    while let Some(write) = writes.recv().await {
        let reply = write.await;
        // Fails only if the lobby has stopped, which does not need the reply.
        let _ = inbox.send(Input::Event(Event::Replied { reply })).await;
    }
}

fn moment(time: &RunningTime) -> Moment {
    Moment { elapsed: time.elapsed(), utc: utc_now() }
}
