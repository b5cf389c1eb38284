//! The queue from the loop to the thread, bounded by its bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use faf_lobby_core::matchmaking::{Match, Unmatched};
use faf_lobby_core::{
    Audience, ConnId, Effect, Event, GameWrite, Moment, Popped, PoppedSearch, Publication, QueueEvent,
    Request, World,
};
use faf_protocol::server_message::{MatchmakerInfo, QueueInfo};
use faf_protocol::{GameId, ServerMessage};

use super::format::write_input;

/// Bytes that may wait for the thread: 64 MiB. That is minutes of a large lobby, or the moments
/// after a restart in which thousands log in and each gets the list of the others. In addition, it
/// sometimes holds a copy of the world.
pub const QUEUE_LIMIT: usize = 64 * 1024 * 1024;

/// Bytes an effect counts for, apart from its long parts.
const EFFECT: usize = size_of::<Effect>() + 256;

/// State of the thread, and thus its request to the loop.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum State {
    /// It writes a file.
    Recording,
    /// It wants a copy of the world, to begin a file with.
    WantsWorld,
    /// It cannot write.
    Failed,
}

/// Something for the thread.
#[derive(Debug)]
pub(super) enum Job {
    /// A new file begins here.
    Begin { world: Box<World>, now: Moment, first: u64 },
    /// Inputs with their effects.
    Inputs(Batch),
    /// Inputs are missing until the next `Begin`, for this reason.
    Lost(String),
}

/// Inputs of one iteration of the loop, with their effects.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Lines of the inputs, each without its end.
    pub(super) text: Vec<u8>,
    /// Effects of all inputs.
    pub(super) effects: Vec<Effect>,
    pub(super) inputs: Vec<BatchedInput>,
    /// Bytes that the effects count for.
    weight: usize,
    /// Number of the input in progress.
    number: u64,
}

/// An input of the core.
#[derive(Debug)]
pub(super) struct BatchedInput {
    pub(super) number: u64,
    /// End of its line in the text.
    pub(super) text: usize,
    /// End of its effects in the list.
    pub(super) effects: usize,
    /// Whether the lobby has handled it without failing.
    pub(super) is_finished: bool,
}

impl Batch {
    pub(super) fn begin(
        &mut self,
        number: u64,
        now: Moment,
        event: Option<&Event>,
        room: usize,
    ) -> Result<usize, serde_json::Error> {
        self.number = number;
        let length = self.text.len();
        let written = write_input(&mut self.text, number, now, event, room);
        if written.is_err() {
            self.text.truncate(length);
        }
        written
    }

    pub(super) fn note(&mut self, effect: &Effect) {
        self.weight += weight(effect);
        self.effects.push(effect.clone());
    }

    /// Ends the input in progress; `is_finished` is whether the lobby has handled it.
    pub(super) fn end(&mut self, is_finished: bool) {
        let (text, effects) = (self.text.len(), self.effects.len());
        self.inputs.push(BatchedInput { number: self.number, text, effects, is_finished });
    }

    pub(super) fn drop_last(&mut self) {
        self.inputs.pop();
        let (text, effects) = self.inputs.last().map_or((0, 0), |last| (last.text, last.effects));
        self.text.truncate(text);
        self.effects.truncate(effects);
        self.weight = self.effects.iter().map(weight).sum();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Returns its approximate size, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.text.len() + self.weight
    }
}

/// Returns the approximate size of an effect, in bytes. Parts that can be long are counted; the
/// core limits all others to some thousand bytes.
fn weight(effect: &Effect) -> usize {
    let audience = match effect {
        Effect::Send { to: Audience::Several(conns) | Audience::LoggedInExcept(conns), .. } => {
            conns.len() * size_of::<ConnId>()
        }
        _ => 0,
    };
    let long_parts = match effect {
        Effect::Send { message, .. }
        | Effect::SendSnapshot { message, .. }
        | Effect::Relay { message, .. } => match message {
            ServerMessage::PlayerInfo(list) => list.players.len() * size_of::<usize>(),
            ServerMessage::MatchmakerInfo(info) => queues_size(info),
            ServerMessage::Notice(notice) => notice.text.as_ref().map_or(0, String::len),
            ServerMessage::Game(command) => command.args.text().len(),
            _ => 0,
        },
        Effect::Publish(Publication::Players(list)) => list.players.len() * size_of::<usize>(),
        Effect::Publish(Publication::Games(list)) => list.games.len() * size_of::<usize>(),
        Effect::Publish(Publication::Queues(info)) => queues_size(info),
        Effect::Queue(QueueEvent::Popped(popped)) => round_size(popped),
        Effect::Request { request: Request::StoreGame(_, store), .. } => match &store.write {
            // A game may have a megabyte of options and statistics.
            GameWrite::Launch(_) | GameWrite::Save(_) | GameWrite::End(_) => json_length(&store.write),
            GameWrite::Note(_) | GameWrite::Publish => 0,
        },
        _ => 0,
    };
    EFFECT + audience + long_parts
}

