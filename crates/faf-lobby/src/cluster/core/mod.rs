//! A core of a cluster: it runs the world, and all around it but the connections of clients.
//!
//! * `beginning.rs`: from where it gets its world. `upgrade.rs`: while another version leads.
//! * `appends.rs`: what a leader appends to the stream until it is stored.
//! * `leading.rs`: what only the leader does.
//! * `snapshots.rs`: snapshots while it runs. `divergence.rs`: what is kept if its world differs.
//! * `status.rs`: what operators see.

mod appends;
mod beginning;
mod divergence;
mod leading;
pub(crate) mod server;
mod snapshots;
mod status;
#[cfg(test)]
mod tests;
mod upgrade;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_cluster::{Core, CoreName, CoreOutput, CoreRole, CoreSettings, Divergence, Nonce, WorldId};
use faf_lobby_core::Event;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use self::appends::Appends;
use self::beginning::{Beginning, Search};
pub(crate) use self::leading::Duties;
use self::leading::Leadership;
use self::snapshots::{Done, Snapshots};
use super::backend::{Backend, Operation};
use super::bus::{Bus, BusCommand, BusEvent};
use super::questions::{AnswerContent, CoreStatus, Question, QuestionContent};
use crate::exit_code::{self, Failure};
use crate::lobby::host::Host;
use crate::lobby::input::Input;
use crate::lobby::requests::{RequestExecutor, Requests};
use crate::ops::http::Phase;
use crate::ops::metrics::{CoreFigures, CoreState};
use crate::store::Store;

/// Messages of the stream, and inputs, that are handled in one turn, before what follows from them
/// is sent.
const TURN: usize = 64;

/// Most messages by which a follower may be behind that is to lead next. It has reported its
/// position half a second ago at most.
const NEAR: u64 = 20_000;

/// Time between two requests of a core to lead.
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit for the last snapshot of a core that ends.
const LAST_SNAPSHOT_LIMIT: Duration = Duration::from_secs(60);

/// How a core runs.
#[derive(Debug, Clone)]
pub(crate) struct CoreOptions {
    /// Its name, which no other core has had.
    pub(crate) name: CoreName,
    /// Version of its program, which cores compare: those of one version compute alike.
    pub(crate) version: String,
    /// Settings of the world, which count while this core leads.
    pub(crate) world: faf_lobby_core::Settings,
    pub(crate) times: CoreSettings,
    /// Number of messages after which a snapshot is written.
    pub(crate) snapshot_every: u64,
    /// Folder for what shows why the state of this core differs from the leader's.
    pub(crate) evidence: PathBuf,
    /// Whether it asks the leader to hand over, once it is ready.
    pub(crate) takes_over: bool,
}

/// The parts of the process that a core uses.
pub(crate) struct CoreParts {
    pub(crate) options: CoreOptions,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) store: Store,
    pub(crate) requests: RequestExecutor,
    pub(crate) host: Host,
    pub(crate) duties: Duties,
    pub(crate) figures: Arc<CoreFigures>,
    /// Where its readiness is shown.
    pub(crate) phase: watch::Sender<Phase>,
    /// Replies, orders of operators, messages of other services, inspections. A first
    /// [`Event::Shutdown`] ends the core in order, a second one at once.
    pub(crate) inbox: mpsc::Receiver<Input>,
    /// Requests for its status.
    pub(crate) status: mpsc::Receiver<oneshot::Sender<CoreStatus>>,
}

/// The loop of a core.
pub(crate) struct CoreLoop {
    options: CoreOptions,
    backend: Arc<dyn Backend>,
    store: Store,
    core: Core,
    bus: Bus,
    stream: i64,
    requests: Requests,
    host: Host,
    duties: Duties,
    leadership: Option<Leadership>,
    appends: Appends,
    snapshots: Snapshots,
    snapshot_work: mpsc::UnboundedReceiver<Done>,
    /// A snapshot at the exact position of a hand-over, which is being stored.
    last_snapshot: Option<Operation<'static, ()>>,
    /// Senders for tasks that wait until inputs are in the world, with the numbers of the batches.
    settled: VecDeque<(u64, oneshot::Sender<()>)>,
    figures: Arc<CoreFigures>,
    phase: watch::Sender<Phase>,
    inbox: mpsc::Receiver<Input>,
    status: mpsc::Receiver<oneshot::Sender<CoreStatus>>,
    began: Instant,
    /// Time of the next request to lead; `None` if it makes none.
    next_request: Option<Duration>,
    /// Time at which the core ends whatever has happened by then, if it is to end.
    ends_at: Option<Duration>,
    end: Option<End>,
    /// Another world is that of the cluster, or (`None`) a core of another version leads.
    begins_again: Option<Option<WorldId>>,
}

