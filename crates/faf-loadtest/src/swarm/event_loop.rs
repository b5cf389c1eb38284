//! The loop that waits for sockets. Clients, attackers and the minimal broadcaster use it, each on
//! a thread of their own.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll};

/// Maximum number of events taken from the kernel at once.
const EVENTS: usize = 1024;

/// Handles the sockets that are ready.
pub(crate) trait Sockets {
    /// Time to wait for a socket if none is ready; `None` for no limit.
    fn wait(&mut self) -> Option<Duration>;

    /// Handles a socket that is ready.
    ///
    /// # Errors
    /// An error ends the loop.
    fn ready(&mut self, event: &Event) -> io::Result<()>;

    /// Runs after each wait, for all work that does not belong to one socket.
    fn turn(&mut self) -> ControlFlow<()>;
}

/// Waits for sockets until there is nothing more to do.
///
/// # Errors
/// If waiting fails, or if a handler returns an error.
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
