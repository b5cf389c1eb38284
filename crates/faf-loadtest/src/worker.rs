//! One thread with its share of the clients: it waits until a socket is ready, reads, counts, and does what is ordered.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use faf_protocol::WireFormat;
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};

use crate::actors::{Actor, Cue, Cues, Plaza};
use crate::address::{self, Url};
use crate::connection::{Connection, Ear, Phase, Reading};
use crate::credentials::Credentials;
use crate::login::{Login, Needles, Progress};
use crate::marker::{self, MarkerFinder};
use crate::sample::Sample;
use crate::speech;
use crate::timers::{Task, Timer, Timers};

/// Wakes the thread for an order.
pub(crate) const ORDERS: Token = Token(usize::MAX);

/// Room for what is read at once, for all connections of a thread.
const BUFFER: usize = 256 * 1024;

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;

/// Longest read in which a ping is looked for anywhere. In longer ones only at the ends: servers that hear no answer to one
/// of many pings do nothing, and looking everywhere would be paid for with every broadcast.
const SHORT_READ: usize = 256;

/// How long a client waits before it tries again to connect.
const RETRY: Duration = Duration::from_millis(100);

/// What is the same for all threads.
#[derive(Debug)]
pub(crate) struct Common {
    /// The client of a number takes the one that it falls on.
    pub(crate) urls: Vec<Url>,
    pub(crate) credentials: Credentials,
    pub(crate) per_address: u32,
    /// Connections that were made so far.
    pub(crate) connections: AtomicU64,
    /// Clients who are logged in.
    pub(crate) online: AtomicUsize,
    /// Clients of which this is a divisor look for markers.
    pub(crate) every: u32,
}

/// What a thread is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Log these in, at most so many at once.
    LogIn {
        clients: Vec<usize>,
        at_once: usize,
        retry: bool,
    },
    /// Close the connections of these.
    LogOut {
        clients: Vec<usize>,
    },
    /// Log these in and out again, over and over.
    Cycle {
        clients: Vec<usize>,
        at_once: usize,
    },
    /// These read like this from now on.
    Read {
        clients: Vec<usize>,
        reading: Reading,
    },
    /// Tell all actors.
    Cue(Cue),
    /// A server that has been started again listens there.
    Move(Vec<SocketAddr>),
    Stop,
}

/// A client, with or without a connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: u32,
    pub(crate) actor: Option<Box<dyn Actor>>,
    /// Size of the receive buffer in the kernel, for clients who will not read.
    pub(crate) receive_buffer: Option<usize>,
    connection: Option<Connection>,
    /// How many connections it has had.
    connections: u32,
    /// It misbehaves on purpose, so that it is right to end its connection.
    is_honest: bool,
    cycles: bool,
}

impl Client {
    pub(crate) fn new(number: u32, actor: Option<Box<dyn Actor>>, receive_buffer: Option<usize>) -> Self {
        Self {
            number,
            actor,
            receive_buffer,
            connection: None,
            connections: 0,
            is_honest: true,
            cycles: false,
        }
    }
}

/// The thread's share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) poll: Poll,
    pub(crate) orders: Receiver<Order>,
    pub(crate) common: Arc<Common>,
    pub(crate) shared: Arc<Mutex<Sample>>,
    pub(crate) clients: Vec<Client>,
    formats: [ForFormat; 3],
    moved: Option<Vec<SocketAddr>>,
    timers: Timers,
    plaza: Plaza,
    buffer: Vec<u8>,
    /// What has been seen since the thread last waited.
    sample: Sample,
    /// Who is to log in.
    queue: VecDeque<usize>,
    logging_in: usize,
    at_once: usize,
    retry: bool,
}

/// What to look for in each format.
#[derive(Debug)]
struct ForFormat {
    needles: Needles,
    markers: MarkerFinder,
}