/// Why a core has ended.
#[derive(Debug)]
enum End {
    /// It was asked to.
    Asked,
    Failed(Failure),
    Diverged(Divergence),
}

impl CoreLoop {
    /// Gets the world, and follows.
    ///
    /// # Errors
    /// [`Failure`] if there is no world that it can use.
    pub(crate) async fn start(parts: CoreParts) -> Result<Self, Failure> {
        let CoreParts { options, backend, store, requests, host, duties, figures, phase, inbox, status } =
            parts;
        let search = Search {
            backend: &backend,
            store: &store,
            options: &options,
            world: None,
            other_version_leads: false,
        };
        let Beginning { replica, bus, stream, past } = beginning::begin(search).await?;
        let requests = Requests::new(requests, duties.inbox.clone());
        let began = Instant::now();
        let (snapshots, snapshot_work) =
            Snapshots::new(Arc::clone(&backend), stream, &options, replica.position(), Arc::clone(&figures));
        let core = Core::new(options.name.clone(), &options.version, options.times, replica, Duration::ZERO)
            .after(past);
        Ok(Self {
            next_request: options.takes_over.then_some(Duration::ZERO),
            options,
            backend,
            store,
            core,
            bus,
            stream,
            requests,
            host,
            duties,
            leadership: None,
            appends: Appends::default(),
            snapshots,
            snapshot_work,
            last_snapshot: None,
            settled: VecDeque::new(),
            figures,
            phase,
            inbox,
            status,
            began,
            ends_at: None,
            end: None,
            begins_again: None,
        })
    }

