//! Records what an observer is told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use faf_protocol::{DecodeError, Message, WireFormat};
use faf_sessions::recording::format::OpenConn;
use faf_sessions::recording::{Entry, RecordedConn, Side};

use super::disk::{Disk, Failed, micros};
use super::scrub::{Scrubber, shape};
use crate::carrier::{Observer, Opened};

/// Time between two entries with the time of day.
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

/// Records messages, without secrets.
pub(super) struct Recorder {
    disk: Disk,
    scrubber: Scrubber,
    conns: BTreeMap<RecordedConn, Conn>,
    /// Time of the next entry with the time of day.
    clock: Duration,
}

/// An open connection.
struct Conn {
    format: WireFormat,
    /// Address of the client.
    client: IpAddr,
    /// Whether entries of it are missing, so that nothing but its end is recorded.
    is_incomplete: bool,
}

impl Recorder {
    pub(super) fn new(disk: Disk, scrubber: Scrubber) -> Self {
        let mut recorder = Self { disk, scrubber, conns: BTreeMap::new(), clock: Duration::ZERO };
        recorder.see_to_file(Duration::ZERO);
        recorder
    }

    /// Begins a file if one is due.
    fn see_to_file(&mut self, now: Duration) {
        if self.disk.wants_file(now) {
            let open = self.conns.iter().map(|(conn, it)| {
                OpenConn::new(*conn, it.format, self.scrubber.kept_address(it.client), it.is_incomplete)
            });
            let begun = self.disk.begin(now, open.collect());
            self.note(begun);
        }
        if self.disk.is_recording() && now >= self.clock {
            self.clock = now + CLOCK_INTERVAL;
            let added = self.disk.add(now, &Entry::Clock { utc: micros(SystemTime::now()) });
            self.note(added);
        }
    }

    fn add(&mut self, at: Duration, entry: &Entry) {
        let added = self.disk.add(at, entry);
        self.note(added);
    }

    /// After a failure, entries of all open connections are missing.
    fn note(&mut self, done: Result<(), Failed>) {
        if done.is_err() {
            self.conns.values_mut().for_each(|conn| conn.is_incomplete = true);
        }
    }

    /// Returns the connection, if it is recorded.
    fn recorded(&self, conn: RecordedConn) -> Option<&Conn> {
        self.conns.get(&conn).filter(|conn| !conn.is_incomplete)
    }
}

impl Observer for Recorder {
    fn opened(&mut self, at: Duration, conn: RecordedConn, opened: Opened) {
        let (format, client) = (opened.format, opened.client.ip().to_canonical());
        self.conns.insert(conn, Conn { format, client, is_incomplete: false });
        let address = self.scrubber.kept_address(client);
        self.add(at, &Entry::Opened { conn, format, address });
    }

    fn message(&mut self, at: Duration, conn: RecordedConn, side: Side, message: Message) {
        let Some(recorded) = self.recorded(conn) else { return };
        match self.scrubber.message(message, recorded.client) {
            Ok(message) => {
                let entry = match side {
                    Side::Client => Entry::FromClient { conn, message },
                    Side::Server => Entry::FromServer { conn, message },
                };
                self.add(at, &entry);
            }
            // A message that cannot be made free of secrets is not recorded.
            Err(_) => self.incomplete(at, conn),
        }
    }

    fn malformed(&mut self, at: Duration, conn: RecordedConn, side: Side, bytes: &[u8], _: &DecodeError) {
        let Some(recorded) = self.recorded(conn) else { return };
        match side {
            Side::Client => {
                let bytes = shape(recorded.format, bytes);
                self.add(at, &Entry::BytesFromClient { conn, bytes });
            }
            Side::Server => self.incomplete(at, conn),
        }
    }

    fn incomplete(&mut self, at: Duration, conn: RecordedConn) {
        if self.recorded(conn).is_some() {
            self.add(at, &Entry::Incomplete { conn });
            self.conns.entry(conn).and_modify(|conn| conn.is_incomplete = true);
        }
    }

    fn closed(&mut self, at: Duration, conn: RecordedConn, by: Side) {
        if self.conns.remove(&conn).is_some() {
            self.add(at, &Entry::Closed { conn, by });
        }
    }

    fn tick(&mut self, now: Duration) {
        let ticked = self.disk.tick(now);
        self.note(ticked);
        self.see_to_file(now);
    }

    fn finish(&mut self, _: Duration) {
        self.disk.finish();
    }
}
