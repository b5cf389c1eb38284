//! The event loop: it waits for an input or the next deadline, passes it to the [`World`], and
//! executes the effects.

use std::sync::Arc;
use std::time::Duration;

use faf_connection::running_time::RunningTime;
use faf_lobby_core::{ClosingReasons, Effect, Event, InitialState, LogLine, Moment, SHUTTING_DOWN, World};
use tokio::sync::mpsc;

use crate::clock::utc_now;
use crate::delivery::{Dispatcher, SlowConsumerPolicy};
use crate::lobby::host::Host;
use crate::lobby::input::Input;
use crate::lobby::requests::{RequestExecutor, Requests};
use crate::net::read_gate::Hold;
use crate::net::session;
use crate::ops::recorder::Recorder;

/// Inputs handled in one turn, before their effects are delivered. More would delay the first ones.
const TURN_INPUTS: usize = 64;

/// Longest sleep of the loop if there is no deadline.
const IDLE_WAKE_UP: Duration = Duration::from_secs(60);

/// The world, with everything that executes its effects.
pub(crate) struct Lobby {
    world: World,
    dispatcher: Dispatcher,
    requests: Requests,
    host: Host,
    recorder: Recorder,
    /// The clock of the world.
    time: RunningTime,
    is_stopped: bool,
}

/// The services that the loop uses.
pub(crate) struct Services {
    pub(crate) requests: RequestExecutor,
    pub(crate) host: Host,
    /// Records all inputs.
    pub(crate) recorder: Recorder,
}

impl Lobby {
    pub(crate) fn new(
        settings: faf_lobby_core::Settings,
        initial: InitialState,
        time: RunningTime,
        services: Services,
        inbox: mpsc::Sender<Input>,
        slow_consumers: SlowConsumerPolicy,
    ) -> Self {
        let now = moment(&time);
        let world = World::new(settings, now, initial);
        let Services { requests, host, mut recorder } = services;
        recorder.attach(&world, now);
        let dispatcher = Dispatcher::start(slow_consumers, Arc::clone(&host.metrics));
        let requests = Requests::new(requests, inbox);
        Self { world, dispatcher, requests, host, recorder, time, is_stopped: false }
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
            self.recorder.flush();
            self.host.show(&self.world);
        }
        self.dispatcher.finish().await;
        // Sessions whose `Connect` the loop has not handled must be closed, too.
        inbox.close();
        while let Some(input) = inbox.recv().await {
            if let Input::Connect(_, writer, slot, _) = input {
                session::close_late(&writer, &slot, SHUTTING_DOWN);
            }
        }
        self.recorder.finish().await;
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
            // The receiver may have given up.
            Input::Settled(tell) => drop(tell.send(())),
        }
    }

    /// Passes an event to the world, or only the time, and executes the effects.
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
        let mut closing_reasons = ClosingReasons::default();
        while let Some(effect) = self.world.poll_effect() {
            self.host.activity.observe(&effect, &self.world);
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
                    let closing = closing_reasons.of(conn, self.world.has_stopped());
                    self.dispatcher.close(conn, closing.into());
                }
                Effect::Request { conn, request } => {
                    let slot = conn.and_then(|conn| self.dispatcher.slot(conn));
                    self.requests.start(request, slot);
                }
                Effect::Log(line) => {
                    if let LogLine::LoginFailed { conn, .. } = line {
                        self.dispatcher.login_failed(conn);
                    }
                    closing_reasons.note(&line);
                    self.host.execute(Effect::Log(line), &self.world);
                }
                Effect::Stop => self.is_stopped = true,
                other => self.host.execute(other, &self.world),
            }
        }
    }
}

fn moment(time: &RunningTime) -> Moment {
    Moment { elapsed: time.elapsed(), utc: utc_now() }
}
