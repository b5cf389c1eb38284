//! One thread with its share of the clients: it waits until a socket is ready, reads, counts, and
//! follows orders.

mod connecting;
mod reading;

use std::collections::{HashSet, VecDeque};
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
use crate::swarm::client::{Client, Common, Order};
use crate::swarm::event_loop::{self, Sockets};
use crate::swarm::login::Patterns;
use crate::swarm::marker::MarkerFinder;
use crate::swarm::timers::{Task, Timer, Timers};

/// Token of the waker, which wakes the thread for an order.
pub(crate) const ORDERS: Token = Token(usize::MAX);

/// Size in bytes of the read buffer, which all connections of a thread share.
const BUFFER: usize = 256 * 1024;

/// State of a thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) registry: Registry,
    pub(crate) orders: Receiver<Order>,
    pub(crate) common: Arc<Common>,
    pub(crate) shared: Arc<Mutex<Sample>>,
    pub(crate) clients: Vec<Client>,
    formats: [FormatPatterns; 3],
    moved: Option<Vec<SocketAddr>>,
    timers: Timers,
    rng: Rng,
    buffer: Vec<u8>,
    /// Counts and durations since the thread last waited.
    sample: Sample,
    /// Clients that wait for their login.
    queue: VecDeque<usize>,
    logging_in: usize,
    at_once: usize,
    retry: bool,
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
        orders: Receiver<Order>,
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

    fn follow(&mut self, order: Order) {
        match order {
            Order::LogIn { clients, at_once, retry } => {
                (self.at_once, self.retry) = (at_once, retry);
                self.queue.extend(clients);
            }
            Order::Cycle { clients, at_once, pause } => {
                self.at_once = at_once;
                for client in clients {
                    self.clients[client].cycles = Some(pause);
                    self.queue.push_back(client);
                }
            }
            Order::LogOut { clients } => {
                let leaving: HashSet<_> = clients.iter().copied().collect();
                self.queue.retain(|client| !leaving.contains(client));
                for client in clients {
                    self.clients[client].cycles = None;
                    self.close(client);
                }
            }
            Order::Read { clients, reading } => {
                for client in clients {
                    self.set_reading(client, reading);
                }
            }
            Order::Command(command) => {
                for client in 0..self.clients.len() {
                    self.act(client, |actor, context| actor.on_command(command, context));
                }
            }
            Order::Move(addresses) => self.moved = Some(addresses),
            Order::Stop => {}
        }
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
            if matches!(order, Order::Stop) {
                return ControlFlow::Break(());
            }
            self.follow(order);
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
