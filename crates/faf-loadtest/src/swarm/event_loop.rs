//! The loop that waits for sockets: clients, attackers and the minimal broadcaster all run in it,
//! each on a thread of its own.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll};

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;

/// Handles the sockets that are ready.
pub(crate) trait Sockets {
    /// How long to wait for a socket if none is ready; `None` without an end.
    fn wait(&mut self) -> Option<Duration>;

    /// A socket is ready.
    ///
    /// # Errors
    /// The error ends the loop.
    fn ready(&mut self, event: &Event) -> io::Result<()>;

    /// Follows each wait: for everything that is not about one socket.
    fn turn(&mut self) -> ControlFlow<()>;
}

/// Waits for sockets until there is nothing more to do.
///
/// # Errors
/// If waiting fails, or a socket says so.
pub(crate) fn run(mut poll: Poll, sockets: &mut impl Sockets) -> io::Result<()> {
    let mut events = Events::with_capacity(EVENTS);
    loop {
        match poll.poll(&mut events, sockets.wait()) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            sockets.ready(event)?;
        }
        if sockets.turn().is_break() {
            return Ok(());
        }
    }
}
