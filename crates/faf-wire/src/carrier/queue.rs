//! Copies of the bytes that are passed on, on their way to the thread that looks at them.
//!
//! Nothing here waits: a copy that finds no room is dropped, and with it everything later of the
//! same connection.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use faf_protocol::WireFormat;
use faf_sessions::recording::{RecordedConn, Side};

/// Bytes that may wait for the thread: 64 MiB. That is some seconds of the busiest evening, in
/// which a disk may be slow.
pub(crate) const QUEUE_LIMIT: usize = 64 * 1024 * 1024;

/// Bytes that are handed to the thread at once. Waking it for each message would cost more than
/// everything else.
const BATCH_BYTES: usize = 256 * 1024;

/// Longest time for which bytes wait to become a batch. After a longer one, the thread would work
/// for so long at a time that the thread which passes bytes on has to wait for a processor.
const BATCH_TIME: Duration = Duration::from_millis(10);

/// Bytes that an event counts for, apart from its copy.
const EVENT: usize = size_of::<Event>();

/// Something that happened on a connection.
#[derive(Debug)]
pub(super) struct Event {
    /// Time since the queue began. Events are in this order.
    pub(super) at: Duration,
    pub(super) conn: RecordedConn,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Opened(Box<Opening>),
    /// A side has sent this many bytes.
    Bytes(Side, usize),
    /// A side has sent its last byte.
    Ended(Side),
    /// Bytes of the connection are missing from here on.
    Lost,
    Closed(Side),
}

/// A connection that begins.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) format: WireFormat,
    pub(super) client: SocketAddr,
    pub(super) interest: Arc<Interest>,
}

/// Events with the bytes that belong to them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    pub(super) bytes: Vec<u8>,
    /// Time up to which nothing else has happened: later batches have no earlier events, however
    /// long they have waited.
    pub(super) until: Duration,
}

impl Batch {
    fn weight(&self) -> usize {
        self.bytes.len() + self.events.len() * EVENT
    }
}

#[derive(Debug)]
struct Waiting {
    batches: VecDeque<Batch>,
    /// Bytes of all batches, and of the one that the thread looks at.
    weight: usize,
    next_conn: u64,
    is_closed: bool,
}