    /// Runs until it has been asked to end.
    ///
    /// # Errors
    /// [`Failure`] if the stream has failed, or the world of this core differs from the leader's.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let (mut events, mut inputs) = (Vec::with_capacity(TURN), Vec::with_capacity(TURN));
        loop {
            let due = self.began + self.due();
            tokio::select! {
                count = self.bus.events.recv_many(&mut events, TURN) => if count == 0 {
                    self.end = Some(End::Failed(failed("the connection to the stream has ended")));
                },
                _ = self.inbox.recv_many(&mut inputs, TURN) => {}
                Some(done) = self.snapshot_work.recv() => {
                    self.snapshots.done(done, &self.core, self.began.elapsed());
                }
                Some(reply) = self.status.recv() => {
                    // The asker may have given up.
                    let _ = reply.send(self.status());
                }
                () = sleep_until(due) => {}
            }
            for event in events.drain(..) {
                self.hear(event);
            }
            for input in inputs.drain(..) {
                self.take(input);
            }
            self.advance();
            if let Some(last_snapshot) = self.last_snapshot.take() {
                store_last(last_snapshot).await;
            }
            if let Some(world) = self.begins_again.take() {
                self.begin_again(world).await?;
            }
            if let Some(end) = self.end.take() {
                return self.finish(end).await;
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Time at which there is something to do if nothing else happens.
    fn due(&self) -> Duration {
        let others = [self.appends.due(), self.next_request, self.ends_at];
        others.into_iter().flatten().fold(self.core.next_timeout(), Duration::min)
    }

    fn hear(&mut self, event: BusEvent) {
        let now = self.now();
        match event {
            BusEvent::Entry { sequence, time, payload } => {
                self.core.delivered(now, sequence, time, &payload);
                // At once, since some of it is about the world as it is after this message.
                self.perform();
            }
            BusEvent::Message(message) => match Question::decode(&message) {
                Some(question) => self.answer(&question),
                None => self.core.asked(now, &message),
            },
            BusEvent::Appended(number) => self.appends.stored(number),
            BusEvent::NotAppended { number, is_full } => self.appends.not_stored(now, number, is_full),
            BusEvent::Reconnected => {
                tracing::info!("the stream can be reached again");
                self.core.reconnected(now);
            }
            BusEvent::Disconnected => tracing::warn!("the stream cannot be reached"),
            BusEvent::Failed(problem) => self.end = Some(End::Failed(failed(&problem))),
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(Event::Shutdown) => self.leave(),
            Input::Event(Event::Reconfigured { settings }) => {
                // A follower's settings count when it leads.
                self.options.world = *settings;
                self.apply_settings();
            }
            Input::Event(event) => drop(self.core.event(event)),
            Input::Inspect(inspect) => inspect(self.core.replica().world()),
            Input::Settled(tell) => {
                if let Some(batch) = self.core.batch_of_inputs() {
                    self.settled.push_back((batch, tell));
                }
            }
            // A core has no connections.
            Input::Connect(..) | Input::Received(..) => {}
        }
    }

    /// Does everything that is due after some events, and sends what has come of them.
    fn advance(&mut self) {
        let now = self.now();
        if self.core.next_timeout() <= now {
            self.core.handle_timeout(now);
        }
        self.core.flush(now);
        self.perform();
        for command in self.appends.again(now) {
            self.send(command);
        }
        let applied = self.core.batch_applied().unwrap_or_default();
        while let Some((_, tell)) = self.settled.pop_front_if(|(batch, _)| *batch <= applied) {
            // The task may have ended.
            let _ = tell.send(());
        }
        let leads = self.core.role() == CoreRole::Leading;
        match self.leadership.take() {
            None if leads => self.leadership = Some(self.duties.begin(&mut self.host.publisher)),
            Some(leadership) if !leads => self.duties.end(leadership, &mut self.host.publisher),
            unchanged => self.leadership = unchanged,
        }
        if self.ends_at.is_some_and(|at| now >= at) && self.end.is_none() {
            tracing::warn!("nobody has taken over; this core ends all the same");
            self.end = Some(End::Asked);
        }
        self.request_leadership(now);
        self.snapshots.begin_if_due(&self.core, now);
        self.show();
    }

    fn send(&self, command: BusCommand) {
        // If the bus has ended, its last event says so.
        let _ = self.bus.commands.send(command);
    }

    /// Carries out what the core has decided.
    fn perform(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                CoreOutput::Append { must_be_stored: true, id, payload } => {
                    let command = self.appends.add(id, payload);
                    self.send(command);
                }
                CoreOutput::Append { must_be_stored: false, id, payload } => {
                    self.send(BusCommand::Append { number: None, id, payload: payload.into() });
                }
                CoreOutput::ToGateway(gateway, packet) => {
                    self.send(BusCommand::ToGateway(gateway, packet.into()));
                }
                CoreOutput::ToAll(packet) => self.send(BusCommand::ToAll(packet.into())),
                CoreOutput::Perform { request, .. } => self.requests.start(request, ()),
                CoreOutput::Effect(effect) => {
                    let world = self.core.replica().world();
                    self.host.activity.observe(&effect, world);
                    self.host.execute(*effect, world);
                }
                CoreOutput::Leads(epoch) => {
                    tracing::info!(epoch = epoch.0, core = %self.core.name(), "this core leads");
                    self.appends.clear();
                    self.settled.clear();
                    self.next_request = None;
                    self.figures.count_takeover();
                    self.apply_settings();
                }
                CoreOutput::Follows => {
                    tracing::info!(core = %self.core.name(), "this core does not lead any more");
                    self.appends.clear();
                    self.settled.clear();
                }
                CoreOutput::HandedOver => self.handed_over(),
                CoreOutput::GatewayLeft { gateway, was_silent: true } => {
                    tracing::warn!(%gateway, "nothing was heard of a gateway for too long; its players are offline");
                }
                CoreOutput::GatewayLeft { gateway, was_silent: false } => {
                    tracing::info!(%gateway, "a gateway has left");
                }
                CoreOutput::Diverged(divergence) => self.end = Some(End::Diverged(divergence)),
                CoreOutput::OtherWorld(world) => self.begins_again = Some(Some(world)),
                CoreOutput::OtherVersion(version) => {
                    tracing::warn!(version, "a core of another version leads now");
                    self.begins_again = Some(None);
                }
            }
        }
    }

