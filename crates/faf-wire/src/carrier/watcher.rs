//! The thread that looks at copies of what is passed on: it decodes them, and tells
//! an [`Observer`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use faf_protocol::{DecodeError, Message, WireFormat};
use faf_sessions::recording::{RecordedConn, Side};

use super::conversation::Conversation;
use super::queue::{Batch, Event, Kind, Opening, Queue};

/// Bytes of unfinished messages, of all connections: 64 MiB. A connection that needs more is not
/// looked at any further.
const UNFINISHED_LIMIT: usize = 64 * 1024 * 1024;

/// Looks at what is passed on, on a thread of its own. The carrier never waits for it.
pub(crate) trait Observer: Send {
    /// A connection has begun.
    fn opened(&mut self, at: Duration, conn: RecordedConn, opened: Opened);

    /// A side has sent a message.
    fn message(&mut self, at: Duration, conn: RecordedConn, side: Side, message: Message);

    /// A side has sent bytes that are no message; these are the first ones. Nothing more of that
    /// side follows.
    fn malformed(&mut self, at: Duration, conn: RecordedConn, side: Side, bytes: &[u8], error: &DecodeError);

    /// Messages of a connection are missing from here on. Nothing more of it follows but its end.
    fn incomplete(&mut self, at: Duration, conn: RecordedConn);

    /// A connection has ended, by this side.
    fn closed(&mut self, at: Duration, conn: RecordedConn, by: Side);

    /// Time has passed: several times a second. No later event is earlier.
    fn tick(&mut self, now: Duration);

    /// Nothing more comes.
    fn finish(&mut self, now: Duration);
}

/// A connection that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) format: WireFormat,
    /// Address of the client.
    pub(crate) client: SocketAddr,
}

/// Starts the thread. It ends after the queue is closed.
pub(crate) fn watch(queue: Queue, observer: Box<dyn Observer>) -> std::io::Result<JoinHandle<()>> {
    let watcher = Watcher { observer, conversations: HashMap::new(), unfinished: 0 };
    std::thread::Builder::new().name("watcher".to_owned()).spawn(move || watcher.run(&queue))
}

/// Leaves the processor to the thread that passes bytes on, if there is only one for both.
#[cfg(target_os = "linux")]
fn yield_to_players() {
    const NICE: i32 = 10;

    // On Linux the number of a thread does for it alone. A system may forbid it.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}

#[cfg(not(target_os = "linux"))]
fn yield_to_players() {}

struct Watcher {
    observer: Box<dyn Observer>,
    conversations: HashMap<RecordedConn, Conversation>,
    /// Bytes of unfinished messages.
    unfinished: usize,
}

impl Watcher {
    fn run(mut self, queue: &Queue) {
        yield_to_players();
        while let Some(mut batch) = queue.next() {
            let events = std::mem::take(&mut batch.events);
            let mut bytes = &batch.bytes[..];
            for Event { at, conn, kind } in &events {
                let length = if let Kind::Bytes(_, length) = kind { *length } else { 0 };
                let (these, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
                bytes = rest;
                self.handle(*at, *conn, kind, these);
            }
            let until = batch.until;
            // The room is free only now, so that the thread's own work counts.
            queue.release(&Batch { events, ..batch });
            self.observer.tick(until);
        }
        self.observer.finish(queue.elapsed());
    }

    fn handle(&mut self, at: Duration, conn: RecordedConn, kind: &Kind, bytes: &[u8]) {
        if let Kind::Opened(opening) = kind {
            let Opening { format, client, interest } = &**opening;
            self.conversations.insert(conn, Conversation::new(conn, *format, Arc::clone(interest)));
            return self.observer.opened(at, conn, Opened { format: *format, client: *client });
        }
        let Some(conversation) = self.conversations.get_mut(&conn) else { return };
        let observer = &mut *self.observer;
        let before = conversation.unfinished();
        match kind {
            Kind::Bytes(side, _) => conversation.take(at, *side, bytes, observer),
            Kind::Ended(side) => conversation.end(at, *side, observer),
            Kind::Lost => conversation.lose(at, observer),
            Kind::Closed(by) => {
                conversation.end(at, Side::Client, observer);
                conversation.end(at, Side::Server, observer);
                observer.closed(at, conn, *by);
            }
            Kind::Opened(_) => {}
        }
        self.unfinished += conversation.unfinished();
        self.unfinished -= before;
        if self.unfinished > UNFINISHED_LIMIT {
            self.unfinished -= conversation.unfinished();
            conversation.lose(at, observer);
        }
        if let Kind::Closed(_) = kind {
            self.conversations.remove(&conn);
        }
    }
}