/// The queue; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Signalled when a batch is full, and when the queue is closed.
    is_due: Condvar,
    began: Instant,
    limit: usize,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        let waiting = Waiting { batches: VecDeque::new(), weight: 0, next_conn: 1, is_closed: false };
        Self(Arc::new(Shared {
            waiting: Mutex::new(waiting),
            is_due: Condvar::new(),
            began: Instant::now(),
            limit,
        }))
    }

    /// Returns the time since the queue began.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Begins a connection. Nothing of it is copied if there is no room.
    pub(super) fn open(&self, format: WireFormat, client: SocketAddr) -> Copies {
        let interest = Arc::<Interest>::default();
        let opening = Opening { format, client, interest: Arc::clone(&interest) };
        let mut waiting = self.lock();
        let conn = RecordedConn(waiting.next_conn);
        waiting.next_conn += 1;
        // The end and a loss can then be told in any case, at most once each.
        let is_copied = waiting.weight + size_of::<Opening>() + 4 * EVENT <= self.0.limit;
        if is_copied {
            self.push(&mut waiting, conn, Kind::Opened(Box::new(opening)), &[]);
        } else {
            interest.lose(Side::Client);
            interest.lose(Side::Server);
        }
        Copies { queue: self.clone(), conn, interest, is_copied, is_lost: false, ended_by: None }
    }

    /// Nothing is added any more; the thread ends when it has looked at the rest.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.0.is_due.notify_one();
    }

    /// Waits until a batch is full or old, and takes it; an empty one after a while without any.
    /// `None` at the end.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut waiting = self.lock();
        if waiting.batches.len() < 2 && !waiting.is_closed {
            let is_due = |waiting: &mut Waiting| waiting.batches.len() < 2 && !waiting.is_closed;
            let waited = self.0.is_due.wait_timeout_while(waiting, BATCH_TIME, is_due);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let batch = match waiting.batches.pop_front() {
            None if waiting.is_closed => return None,
            batch => batch.unwrap_or_default(),
        };
        let until = batch.events.last().map_or_else(|| self.elapsed(), |last| last.at);
        Some(Batch { until, ..batch })
    }

    /// Makes the room of a batch free.
    pub(super) fn release(&self, batch: &Batch) {
        self.lock().weight -= batch.weight();
    }

    fn push(&self, waiting: &mut Waiting, conn: RecordedConn, kind: Kind, bytes: &[u8]) {
        if waiting.is_closed {
            return;
        }
        let is_full = |last: &Batch| last.weight() + bytes.len() > BATCH_BYTES;
        if waiting.batches.back().is_none_or(is_full) {
            waiting.batches.push_back(Batch::default());
            if waiting.batches.len() == 2 {
                self.0.is_due.notify_one();
            }
        }
        waiting.weight += bytes.len() + EVENT;
        // The time is taken under the lock, so that no other event comes before it.
        let at = self.elapsed();
        if let Some(batch) = waiting.batches.back_mut() {
            batch.bytes.extend_from_slice(bytes);
            batch.events.push(Event { at, conn, kind });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which sides of a connection the thread still looks at.
#[derive(Debug, Default)]
pub(super) struct Interest(AtomicU8);

impl Interest {
    /// Nothing more of a side is wanted.
    pub(super) fn lose(&self, side: Side) {
        self.0.fetch_or(bit(side), Ordering::Relaxed);
    }

    fn is_lost(&self, side: Side) -> bool {
        self.0.load(Ordering::Relaxed) & bit(side) != 0
    }
}

fn bit(side: Side) -> u8 {
    match side {
        Side::Client => 1,
        Side::Server => 2,
    }
}

/// Copies what one connection carries. Its end is told when this is dropped.
#[derive(Debug)]
pub(super) struct Copies {
    queue: Queue,
    conn: RecordedConn,
    interest: Arc<Interest>,
    /// Whether the thread knows the connection.
    is_copied: bool,
    is_lost: bool,
    ended_by: Option<Side>,
}

impl Copies {
    /// A side has sent these bytes.
    pub(super) fn bytes(&mut self, side: Side, bytes: &[u8]) {
        if self.is_lost || self.interest.is_lost(side) {
            return;
        }
        let mut waiting = self.queue.lock();
        let has_room = waiting.weight + bytes.len() + EVENT <= self.queue.0.limit;
        match has_room {
            true => self.queue.push(&mut waiting, self.conn, Kind::Bytes(side, bytes.len()), bytes),
            false => self.queue.push(&mut waiting, self.conn, Kind::Lost, &[]),
        }
        self.is_lost = !has_room;
    }

    /// A side has sent its last byte, or the connection to it has failed.
    pub(super) fn ended(&mut self, side: Side) {
        self.ended_by.get_or_insert(side);
        if self.is_copied && !self.is_lost && !self.interest.is_lost(side) {
            self.queue.push(&mut self.queue.lock(), self.conn, Kind::Ended(side), &[]);
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        if self.is_copied {
            let side = self.ended_by.unwrap_or(Side::Server);
            self.queue.push(&mut self.queue.lock(), self.conn, Kind::Closed(side), &[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(queue: &Queue) -> Copies {
        queue.open(WireFormat::SimpleJson, "192.0.2.1:5".parse().unwrap())
    }

    fn kinds(queue: &Queue) -> Vec<String> {
        let mut kinds = Vec::new();
        while let Some(batch) = queue.next() {
            kinds.extend(batch.events.iter().map(|event| {
                let kind = format!("{:?}", event.kind);
                format!("{} {}", event.conn.0, kind.split('(').next().unwrap())
            }));
            queue.release(&batch);
        }
        kinds
    }

    #[test]
    fn a_connection_that_finds_no_room_is_lost_and_others_are_not() {
        let queue = Queue::new(100_000);
        let (mut first, mut second) = (open(&queue), open(&queue));
        first.bytes(Side::Client, &[0; 60_000]);
        first.bytes(Side::Server, &[0; 60_000]);
        first.bytes(Side::Server, b"small");
        second.bytes(Side::Client, b"small");
        drop(first);
        drop(second);
        queue.close();
        let expected = ["1 Opened", "2 Opened", "1 Bytes", "1 Lost", "2 Bytes", "1 Closed", "2 Closed"];
        assert_eq!(kinds(&queue), expected);
        assert_eq!(queue.lock().weight, 0);
    }

    #[test]
    fn a_connection_that_begins_without_room_is_unknown() {
        let queue = Queue::new(2_000);
        let mut first = open(&queue);
        first.bytes(Side::Client, &[0; 1_850]);
        let mut second = open(&queue);
        second.bytes(Side::Client, b"small");
        second.ended(Side::Client);
        drop(second);
        let batch = queue.next().unwrap();
        queue.release(&batch);
        drop(open(&queue));
        queue.close();
        assert_eq!(batch.events.len(), 2);
        assert_eq!(kinds(&queue), ["3 Opened", "3 Closed"]);
    }

    #[test]
    fn nothing_more_is_copied_of_a_side_that_nobody_wants() {
        let queue = Queue::new(100_000);
        let mut copies = open(&queue);
        copies.interest.lose(Side::Client);
        copies.bytes(Side::Client, b"more");
        copies.bytes(Side::Server, b"more");
        drop(copies);
        queue.close();
        assert_eq!(kinds(&queue), ["1 Opened", "1 Bytes", "1 Closed"]);
    }

    #[test]
    fn what_still_waits_is_not_earlier_than_what_was_taken() {
        let queue = Queue::new(QUEUE_LIMIT);
        let mut copies = open(&queue);
        copies.bytes(Side::Client, &[0; BATCH_BYTES]);
        copies.bytes(Side::Client, b"more");
        let batches: Vec<Batch> = (0..3).map_while(|_| queue.next()).collect();
        for pair in batches.windows(2) {
            assert!(pair[0].until <= pair[1].events[0].at, "{batches:?}");
        }
        // Without events, time passes all the same.
        let idle = queue.next().unwrap();
        assert!(idle.events.is_empty() && idle.until >= batches[2].until);
    }

    /// A full batch wakes the thread; the rest follows in its time.
    #[test]
    fn batches_are_of_moderate_size() {
        let queue = Queue::new(QUEUE_LIMIT);
        let mut copies = open(&queue);
        for _ in 0..100 {
            copies.bytes(Side::Client, &[0; 50_000]);
        }
        drop(copies);
        queue.close();
        let mut sizes = Vec::new();
        while let Some(batch) = queue.next() {
            sizes.push(batch.bytes.len());
        }
        assert!(sizes.iter().all(|size| *size <= BATCH_BYTES), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 5_000_000);
    }
}
