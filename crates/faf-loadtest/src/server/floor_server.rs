//! The minimal broadcaster: accepts all connections, writes the same bytes to each, and reads
//! nothing.

#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Interest, Poll, Registry, Token};
use serde_json::json;
use socket2::{Domain, Type};

use crate::scenarios::floor::Write;
use crate::swarm::event_loop::{self, Sockets};
use crate::swarm::marker::stamped;
use crate::swarm::socket::Socket;

const LISTENER: Token = Token(usize::MAX);

/// Maximum number of connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// Maximum number of bytes that wait for one client before it is disconnected.
const PENDING: usize = 16 * 1024 * 1024;

/// Write bytes to all connections
#[derive(Debug, Clone, Args)]
pub(crate) struct FloorServer {
    #[arg(long)]
    pub(crate) rate: f64,
    #[arg(long)]
    pub(crate) joined: u32,
    #[arg(long)]
    pub(crate) size: usize,
    #[arg(long, value_enum)]
    pub(crate) write: Write,
}

/// A running broadcaster.
#[derive(Debug)]
struct Broadcaster {
    plan: FloorServer,
    registry: Registry,
    listener: TcpListener,
    /// Time of the next message.
    next: Instant,
    peers: Vec<Option<Socket>>,
}

impl FloorServer {
    /// Returns the command line for these options.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { rate, joined, size, write } = self;
        let write = write.to_possible_value().expect("each has a name");
        let numbers = [format!("--rate={rate}"), format!("--joined={joined}"), format!("--size={size}")];
        numbers.into_iter().chain([format!("--write={}", write.get_name())]).collect()
    }

    /// Serves until it is killed.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        rlimit::increase_nofile_limit(u64::MAX)?;
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let url = format!("tcp://{}", listener.local_addr()?);
        // In the same form as the lobby with `banner = "json"`.
        println!("{}", json!({"ready": true, "listening": {"simple-json": url}, "text": url}));
        let registry = poll.registry().try_clone()?;
        let next = Instant::now() + self.interval();
        let mut broadcaster = Broadcaster { plan: self.clone(), registry, listener, next, peers: Vec::new() };
        Ok(event_loop::run(poll, &mut broadcaster)?)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }
}

impl Sockets for Broadcaster {
    fn wait(&mut self) -> Option<Duration> {
        Some(self.next.saturating_duration_since(Instant::now()))
    }

    fn ready(&mut self, event: &Event) -> io::Result<()> {
        match event.token() {
            LISTENER => self.accept()?,
            Token(index) if event.is_read_closed() || event.is_error() => self.peers[index] = None,
            Token(index) => {
                if let Some(peer) = &mut self.peers[index] {
                    peer.flush();
                }
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> ControlFlow<()> {
        if Instant::now() >= self.next {
            self.next += self.plan.interval();
            self.broadcast();
        }
        ControlFlow::Continue(())
    }
}

impl Broadcaster {
    fn broadcast(&mut self) {
        let message = stamped(self.plan.size.saturating_sub(1)) + "\n";
        let (bytes, writes) = match self.plan.write {
            Write::Each => (message, self.plan.joined),
            Write::Joined => (message.repeat(self.plan.joined as usize), 1),
        };
        for _ in 0..writes {
            for slot in &mut self.peers {
                let Some(peer) = slot else { continue };
                peer.send(bytes.as_bytes());
                if peer.pending() > PENDING {
                    *slot = None;
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    stream.set_nodelay(true)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    self.registry.register(&mut stream, Token(self.peers.len()), interest)?;
                    self.peers.push(Some(Socket::new(stream)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
