//! The minimal broadcaster: accepts everybody, writes the same bytes to all of them, reads nothing.

#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use clap::Args;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::marker::stamped;
use crate::scenarios::floor::Write;

const LISTENER: Token = Token(usize::MAX);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Bytes that may wait for one client before it is given up.
const PENDING: usize = 16 * 1024 * 1024;

/// Write bytes to everybody who connects
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

#[derive(Debug)]
struct Peer {
    socket: TcpStream,
    /// What the socket has not taken.
    pending: Vec<u8>,
}

impl FloorServer {
    /// The command line that means this.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { rate, joined, size, write } = self;
        let write = match write {
            Write::Each => "each",
            Write::Joined => "joined",
        };
        vec![
            format!("--rate={rate}"),
            format!("--joined={joined}"),
            format!("--size={size}"),
            format!("--write={write}"),
        ]
    }

    /// Serves until it is killed.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let limit = rlimit::increase_nofile_limit(u64::MAX)?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        let mut poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        println!("tcp://{} takes {limit} files; as others say: see all settings", listener.local_addr()?);
        let interval = Duration::from_secs_f64(1.0 / self.rate);
        let mut next = Instant::now() + interval;
        let mut events = Events::with_capacity(1024);
        let mut peers: Vec<Option<Peer>> = Vec::new();
        loop {
            poll.poll(&mut events, Some(next.saturating_duration_since(Instant::now())))?;
            for event in &events {
                match event.token() {
                    LISTENER => accept(&listener, &poll, &mut peers)?,
                    Token(index) if event.is_read_closed() || event.is_error() => peers[index] = None,
                    Token(index) => {
                        if let Some(peer) = &mut peers[index] {
                            let pending = std::mem::take(&mut peer.pending);
                            peer.write(&pending);
                        }
                    }
                }
            }
            if Instant::now() >= next {
                next += interval;
                self.broadcast(&mut peers);
            }
        }
    }

    fn broadcast(&self, peers: &mut [Option<Peer>]) {
        let message = stamped(self.size.saturating_sub(1)) + "\n";
        let (bytes, writes) = match self.write {
            Write::Each => (message, self.joined),
            Write::Joined => (message.repeat(self.joined as usize), 1),
        };
        for _ in 0..writes {
            for slot in peers.iter_mut() {
                let Some(peer) = slot else { continue };
                peer.write(bytes.as_bytes());
                if peer.pending.len() > PENDING {
                    *slot = None;
                }
            }
        }
    }
}

impl Peer {
    fn write(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        // What is wrong with the socket will be told as an event.
        let written = if self.pending.is_empty() { self.socket.write(bytes).unwrap_or(0) } else { 0 };
        self.pending.extend_from_slice(&bytes[written..]);
    }
}

fn accept(listener: &TcpListener, poll: &Poll, peers: &mut Vec<Option<Peer>>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                socket.set_nodelay(true)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut socket, Token(peers.len()), interest)?;
                peers.push(Some(Peer { socket, pending: Vec::new() }));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