impl Worker {
    pub(crate) fn new(
        poll: Poll,
        orders: Receiver<Order>,
        common: Arc<Common>,
        shared: Arc<Mutex<Sample>>,
        clients: Vec<Client>,
    ) -> Self {
        Self {
            poll,
            orders,
            common,
            shared,
            clients,
            formats: WireFormat::ALL.map(|format| ForFormat {
                needles: Needles::new(format),
                markers: MarkerFinder::new(format),
            }),
            moved: None,
            timers: Timers::default(),
            plaza: Plaza::default(),
            buffer: vec![0; BUFFER],
            sample: Sample::default(),
            queue: VecDeque::new(),
            logging_in: 0,
            at_once: 1,
            retry: false,
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let wait = self.timers.wait(Instant::now());
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    self.sample.fail(|| format!("waiting for sockets: {error}"));
                    self.publish();
                    return;
                }
                _ => {}
            }
            for event in &events {
                if event.token() != ORDERS {
                    self.handle(event);
                }
            }
            while let Ok(order) = self.orders.try_recv() {
                if matches!(order, Order::Stop) {
                    return;
                }
                self.follow(order);
            }
            while let Some(timer) = self.timers.take_due(Instant::now()) {
                self.carry_out(timer);
            }
            self.begin_logins();
            self.publish();
        }
    }

    fn publish(&mut self) {
        let sample = std::mem::take(&mut self.sample);
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).add(sample);
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::LogIn { clients, at_once, retry } => {
                (self.at_once, self.retry) = (at_once, retry);
                self.queue.extend(clients);
            }
            Order::Cycle { clients, at_once } => {
                self.at_once = at_once;
                for client in clients {
                    self.clients[client].cycles = true;
                    self.queue.push_back(client);
                }
            }
            Order::LogOut { clients } => {
                let leaving: HashSet<_> = clients.iter().copied().collect();
                self.queue.retain(|client| !leaving.contains(client));
                for client in clients {
                    self.clients[client].cycles = false;
                    self.close(client);
                }
            }
            Order::Read { clients, reading } => {
                for client in clients {
                    self.set_reading(client, reading);
                }
            }
            Order::Cue(cue) => {
                for client in 0..self.clients.len() {
                    self.act(client, |actor, cues| actor.cue(cue, cues));
                }
            }
            Order::Move(addresses) => self.moved = Some(addresses),
            Order::Stop => {}
        }
    }

    fn carry_out(&mut self, Timer { client, connection, task, .. }: Timer) {
        if self.clients[client].connections != connection {
            return;
        }
        match task {
            Task::Wake => self.act(client, |actor, cues| actor.due(cues)),
            Task::Trickle => {
                let Some(peer) = &mut self.clients[client].connection else { return };
                match peer.read(&mut self.buffer[..1]) {
                    Ok(Some(0)) | Err(_) => self.lose(client, "the end of the stream"),
                    Ok(_) => self.later(client, Duration::from_secs(1), Task::Trickle),
                }
            }
            Task::Retry if self.retry || self.clients[client].cycles => self.queue.push_back(client),
            // It was told to stay away.
            Task::Retry => {}
            Task::Return => self.queue.push_back(client),
        }
    }

    fn later(&mut self, client: usize, wait: Duration, task: Task) {
        let connection = self.clients[client].connections;
        self.timers.add(Timer { at: Instant::now() + wait, client, connection, task });
    }

    // ---- Coming and going

    fn begin_logins(&mut self) {
        while self.logging_in < self.at_once
            && let Some(client) = self.queue.pop_front()
        {
            if self.clients[client].connection.is_none() {
                self.connect(client);
            }
        }
    }

    fn connect(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let urls = &self.common.urls;
        let place = client.number as usize % urls.len();
        let to = self.moved.as_ref().map_or(urls[place].address, |moved| moved[place]);
        let number = self.common.connections.fetch_add(1, Ordering::Relaxed);
        client.connections += 1;
        let began = Instant::now();
        let connected = address::connect(to, number, self.common.per_address, client.receive_buffer);
        let registered = connected.and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(index), interest)?;
            Ok(socket)
        });
        self.logging_in += 1;
        match registered {
            Ok(socket) => {
                let mut connection = Connection::new(socket, urls[place].format, began);
                if client.number.is_multiple_of(self.common.every) {
                    connection.markers = Some(Box::default());
                }
                if client.actor.is_some() {
                    connection.ear = Some(Box::new(Ear::new(connection.format)));
                }
                client.connection = Some(connection);
            }
            Err(error) => self.fail(index, &format!("cannot connect to {to}: {error}")),
        }
    }

    /// A login came to nothing.
    fn fail(&mut self, client: usize, why: &str) {
        self.clients[client].connection = None;
        self.logging_in -= 1;
        if self.retry || self.clients[client].cycles {
            self.later(client, RETRY, Task::Retry);
        }
        if !self.retry {
            let number = self.clients[client].number + 1;
            self.sample.fail(|| format!("client {number}: {why}"));
        }
    }

    /// The connection is gone, and not because the client wanted it.
    fn lose(&mut self, index: usize, why: &str) {
        let client = &mut self.clients[index];
        let Some(connection) = client.connection.take() else { return };
        if connection.is_logged_in() {
            self.common.online.fetch_sub(1, Ordering::Relaxed);
            self.sample.lost += 1;
            self.sample.lost_honest += u64::from(client.is_honest);
            return;
        }
        let when = match &connection.phase {
            Phase::Connecting(_) => "cannot connect",
            Phase::Upgrading(..) => "no upgrade to WebSocket",
            Phase::LoggingIn(login) if !login.is_welcome() => {
                "the server ends the connection without a welcome"
            }
            _ => "the server ends the connection in the middle of the login",
        };
        self.fail(index, &format!("{when}: {why}"));
    }

    fn close(&mut self, index: usize) {
        let Some(connection) = self.clients[index].connection.take() else { return };
        match connection.phase {
            Phase::LoggedIn => _ = self.common.online.fetch_sub(1, Ordering::Relaxed),
            _ => self.logging_in -= 1,
        }
    }

    fn set_reading(&mut self, index: usize, reading: Reading) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        connection.reading = reading;
        client.is_honest = reading == Reading::Everything;
        // Errors are told in any case.
        let interest = match reading {
            Reading::Everything => Interest::READABLE | Interest::WRITABLE,
            Reading::Stalled | Reading::Trickle => Interest::WRITABLE,
        };
        if self.poll.registry().reregister(&mut connection.socket, Token(index), interest).is_err() {
            self.lose(index, "the socket is unusable");
        } else if reading == Reading::Trickle {
            self.later(index, Duration::from_secs(1), Task::Trickle);
        }
    }

    // ---- What sockets say

    fn handle(&mut self, event: &Event) {
        let Token(index) = event.token();
        let Some(connection) = self.clients.get_mut(index).and_then(|client| client.connection.as_mut())
        else {
            return;
        };
        if let Phase::Connecting(began) = connection.phase {
            match connection.socket.take_error() {
                Ok(None) if event.is_error() => return self.lose(index, "unknown error"),
                Ok(None) if !event.is_writable() => return,
                Ok(None) => self.open(index, began),
                Ok(Some(error)) | Err(error) => return self.lose(index, &error.to_string()),
            }
        } else if event.is_writable() {
            connection.flush();
        }
        if event.is_readable() || event.is_error() {
            self.read(index, event.is_read_closed() || event.is_error());
        }
    }

    /// The connection stands.
    fn open(&mut self, index: usize, began: Instant) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        let url = &self.common.urls[client.number as usize % self.common.urls.len()];
        if matches!(self.common.credentials, Credentials::None) {
            connection.phase = Phase::LoggedIn;
            self.complete(index, began);
        } else if connection.format == WireFormat::WebSocket {
            connection.phase = Phase::Upgrading(began, Vec::new());
            connection.send(&speech::upgrade(url));
        } else {
            self.log_in(index, began);
        }
    }

    fn log_in(&mut self, index: usize, began: Instant) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        connection.phase = Phase::LoggingIn(Box::new(Login::new(began)));
        let mut bytes = Vec::with_capacity(1024);
        for message in self.common.credentials.messages(client.number).into_iter().flatten() {
            speech::say(connection.format, &message, &mut bytes);
        }
        connection.send(&bytes);
    }

    fn read(&mut self, index: usize, to_the_end: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(connection) = &mut self.clients[index].connection {
            if connection.reading != Reading::Everything && !to_the_end {
                break;
            }
            match connection.read(&mut buffer) {
                Ok(Some(0)) => self.lose(index, "the end of the stream"),
                Ok(Some(size)) => {
                    self.hear(index, &buffer[..size]);
                    // The socket is empty, and the next bytes are an event of their own; but the end is not if it
                    // was told with this one.
                    if size < buffer.len() && !to_the_end {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => self.lose(index, &error.to_string()),
            }
        }
        self.buffer = buffer;
    }

    /// Bytes were received.
    fn hear(&mut self, index: usize, bytes: &[u8]) {
        let Some(connection) = &mut self.clients[index].connection else { return };
        self.sample.bytes += bytes.len() as u64;
        let format = &self.formats[connection.format as usize];
        match &mut connection.phase {
            Phase::Connecting(_) => {}
            Phase::Upgrading(began, head) => {
                head.extend_from_slice(bytes);
                let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") else { return };
                if !head.starts_with(b"HTTP/1.1 101") {
                    let line: Vec<u8> = head.iter().copied().take_while(|byte| *byte != b'\r').collect();
                    return self.lose(index, &String::from_utf8_lossy(&line));
                }
                let (began, behind) = (*began, head.split_off(end + 4));
                self.log_in(index, began);
                if !behind.is_empty() {
                    self.hear(index, &behind);
                }
            }
            Phase::LoggingIn(login) => {
                let was_welcome = login.is_welcome();
                let progress =
                    login.hear(&format.needles, &mut connection.counter, bytes, &mut self.sample.messages);
                let began = login.began;
                if login.is_welcome() && !was_welcome {
                    self.sample.welcome.record(began.elapsed());
                }
                match progress {
                    Progress::None => {}
                    Progress::Done => {
                        connection.phase = Phase::LoggedIn;
                        self.complete(index, began);
                    }
                    Progress::Refused => {
                        let said = readable(bytes);
                        return self.lose(index, &format!("the server refuses the login: {said}"));
                    }
                }
                self.listen(index, bytes);
            }
            Phase::LoggedIn => {
                self.sample.messages += connection.counter.count(bytes);
                if let Some(tail) = &mut connection.markers {
                    let now = marker::now();
                    let delivery = &mut self.sample.delivery;
                    format.markers.find(tail, bytes, |sent| delivery.record_micros(now.saturating_sub(sent)));
                }
                if connection.ear.is_some() {
                    self.listen(index, bytes);
                } else if asks_for_pong(&format.needles, bytes) {
                    let mut pong = Vec::with_capacity(32);
                    speech::say(connection.format, speech::PONG, &mut pong);
                    connection.send(&pong);
                }
            }
        }
    }

    /// All lists are there.
    fn complete(&mut self, index: usize, began: Instant) {
        self.logging_in -= 1;
        self.common.online.fetch_add(1, Ordering::Relaxed);
        self.sample.lists.record(began.elapsed());
        self.sample.logins.push(marker::now());
        if self.clients[index].cycles {
            self.close(index);
            self.queue.push_back(index);
            return;
        }
        self.act(index, |actor, cues| actor.logged_in(cues));
    }

    /// Lets the actor of a client hear what is said, if there is one.
    fn listen(&mut self, index: usize, bytes: &[u8]) {
        let Some(connection) = &mut self.clients[index].connection else { return };
        let Some(ear) = &mut connection.ear else { return };
        let messages = ear.hear(bytes);
        if messages.is_empty() {
            return;
        }
        self.act(index, |actor, cues| {
            for message in &messages {
                if message.command().as_deref() == Some("ping") {
                    cues.say.push(speech::PONG.to_owned());
                }
                actor.hear(message, cues);
            }
        });
    }

    /// Lets an actor do something, if the client has one and is logged in.
    fn act(&mut self, index: usize, what: impl FnOnce(&mut dyn Actor, &mut Cues)) {
        let client = &mut self.clients[index];
        let Some(actor) = &mut client.actor else { return };
        let Some(connection) = client.connection.as_mut().filter(|connection| connection.is_logged_in())
        else {
            return;
        };
        let mut cues = Cues {
            now: Instant::now(),
            sample: &mut self.sample,
            say: Vec::new(),
            wake: None,
            leave: None,
            plaza: &mut self.plaza,
        };
        what(actor.as_mut(), &mut cues);
        let Cues { say, wake, leave, .. } = cues;
        let mut bytes = Vec::new();
        for message in &say {
            speech::say(connection.format, message, &mut bytes);
        }
        if !bytes.is_empty() {
            connection.send(&bytes);
        }
        if let Some(at) = wake {
            let connection = client.connections;
            self.timers.add(Timer { at, client: index, connection, task: Task::Wake });
        }
        if let Some(away) = leave {
            self.close(index);
            self.later(index, away, Task::Return);
        }
    }
}

/// Whether the server asks if the client is there.
fn asks_for_pong(needles: &Needles, bytes: &[u8]) -> bool {
    let length = needles.ping.needle().len() + 12;
    if bytes.len() <= SHORT_READ {
        return needles.ping.find(bytes).is_some();
    }
    needles
        .ping
        .find(&bytes[..length])
        .or_else(|| needles.ping.find(&bytes[bytes.len() - length..]))
        .is_some()
}

/// What a server has said, for people; of UTF-16 the ASCII in it.
fn readable(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;

    let ascii = bytes.iter().filter(|byte| matches!(byte, b' '..=b'~')).take(LONGEST);
    ascii.map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use faf_protocol::Message;

    use super::*;

    #[test]
    fn a_ping_is_seen_alone_and_at_the_ends() {
        let other: Message =
            format!(r#"{{"command":"notice","text":"{}"}}"#, "x".repeat(500)).parse().unwrap();
        for format in WireFormat::ALL {
            let needles = Needles::new(format);
            let bytes = |messages: &[&Message]| -> Vec<u8> {
                messages.iter().flat_map(|message| format.encode(*message).unwrap()).collect()
            };
            assert!(asks_for_pong(&needles, &bytes(&[&Message::PING])));
            assert!(asks_for_pong(&needles, &bytes(&[&Message::PING, &other])));
            assert!(asks_for_pong(&needles, &bytes(&[&other, &Message::PING])));
            assert!(!asks_for_pong(&needles, &bytes(&[&other])));
            assert!(!asks_for_pong(&needles, &bytes(&[&Message::PONG])));
        }
    }
}