    /// Makes the settings of this core those of the world, if it leads.
    fn apply_settings(&mut self) {
        if self.core.batch_of_inputs().is_some()
            && *self.core.replica().world().settings() != self.options.world
        {
            let settings = Box::new(self.options.world.clone());
            self.core.event(Event::Reconfigured { settings });
        }
    }

    /// The core is asked to end. If it leads, the follower that has read most leads next. If
    /// there is none, any later core goes on from a snapshot of exactly this moment, whatever
    /// its version.
    fn leave(&mut self) {
        if self.ends_at.is_some() || self.core.role() != CoreRole::Leading {
            self.end = Some(End::Asked);
            return;
        }
        self.ends_at = Some(self.now() + self.options.times.lease);
        let successor = self.successor();
        match &successor {
            Some(core) => tracing::info!(%core, "handing over"),
            None => tracing::info!("no other core can lead; the lobby waits for the next one that starts"),
        }
        self.core.transfer_leadership(successor);
    }

    /// Returns the follower that is to lead next: of this version, and not far behind.
    fn successor(&self) -> Option<CoreName> {
        let replica = self.core.replica();
        let able = replica.followers().iter().filter(|(_, follower)| {
            follower.version == self.options.version && follower.position + NEAR >= replica.position()
        });
        able.max_by_key(|(_, follower)| follower.position).map(|(name, _)| name.clone())
    }

    /// The hand-over is in the stream, at the position where the replica is now.
    fn handed_over(&mut self) {
        let is_known = self
            .core
            .successor()
            .is_some_and(|successor| self.core.replica().followers().contains_key(successor));
        if !is_known {
            // Nobody has the same state: the next leader needs it.
            self.last_snapshot = Some(self.snapshots.write_now(&self.core));
        }
        if self.ends_at.is_some() {
            self.end = Some(End::Asked);
        }
    }

    /// Asks the leader to hand over to this core, if it is to take over and is ready.
    fn request_leadership(&mut self, now: Duration) {
        let is_due = self.next_request.is_some_and(|at| now >= at);
        if !is_due {
            return;
        }
        self.next_request = Some(now + REQUEST_INTERVAL);
        if self.core.role() == CoreRole::Following && self.core.is_ready() {
            let to = Some(self.core.name().clone());
            let question = Question::new(Nonce(0), QuestionContent::HandOver { to });
            self.send(BusCommand::ToCores(question.encode()));
        }
    }

    fn answer(&mut self, question: &Question) {
        let leads = self.core.role() == CoreRole::Leading;
        let content = match &question.content {
            QuestionContent::Status => AnswerContent::Status(Box::new(self.status())),
            _ if !leads => return,
            QuestionContent::HandOver { to } => self.transfer_leadership(to.clone()),
            QuestionContent::Upgrade { core, version } => {
                tracing::info!(%core, version, "handing over to a core of another version");
                self.core.transfer_leadership(Some(core.clone()));
                AnswerContent::HandingOver { to: core.clone() }
            }
        };
        self.send(BusCommand::ToAll(question.answer(content)));
    }

    fn transfer_leadership(&mut self, to: Option<CoreName>) -> AnswerContent {
        let replica = self.core.replica();
        let Some(to) = to.or_else(|| self.successor()) else {
            return AnswerContent::Refused("no other core follows".to_owned());
        };
        match replica.followers().get(&to) {
            None => AnswerContent::Refused(format!("{to} does not follow")),
            Some(follower) if follower.version != self.options.version => {
                AnswerContent::Refused(format!("{to} has the version {}", follower.version))
            }
            Some(follower) if follower.position + NEAR < replica.position() => {
                AnswerContent::Refused(format!("{to} is too far behind"))
            }
            Some(_) => {
                tracing::info!(core = %to, "handing over");
                self.core.transfer_leadership(Some(to.clone()));
                AnswerContent::HandingOver { to }
            }
        }
    }

