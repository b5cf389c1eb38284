//! All clients, on few threads, and the handle with which a scenario gives them orders.
//!
//! URLs, credentials and the messages of a login are those of [`faf_client`]; sockets and framing
//! are not, because one thread waits for thousands of non-blocking sockets in one epoll loop, and
//! counts their messages without decoding them.

pub(crate) mod address;
pub(crate) mod attack;
mod client;
pub(crate) mod connection;
mod counter;
pub(crate) mod credentials;
pub(crate) mod event_loop;
mod login;
pub(crate) mod marker;
pub(crate) mod socket;
mod timers;
mod worker;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use mio::{Poll, Waker};

use crate::actors::{Actor, ActorCommand};
use crate::options::RunOptions;
use crate::report::sample::Sample;
use crate::swarm::address::Endpoint;
use crate::swarm::client::{Client, Common};
use crate::swarm::connection::Reading;
use crate::swarm::credentials::Credentials;
use crate::swarm::worker::{ORDERS, Order, Worker};

/// The initial configuration of a client.
#[derive(Debug, Default)]
pub(crate) struct Role {
    /// Behaviour of the client; a client without an actor sends nothing.
    pub(crate) actor: Option<Box<dyn Actor>>,
    /// Size of the receive buffer in the kernel, from the moment when the client stops reading.
    pub(crate) receive_buffer: Option<usize>,
    /// Whether the client searches in queues, which the server must have.
    pub(crate) searches: bool,
}

impl Role {
    pub(crate) fn acting(actor: impl Actor + 'static) -> Self {
        Self { actor: Some(Box::new(actor)), ..Self::default() }
    }

    pub(crate) fn searching(actor: impl Actor + 'static) -> Self {
        Self { searches: true, ..Self::acting(actor) }
    }
}

/// Clients with numbers from 0, on threads that end when this is dropped.
#[derive(Debug)]
pub(crate) struct Swarm {
    common: Arc<Common>,
    threads: Vec<Thread>,
}

#[derive(Debug)]
struct Thread {
    orders: mpsc::Sender<Option<Order>>,
    waker: Waker,
    sample: Arc<Mutex<Sample>>,
    handle: Option<JoinHandle<()>>,
}

impl Swarm {
    pub(crate) fn start(
        endpoints: Vec<Endpoint>,
        credentials: Credentials,
        run: &RunOptions,
        roles: Vec<Role>,
    ) -> anyhow::Result<Self> {
        let clients = roles.len() as u32;
        let common = Arc::new(Common {
            endpoints,
            credentials,
            per_address: run.per_address,
            connections: AtomicU64::new(0),
            online: AtomicUsize::new(0),
            every: clients.div_ceil(run.sampled.max(1)).max(1),
        });
        let mut shares: Vec<_> = (0..run.threads).map(|_| Vec::new()).collect();
        for (number, role) in roles.into_iter().enumerate() {
            shares[number % run.threads].push(Client::new(number as u32, role));
        }
        let threads = shares.into_iter().map(|clients| Thread::start(clients, &common));
        Ok(Self { threads: threads.collect::<Result<_, _>>()?, common })
    }

    /// Number of clients that are logged in.
    pub(crate) fn online(&self) -> usize {
        self.common.online.load(Ordering::Relaxed)
    }

    /// Returns the counts and durations since the last call.
    pub(crate) fn drain(&self) -> Sample {
        let mut sum = Sample::default();
        for thread in &self.threads {
            sum.add(std::mem::take(&mut *thread.sample.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        sum
    }

    /// Returns the messages that log this client in.
    pub(crate) fn login_messages(&self, client: u32) -> impl Iterator<Item = String> {
        self.common.credentials.messages(client)
    }

    /// Logs clients in, at most `at_once` at a time; with `retry` they try until they succeed.
    pub(crate) fn log_in(&self, clients: impl IntoIterator<Item = u32>, at_once: usize, retry: bool) {
        let at_once = at_once.div_ceil(self.threads.len());
        self.order(clients, move |worker, clients| {
            (worker.at_once, worker.retry) = (at_once, retry);
            worker.queue.extend(clients);
        });
    }

    /// Closes the connections of clients.
    pub(crate) fn log_out(&self, clients: impl IntoIterator<Item = u32>) {
        self.order(clients, |worker, clients| {
            let leaving: HashSet<_> = clients.iter().copied().collect();
            worker.queue.retain(|client| !leaving.contains(client));
            for client in clients {
                worker.clients[client].cycles = None;
                worker.close(client);
            }
        });
    }

    /// Logs clients in and out repeatedly, with a pause between, at most `at_once` at a time.
    pub(crate) fn cycle(&self, clients: impl IntoIterator<Item = u32>, at_once: usize, pause: Duration) {
        let at_once = at_once.div_ceil(self.threads.len());
        self.order(clients, move |worker, clients| {
            worker.at_once = at_once;
            for client in clients {
                worker.clients[client].cycles = Some(pause);
                worker.queue.push_back(client);
            }
        });
    }

    /// Changes the reading speed of clients.
    pub(crate) fn read(&self, clients: impl IntoIterator<Item = u32>, reading: Reading) {
        self.order(clients, move |worker, clients| {
            for client in clients {
                worker.set_reading(client, reading);
            }
        });
    }

    /// Sends a command to all actors.
    pub(crate) fn send_command(&self, command: ActorCommand) {
        self.order([], move |worker, _| {
            for client in 0..worker.clients.len() {
                worker.act(client, |actor, context| actor.on_command(command, context));
            }
        });
    }

    /// Sets the new addresses of a restarted server, in the order of the endpoints.
    pub(crate) fn relocate(&self, endpoints: &[Endpoint]) {
        let addresses: Vec<_> = endpoints.iter().map(|endpoint| endpoint.address).collect();
        self.order([], move |worker, _| worker.moved = Some(addresses.clone()));
    }

    /// Gives an order to all threads, each with its share of the clients.
    fn order(
        &self,
        clients: impl IntoIterator<Item = u32>,
        order: impl Fn(&mut Worker, Vec<usize>) + Clone + Send + 'static,
    ) {
        let count = self.threads.len();
        let mut shares: Vec<_> = (0..count).map(|_| Vec::new()).collect();
        for client in clients {
            shares[client as usize % count].push(client as usize / count);
        }
        for (thread, share) in self.threads.iter().zip(shares) {
            let order = order.clone();
            thread.order(Some(Box::new(move |worker| order(worker, share))));
        }
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            thread.order(None);
            // If it panicked, it has reported that.
            _ = thread.handle.take().map(JoinHandle::join);
        }
    }
}

impl Thread {
    fn start(clients: Vec<Client>, common: &Arc<Common>) -> anyhow::Result<Self> {
        let poll = Poll::new().context("cannot wait for sockets")?;
        let registry = poll.registry().try_clone().context("cannot wait for sockets")?;
        let waker = Waker::new(&registry, ORDERS).context("cannot wait for sockets")?;
        let sample = Arc::new(Mutex::new(Sample::default()));
        let (orders, received) = mpsc::channel();
        let worker = Worker::new(registry, received, Arc::clone(common), Arc::clone(&sample), clients);
        let builder = std::thread::Builder::new().name("clients".to_owned());
        let handle = builder.spawn(move || worker.run(poll)).context("cannot start a thread")?;
        Ok(Self { orders, waker, sample, handle: Some(handle) })
    }

    /// Gives the thread an order, or ends it.
    fn order(&self, order: Option<Order>) {
        // A thread that has ended has reported the reason.
        if self.orders.send(order).is_ok() {
            _ = self.waker.wake();
        }
    }
}
