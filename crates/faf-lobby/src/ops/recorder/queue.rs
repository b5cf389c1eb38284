//! What the loop hands to the thread, bounded by its bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use faf_lobby_core::{Audience, ConnId, Effect, Event, GameWrite, Moment, Publication, Request, World};
use faf_protocol::ServerMessage;

use super::format::write_input;

/// Bytes that may wait for the thread: 64 MiB. That is minutes of a large lobby, or the moments after a restart in which
/// thousands log in and each gets the list of the others. Besides, there is a copy of the world
/// in it now and then.
pub const QUEUE_LIMIT: usize = 64 * 1024 * 1024;

/// Bytes an effect counts for besides the long parts it may have.
const EFFECT: usize = size_of::<Effect>() + 256;

/// Nothing has to be said.
const RECORDING: u8 = 0;
/// The thread wants a copy of the world, to begin a file with.
const WANTS_WORLD: u8 = 1;
/// The thread cannot write.
const FAILED: u8 = 2;

/// Something for the thread.
#[derive(Debug)]
pub(super) enum Job {
    /// A new file begins here.
    Begin { world: Box<World>, now: Moment, first: u64 },
    /// Inputs with what came of them.
    Inputs(Batch),
    /// Nothing comes before the next beginning, for this reason.
    Lost(String),
}

/// Inputs of one turn of the loop, with what came of them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Lines of the inputs, each without its end.
    pub(super) text: Vec<u8>,
    /// Effects of all inputs.
    pub(super) effects: Vec<Effect>,
    pub(super) inputs: Vec<Taken>,
    /// Bytes that the effects count for.
    weight: usize,
    /// The input that is being dealt with.
    number: u64,
}

/// An input the core has taken in.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) number: u64,
    /// Where its line ends.
    pub(super) text: usize,
    /// Where its effects end.
    pub(super) effects: usize,
    /// The lobby has not failed over it.
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

    pub(super) fn end(&mut self) {
        self.finish(true);
    }

    pub(super) fn end_unfinished(&mut self) {
        self.finish(false);
    }

    fn finish(&mut self, is_finished: bool) {
        let (text, effects) = (self.text.len(), self.effects.len());
        self.inputs.push(Taken { number: self.number, text, effects, is_finished });
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

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.text.len() + self.weight
    }
}

/// About how many bytes an effect takes. Where it has parts that can be long these are counted; all others are bounded by the
/// core to some thousand bytes.
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
            ServerMessage::Notice(notice) => notice.text.as_ref().map_or(0, String::len),
            ServerMessage::Game(command) => command.args.text().len(),
            _ => 0,
        },
        Effect::Publish(Publication::Players(list)) => list.players.len() * size_of::<usize>(),
        Effect::Publish(Publication::Games(list)) => list.games.len() * size_of::<usize>(),
        Effect::Request { request: Request::StoreGame(_, store), .. } => match &store.write {
            // A game may have a megabyte of options and statistics.
            GameWrite::Launch(_) | GameWrite::Save(_) | GameWrite::End(_) => json_length(&store.write),
            GameWrite::Note(_) | GameWrite::Publish => 0,
        },
        _ => 0,
    };
    EFFECT + audience + long_parts
}

/// Bytes of the JSON, without making it.
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
    // What cannot be serialised is counted as far as it can.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// The queue of a loop and a thread, for so many bytes.
pub(super) fn queue(limit: usize) -> (Queue, Jobs) {
    let (sender, receiver) = channel();
    let shared = Arc::new(Shared { waiting: AtomicUsize::new(0), state: AtomicU8::new(WANTS_WORLD) });
    (Queue { sender: Some(sender), shared: Arc::clone(&shared), limit }, Jobs { receiver, shared })
}

#[derive(Debug)]
struct Shared {
    /// Bytes in the queue.
    waiting: AtomicUsize,
    /// What the thread wants the loop to know: one of the three constants.
    state: AtomicU8,
}

/// The loop's end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// None when it is closed.
    sender: Option<Sender<Job>>,
    shared: Arc<Shared>,
    /// Bytes that may be in it.
    limit: usize,
}

impl Queue {
    pub(super) fn send(&self, batch: Batch) {
        self.shared.waiting.fetch_add(batch.weight(), Ordering::Relaxed);
        self.push(Job::Inputs(batch));
    }

    /// Hands over what the thread wants, or needs after a loss.
    pub(super) fn send_world(&self, begin: Job) {
        self.shared.state.store(RECORDING, Ordering::Relaxed);
        self.push(begin);
    }

    pub(super) fn send_lost(&self, reason: String) {
        self.push(Job::Lost(reason));
    }

    fn push(&self, job: Job) {
        if let Some(sender) = &self.sender {
            // A thread that has panicked takes nothing, and there is nothing to be done about it.
            let _ = sender.send(job);
        }
    }

    pub(super) fn close(&mut self) {
        self.sender = None;
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.shared.waiting.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit
    }

    /// The thread writes, and so little waits that a new file can begin without being cut short at once.
    pub(super) fn has_caught_up(&self) -> bool {
        !self.has_failed() && self.shared.waiting.load(Ordering::Relaxed) <= self.limit / 2
    }

    /// The thread has dealt with everything.
    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.shared.waiting.load(Ordering::Acquire) == 0
    }

    pub(super) fn wants_world(&self) -> bool {
        self.shared.state.load(Ordering::Relaxed) == WANTS_WORLD
    }

    pub(super) fn has_failed(&self) -> bool {
        self.shared.state.load(Ordering::Relaxed) == FAILED
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

    /// Waits for the next one, if need be only so long.
    pub(super) fn next(&self, pause: Option<Duration>) -> Result<Job, RecvTimeoutError> {
        match pause {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(pause) => self.receiver.recv_timeout(pause),
        }
    }

    /// A batch was dealt with.
    pub(super) fn release(&self, weight: usize) {
        self.shared.waiting.fetch_sub(weight, Ordering::Release);
    }

    /// A file was begun.
    pub(super) fn say_recording(&self) {
        self.shared.state.store(RECORDING, Ordering::Relaxed);
    }

    pub(super) fn ask_for_world(&self) {
        self.shared.state.store(WANTS_WORLD, Ordering::Relaxed);
    }

    pub(super) fn say_failed(&self) {
        self.shared.state.store(FAILED, Ordering::Relaxed);
    }
}
