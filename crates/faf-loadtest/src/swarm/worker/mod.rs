//! One thread with its share of the clients: it waits until a socket is ready, reads, counts, and
//! follows orders.

mod connecting;
mod reading;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use faf_bots::Rng;
use faf_protocol::WireFormat;
use mio::event::Event;
use mio::{Poll, Registry, Token};
use rand::SeedableRng;

use crate::report::sample::Sample;
use crate::swarm::client::{Client, Common};
use crate::swarm::event_loop::{self, Sockets};
use crate::swarm::login::Patterns;
use crate::swarm::marker::MarkerFinder;
use crate::swarm::timers::{Task, Timer, Timers};

/// Token of the waker, which wakes the thread for an order.
pub(crate) const ORDERS: Token = Token(usize::MAX);

/// Size in bytes of the read buffer, which all connections of a thread share.
const BUFFER: usize = 256 * 1024;

/// An order to a thread, which executes it between two waits.
pub(crate) type Order = Box<dyn FnOnce(&mut Worker) + Send>;

/// State of a thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) registry: Registry,
    /// Orders; `None` ends the thread.
    pub(crate) orders: Receiver<Option<Order>>,
    pub(crate) common: Arc<Common>,
    pub(crate) shared: Arc<Mutex<Sample>>,
    pub(crate) clients: Vec<Client>,
    formats: [FormatPatterns; 3],
    pub(crate) moved: Option<Vec<SocketAddr>>,
    timers: Timers,
    rng: Rng,
    buffer: Vec<u8>,
    /// Counts and durations since the thread last waited.
    sample: Sample,
    /// Clients that wait for their login.
    pub(crate) queue: VecDeque<usize>,
    logging_in: usize,
    pub(crate) at_once: usize,
    pub(crate) retry: bool,
}

/// Search patterns of a format.
#[derive(Debug)]
struct FormatPatterns {
    patterns: Patterns,
    markers: MarkerFinder,
}

impl Worker {
    pub(crate) fn new(
        registry: Registry,
        orders: Receiver<Option<Order>>,
        common: Arc<Common>,
        shared: Arc<Mutex<Sample>>,
        clients: Vec<Client>,
    ) -> Self {
        // Each thread has a different seed.
        let rng = Rng::seed_from_u64(clients.first().map_or(0, |client| client.number.into()));
        Self {
            registry,
            orders,
            common,
            shared,
            clients,
            formats: WireFormat::ALL.map(|format| FormatPatterns {
                patterns: Patterns::new(format),
                markers: MarkerFinder::new(format),
            }),
            moved: None,
            timers: Timers::default(),
            rng,
            buffer: vec![0; BUFFER],
            sample: Sample::default(),
            queue: VecDeque::new(),
            logging_in: 0,
            at_once: 1,
            retry: false,
        }
    }

    /// Runs until the order to stop.
    pub(crate) fn run(mut self, poll: Poll) {
        if let Err(error) = event_loop::run(poll, &mut self) {
            self.sample.fail(|| format!("waiting for sockets: {error}"));
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).absorb(&mut self.sample);
    }

    fn run_task(&mut self, Timer { client, connection, task, .. }: Timer) {
        if self.clients[client].connections != connection {
            return;
        }
        match task {
            Task::Wake => self.act(client, |actor, context| actor.due(context)),
            Task::Trickle => {
                let Some(peer) = &mut self.clients[client].connection else { return };
                match peer.socket.read(&mut self.buffer[..1]) {
                    Ok(Some(0)) | Err(_) => self.lose(client, "the end of the stream"),
                    Ok(_) => self.later(client, Duration::from_secs(1), Task::Trickle),
                }
            }
            Task::Retry if self.retry || self.clients[client].cycles.is_some() => {
                self.queue.push_back(client);
            }
            // The client was ordered to stay away.
            Task::Retry => {}
            Task::Return => self.queue.push_back(client),
        }
    }

    fn later(&mut self, client: usize, wait: Duration, task: Task) {
        let connection = self.clients[client].connections;
        self.timers.add(Timer { at: Instant::now() + wait, client, connection, task });
    }
}

impl Sockets for Worker {
    fn wait(&mut self) -> Option<Duration> {
        if self.may_begin() { Some(Duration::ZERO) } else { self.timers.wait(Instant::now()) }
    }

    fn ready(&mut self, event: &Event) -> io::Result<()> {
        if event.token() != ORDERS {
            self.handle(event);
        }
        Ok(())
    }

    fn turn(&mut self) -> ControlFlow<()> {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Some(order) => order(self),
                None => return ControlFlow::Break(()),
            }
        }
        // Timers that become due in the meantime wait for the next iteration: a thread that cannot
        // keep up must still follow orders and read.
        let now = Instant::now();
        while let Some(timer) = self.timers.take_due(now) {
            self.run_task(timer);
        }
        self.begin_logins();
        self.publish();
        ControlFlow::Continue(())
    }
}