/// Returns the approximate size of the state of queues, in bytes: each search has a part in it.
fn queues_size(info: &MatchmakerInfo) -> usize {
    let size = |queue: &Arc<QueueInfo>| {
        let boundaries = queue.boundary_80s.len() + queue.boundary_75s.len();
        size_of::<QueueInfo>() + queue.queue_name.len() + boundaries * size_of::<[i32; 2]>()
    };
    info.queues.iter().map(size).sum()
}

/// Returns the approximate size of a round, in bytes: each search is in it as the round saw it.
fn round_size(popped: &Popped) -> usize {
    let search = |search: &PoppedSearch| size_of::<PoppedSearch>() + size_of_val(search.candidate.members());
    let found = |found: &Match| {
        let candidates: usize = found.teams.iter().map(Vec::len).sum();
        size_of::<Match>() + candidates * size_of::<usize>() + size_of::<Option<GameId>>()
    };
    let searches: usize = popped.searches.iter().map(search).sum();
    let matches: usize = popped.round.matches.iter().map(found).sum();
    size_of::<Popped>() + searches + matches + popped.round.unmatched.len() * size_of::<Unmatched>()
}

/// Returns the length of the JSON, in bytes, without creating it.
fn json_length(value: &impl serde::Serialize) -> usize {
    struct Counter(usize);

    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // A value that cannot be serialised counts up to the failure.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// Creates a queue with this limit, in bytes.
pub(super) fn queue(limit: usize) -> (Queue, Jobs) {
    let (sender, receiver) = channel();
    let shared = Arc::new(Shared {
        waiting: AtomicUsize::new(0),
        state: AtomicU8::new(State::WantsWorld as u8),
        interruptions: Arc::default(),
    });
    (Queue { sender: Some(sender), shared: Arc::clone(&shared), limit }, Jobs { receiver, shared })
}

#[derive(Debug)]
struct Shared {
    /// Bytes in the queue.
    waiting: AtomicUsize,
    /// A [`State`].
    state: AtomicU8,
    /// Number of times that something could not be written or was left out.
    interruptions: Arc<AtomicU64>,
}

impl Shared {
    fn set(&self, state: State) {
        if matches!(state, State::Failed) {
            self.interruptions.fetch_add(1, Ordering::Relaxed);
        }
        self.state.store(state as u8, Ordering::Relaxed);
    }

    fn is(&self, state: State) -> bool {
        self.state.load(Ordering::Relaxed) == state as u8
    }
}

/// The loop's end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// Sender; `None` after closing.
    sender: Option<Sender<Job>>,
    shared: Arc<Shared>,
    /// Limit, in bytes.
    limit: usize,
}

impl Queue {
    pub(super) fn send(&self, batch: Batch) {
        self.shared.waiting.fetch_add(batch.weight(), Ordering::Relaxed);
        self.push(Job::Inputs(batch));
    }

    /// Sends a world that the thread requested, or needs after a loss.
    pub(super) fn send_world(&self, begin: Job) {
        self.shared.set(State::Recording);
        self.push(begin);
    }

    pub(super) fn send_lost(&self, reason: String) {
        self.shared.interruptions.fetch_add(1, Ordering::Relaxed);
        self.push(Job::Lost(reason));
    }

    fn push(&self, job: Job) {
        if let Some(sender) = &self.sender {
            // If the thread has panicked, the batch is lost.
            let _ = sender.send(job);
        }
    }

