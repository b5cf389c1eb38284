//! Hostile peers on a thread of their own: they connect, send their bytes, and reconnect when they
//! are disconnected.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use faf_protocol::WireFormat;
use mio::event::Event;
use mio::{Poll, Registry, Token};
use rand::{RngExt, SeedableRng};

use crate::swarm::address;
use crate::swarm::event_loop::{self, Sockets};
use crate::swarm::socket::Socket;

/// Interval between bytes of slow senders, and delay of reconnects.
const BEAT_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum number of bytes that one peer sends before the next one's turn.
const TURN_BYTES: usize = 256 * 1024;

/// Number of the first connection of attackers. They must not run out of ports either, so they have
/// loopback addresses of their own.
const FIRST_CONNECTION: u64 = 100_000_000;

/// The plan of an attacker.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) to: SocketAddr,
    /// Bytes to send first, once.
    pub(crate) greeting: Vec<u8>,
    /// Bytes to send repeatedly after that.
    pub(crate) body: Arc<[u8]>,
    pub(crate) manner: Manner,
}

impl Peer {
    /// Returns the number of bytes to send once.
    fn once(&self) -> usize {
        self.greeting.len() + self.body.len()
    }
}

/// The way in which an attacker sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends nothing, and closes the connection once it is established.
    HangUp,
    /// Sends a single byte from time to time.
    Dribble,
    /// Sends as much as the server accepts, and reads and drops its answers.
    Flood,
    /// Sends as much as the server accepts, and does not read its answers.
    FloodDeaf,
    /// Sends everything once, and nothing more.
    Once,
    /// Sends everything once, closes the connection, and opens the next one.
    ComeBack,
}

/// Counts of an attack.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Number of attempts to connect.
    pub(crate) attempts: u64,
    /// Number of established connections.
    pub(crate) connected: u64,
    /// Number of connections that the server has ended.
    pub(crate) ended: u64,
    pub(crate) bytes: u64,
}

/// A running attack. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Attack {
    tally: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Attack {
    pub(crate) fn begin(peers: Vec<Peer>, per_address: u32) -> anyhow::Result<Self> {
        let (tally, stop) = (Arc::<Mutex<Tally>>::default(), Arc::<AtomicBool>::default());
        let slots = peers.into_iter().map(|peer| Slot { peer, connection: None }).collect();
        let poll = Poll::new()?;
        let mut attackers = Attackers {
            registry: poll.registry().try_clone()?,
            slots,
            per_address,
            beat: Instant::now(),
            eager: Vec::new(),
            tally: Tally::default(),
            shared: Arc::clone(&tally),
            stop: Arc::clone(&stop),
            buffer: vec![0; TURN_BYTES],
        };
        // If it cannot wait for sockets, the tally stops, and the scenario reports that.
        let run = move || drop(event_loop::run(poll, &mut attackers));
        let thread = std::thread::Builder::new().name("attackers".to_owned()).spawn(run)?;
        Ok(Self { tally, stop, thread: Some(thread) })
    }

    /// Returns the counts so far.
    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        _ = self.thread.take().map(JoinHandle::join);
    }
}

#[derive(Debug)]
struct Slot {
    peer: Peer,
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    stands: bool,
    /// Number of bytes sent, of the greeting and then repeatedly of the body.
    sent: usize,
}

#[derive(Debug)]
struct Attackers {
    registry: Registry,
    slots: Vec<Slot>,
    per_address: u32,
    /// Time of the next byte of slow senders.
    beat: Instant,
    /// Slots whose socket accepts more than they may send in one turn.
    eager: Vec<usize>,
    tally: Tally,
    /// The tally after each turn.
    shared: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
    buffer: Vec<u8>,
}

impl Sockets for Attackers {
    fn wait(&mut self) -> Option<Duration> {
        /// Maximum delay until an attack ends.
        const LONGEST: Duration = Duration::from_millis(50);

        let wait = self.beat.saturating_duration_since(Instant::now());
        Some(if self.eager.is_empty() { wait.min(LONGEST) } else { Duration::ZERO })
    }

    fn ready(&mut self, event: &Event) -> io::Result<()> {
        let Token(slot) = event.token();
        let is_there = !event.is_readable() || self.drop_answers(slot, event.is_read_closed());
        if is_there && event.is_writable() {
            self.eager.push(slot);
        }
        Ok(())
    }