    /// Gets the world of the cluster once more. Until then, the core replies to nothing.
    async fn begin_again(&mut self, world: Option<WorldId>) -> Result<(), Failure> {
        self.phase.send_replace(Phase::Starting);
        let search = Search {
            backend: &self.backend,
            store: &self.store,
            options: &self.options,
            world,
            other_version_leads: world.is_none(),
        };
        let inbox = &mut self.inbox;
        let told_to_end = async move {
            while let Some(input) = inbox.recv().await {
                if matches!(input, Input::Event(Event::Shutdown)) {
                    return;
                }
            }
        };
        let Beginning { replica, bus, stream, past } = tokio::select! {
            beginning = beginning::begin(search) => beginning?,
            () = told_to_end => {
                self.end = Some(End::Asked);
                return Ok(());
            }
        };
        (self.bus, self.stream) = (bus, stream);
        (self.snapshots, self.snapshot_work) = Snapshots::new(
            Arc::clone(&self.backend),
            stream,
            &self.options,
            replica.position(),
            Arc::clone(&self.figures),
        );
        let CoreOptions { name, version, times, .. } = &self.options;
        self.core = Core::new(name.clone(), version, *times, replica, self.now()).after(past);
        Ok(())
    }

    /// Shows figures and readiness.
    fn show(&self) {
        let (core, replica) = (&self.core, self.core.replica());
        self.host.show(replica.world());
        let is_ready = core.is_ready() && self.ends_at.is_none();
        let phase = match (is_ready, self.ends_at) {
            (true, _) => Phase::Ready,
            (false, None) => Phase::Starting,
            (false, Some(_)) => Phase::Stopping,
        };
        self.phase.send_if_modified(|shown| std::mem::replace(shown, phase) != phase);
        let (mut gateways, mut kept) = (0, (0, 0));
        for (_, gateway) in replica.gateways() {
            gateways += 1;
            kept = (kept.0 + gateway.kept.0, kept.1 + gateway.kept.1);
        }
        self.figures.set(CoreState {
            role: core.role(),
            is_ready,
            epoch: replica.epoch(),
            leader: replica.leader().cloned(),
            position: replica.position(),
            behind: core.behind(),
            leader_silent: core.leader_silent(),
            open_requests: replica.open_requests().len(),
            gateways,
            kept,
            unstored: self.appends.len(),
            ignored: core.ignored().clone(),
        });
    }

    async fn finish(mut self, end: End) -> Result<(), Failure> {
        self.phase.send_replace(Phase::Stopping);
        if let Some(leadership) = self.leadership.take() {
            self.duties.end(leadership, &mut self.host.publisher);
        }
        match end {
            End::Asked => Ok(()),
            End::Failed(failure) => Err(failure),
            End::Diverged(divergence) => {
                let (version, folder) = (&self.options.version, &self.options.evidence);
                let kept =
                    divergence::keep(folder, &self.backend, &self.core, &divergence, version, self.stream);
                let kept = kept.await.map_or_else(
                    |problem| format!("not all that shows why could be kept in {problem}"),
                    |folder| format!("what shows why is in {}", folder.display()),
                );
                let Divergence { last_equal, position, parts } = divergence;
                let parts = parts.join(", ");
                tracing::error!(
                    last_equal,
                    position,
                    parts,
                    kept,
                    "this core has another state than the leader"
                );
                Err(Failure::new(
                    exit_code::DIVERGED,
                    anyhow::anyhow!(
                        "the state of this core differs from the leader's after message {position} (in {parts}); they \
                         were equal after message {last_equal}. The leader goes on; {kept}"
                    ),
                ))
            }
        }
    }
}

fn failed(problem: &str) -> Failure {
    Failure::new(exit_code::CLUSTER, anyhow::anyhow!("{problem}"))
}

/// Waits until the snapshot of a hand-over is stored.
async fn store_last(snapshot: Operation<'static, ()>) {
    let problem = match timeout(LAST_SNAPSHOT_LIMIT, snapshot).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it takes too long".to_owned(),
    };
    tracing::error!(problem, "the snapshot for the next leader is not stored");
}