    pub(super) fn close(&mut self) {
        self.sender = None;
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.shared.waiting.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit
    }

    /// Returns whether the thread writes, and so little waits that a new file can begin without
    /// being cut short at once.
    pub(super) fn has_caught_up(&self) -> bool {
        !self.has_failed() && self.shared.waiting.load(Ordering::Relaxed) <= self.limit / 2
    }

    /// Returns whether the thread has handled everything.
    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.shared.waiting.load(Ordering::Acquire) == 0
    }

    pub(super) fn wants_world(&self) -> bool {
        self.shared.is(State::WantsWorld)
    }

    pub(super) fn interruptions(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.interruptions)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.shared.is(State::Failed)
    }
}

/// The thread's end of the queue.
#[derive(Debug)]
pub(super) struct Jobs {
    receiver: Receiver<Job>,
    shared: Arc<Shared>,
}

impl Jobs {
    pub(super) fn try_next(&self) -> Result<Job, TryRecvError> {
        self.receiver.try_recv()
    }

    /// Waits for the next job, at most for `pause` if given.
    pub(super) fn next(&self, pause: Option<Duration>) -> Result<Job, RecvTimeoutError> {
        match pause {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(pause) => self.receiver.recv_timeout(pause),
        }
    }

    /// Subtracts a batch that was handled.
    pub(super) fn release(&self, weight: usize) {
        self.shared.waiting.fetch_sub(weight, Ordering::Release);
    }

    pub(super) fn set(&self, state: State) {
        self.shared.set(state);
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::SearchId;
    use faf_lobby_core::matchmaking::queue::QueueId;
    use faf_lobby_core::matchmaking::{Candidate, MatchmakingSettings, Member, QueueRules, play_round};
    use faf_protocol::PlayerId;
    use faf_protocol::server_message::Rating;

    use super::*;

    const SEARCHES: u32 = 1000;

    /// Everything that a search of one player has in a round, at least.
    const SEARCH: usize = size_of::<PoppedSearch>() + size_of::<Member>();

    fn round() -> Effect {
        let settings = MatchmakingSettings::default();
        let search = |number: u32| {
            let rating = Rating { mean: f64::from(number), deviation: 80.0 };
            let member = Member { player: PlayerId(number), rating, games: 100 };
            let candidate = Candidate::new(vec![member], 0, 0.9, &settings);
            PoppedSearch { search: SearchId(number.into()), waited: Duration::ZERO, candidate }
        };
        let searches: Vec<_> = (0..SEARCHES).map(search).collect();
        let candidates: Vec<_> = searches.iter().map(|search| search.candidate.clone()).collect();
        let round = play_round(&candidates, QueueRules { team_size: 1, rating_peak: 1000.0 }, &settings);
        let (wait, games) = (Duration::from_secs(15), vec![None; round.matches.len()]);
        let popped = Popped { queue: QueueId(1), wait, searches, round, games };
        Effect::Queue(QueueEvent::Popped(Box::new(popped)))
    }

    fn queues() -> Arc<MatchmakerInfo> {
        let boundaries: Arc<[[i32; 2]]> = vec![[0, 400]; SEARCHES as usize].into();
        let queue = QueueInfo {
            queue_name: "ladder1v1".to_owned(),
            queue_pop_time: "2030-01-02T18:05:30+00:00".to_owned(),
            queue_pop_time_delta: 15.0,
            num_players: SEARCHES,
            boundary_80s: Arc::clone(&boundaries),
            boundary_75s: boundaries,
            team_size: 1,
            estimated_wait_seconds: None,
        };
        Arc::new(MatchmakerInfo { queues: vec![Arc::new(queue)] })
    }

    #[test]
    fn searches_of_a_busy_queue_count() {
        let searches = SEARCHES as usize;
        let of_round = weight(&round());
        assert!((searches * SEARCH..searches * (SEARCH + 200)).contains(&of_round), "{of_round}");
        let (to, message) = (Audience::LoggedIn, ServerMessage::MatchmakerInfo(queues()));
        for effect in [Effect::Send { to, message }, Effect::Publish(Publication::Queues(queues()))] {
            let of_queues = weight(&effect);
            assert!((searches * 16..searches * 17).contains(&of_queues), "{of_queues}");
        }
    }
}