    fn turn(&mut self) -> ControlFlow<()> {
        let mut turns = std::mem::take(&mut self.eager);
        turns.sort_unstable();
        turns.dedup();
        self.eager = turns.into_iter().filter(|slot| self.send(*slot)).collect();
        if self.beat <= Instant::now() {
            self.beat += BEAT_INTERVAL;
            for slot in 0..self.slots.len() {
                self.beat(slot);
            }
        }
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = self.tally;
        match self.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Attackers {
    fn beat(&mut self, slot: usize) {
        let Slot { peer, connection } = &mut self.slots[slot];
        match connection {
            None => self.connect(slot),
            Some(connection) if peer.manner == Manner::Dribble && connection.stands => {
                self.write(slot, 1);
            }
            // By the next beat the server has read it, or never will. Closing at once would discard
            // it.
            Some(connection) if peer.manner == Manner::ComeBack && connection.sent == peer.once() => {
                self.slots[slot].connection = None;
                self.connect(slot);
            }
            Some(_) => {}
        }
    }

    fn connect(&mut self, slot: usize) {
        let source = address::source(FIRST_CONNECTION + self.tally.attempts, self.per_address);
        self.tally.attempts += 1;
        let Slot { peer, connection } = &mut self.slots[slot];
        let connected = address::connect(&self.registry, Token(slot), peer.to, source, false);
        // A peer that cannot connect tries again later.
        *connection = connected.ok().map(|stream| {
            let socket = Socket::new(stream);
            Connection { socket, stands: false, sent: 0 }
        });
    }

    /// Sends as much as one turn allows; returns whether the socket would accept more.
    fn send(&mut self, slot: usize) -> bool {
        let Slot { peer, connection: Some(connection) } = &mut self.slots[slot] else { return false };
        if !connection.stands {
            if !matches!(connection.socket.stream.take_error(), Ok(None)) {
                self.end(slot);
                return false;
            }
            connection.stands = true;
            self.tally.connected += 1;
        }
        match peer.manner {
            Manner::HangUp => {
                self.slots[slot].connection = None;
                self.connect(slot);
                false
            }
            Manner::Dribble => false,
            Manner::Flood | Manner::FloodDeaf => self.write(slot, TURN_BYTES),
            Manner::Once | Manner::ComeBack => {
                let left = peer.once() - connection.sent;
                self.write(slot, left.min(TURN_BYTES)) && left > TURN_BYTES
            }
        }
    }

    /// Sends at most `most` bytes; returns whether the socket has accepted all of them.
    fn write(&mut self, slot: usize, most: usize) -> bool {
        let Slot { peer, connection: Some(connection) } = &mut self.slots[slot] else { return false };
        let mut left = most;
        while left > 0 {
            let greeting = peer.greeting.get(connection.sent..).filter(|rest| !rest.is_empty());
            let rest = match greeting {
                Some(greeting) => greeting,
                None if peer.body.is_empty() => return false,
                None => &peer.body[(connection.sent - peer.greeting.len()) % peer.body.len()..],
            };
            match connection.socket.write(&rest[..rest.len().min(left)]) {
                Ok(Some(written)) => {
                    (connection.sent, left) = (connection.sent + written, left - written);
                    self.tally.bytes += written as u64;
                }
                Ok(None) => return false,
                Err(_) => {
                    self.end(slot);
                    return false;
                }
            }
        }
        true
    }

    /// Reads and drops the server's answers, unless the peer does not read; returns whether the
    /// connection still exists.
    fn drop_answers(&mut self, slot: usize, is_over: bool) -> bool {
        loop {
            let Slot { peer, connection: Some(connection) } = &mut self.slots[slot] else { return false };
            if peer.manner == Manner::FloodDeaf && !is_over {
                return true;
            }
            match connection.socket.read(&mut self.buffer) {
                Ok(Some(1..)) => {}
                Ok(None) => return true,
                Ok(Some(0)) | Err(_) => {
                    self.end(slot);
                    return false;
                }
            }
        }
    }

    fn end(&mut self, slot: usize) {
        if self.slots[slot].connection.take().is_some_and(|connection| connection.stands) {
            self.tally.ended += 1;
        }
    }
}

/// Returns random bytes, or unknown commands, in a wire format.
pub(crate) fn garbage(format: WireFormat, is_random: bool) -> Vec<u8> {
    const SIZE: usize = 64 * 1024;

    if is_random {
        let mut bytes = vec![0; SIZE];
        faf_bots::Rng::seed_from_u64(format as u64).fill(&mut bytes[..]);
        return bytes;
    }
    let mut bytes = Vec::new();
    for number in 0..1000 {
        let message = format!(r#"{{"command":"nonsense_{number}","argument":[1,2,{{"x":null}}]}}"#);
        crate::messages::encode(format, &message, &mut bytes);
    }
    bytes
}
