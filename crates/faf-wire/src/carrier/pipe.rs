//! Passes bytes on between a client and a server, both ways, without changing or delaying them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use faf_client::ServerStream;
use faf_sessions::recording::Side;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::queue::Copies;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer for all connections: what cannot be passed on at once is copied out of it.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Passes bytes on until both sides have ended, or one has failed. If a side has failed, the other
/// connection is reset, too. `first` are bytes that the client has sent already.
pub(super) async fn pass_on(
    mut client: TcpStream,
    mut server: ServerStream,
    first: Vec<u8>,
    copies: &mut Copies,
) -> io::Result<()> {
    let mut up = Direction { side: Side::Client, unsent: first, state: State::Passing, is_unflushed: false };
    let mut down =
        Direction { side: Side::Server, unsent: Vec::new(), state: State::Passing, is_unflushed: false };
    let done = poll_fn(|context| {
        let up = up.poll(context, &mut client, &mut server, copies)?;
        let down = down.poll(context, &mut server, &mut client, copies)?;
        if up.is_ready() && down.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await;
    if done.is_err() {
        // If this fails, the connection ends as if nothing had happened to the other one.
        let _ = client.set_zero_linger();
        let _ = server.tcp().set_zero_linger();
    }
    done
}

/// One direction of a connection.
struct Direction {
    /// The side whose bytes these are.
    side: Side,
    /// Bytes that the receiver has not taken yet.
    unsent: Vec<u8>,
    state: State,
    /// Whether bytes may wait in the stream to the receiver.
    is_unflushed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Passing,
    /// The sender has ended, and the receiver does not know it yet.
    Ending,
    Ended,
}

impl Direction {
    fn poll<R, W>(
        &mut self,
        context: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        copies: &mut Copies,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            // Nothing is read before everything has been passed on, so no backlog grows here.
            while !self.unsent.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(context, &self.unsent));
                let written = self.check(written, copies, true)?;
                self.unsent.drain(..written);
                self.is_unflushed = true;
            }
            // An idle connection keeps no memory for bytes.
            self.unsent = Vec::new();
            match self.state {
                State::Passing => {
                    let Poll::Ready(read) = self.poll_read(context, from, to, copies) else {
                        if self.is_unflushed {
                            let flushed = ready!(Pin::new(&mut *to).poll_flush(context));
                            self.check(flushed.map(|()| 1), copies, true)?;
                            self.is_unflushed = false;
                        }
                        return Poll::Pending;
                    };
                    if self.check(read, copies, false)? == 0 {
                        copies.ended(self.side);
                        self.state = State::Ending;
                    }
                }
                State::Ending => {
                    // The receiver may have gone, and its own end will say how.
                    let _ = ready!(Pin::new(&mut *to).poll_shutdown(context));
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Reads bytes, copies them and passes on as many as the receiver takes; returns the number
    /// that was read.
    fn poll_read<R, W>(
        &mut self,
        context: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        copies: &mut Copies,
    ) -> Poll<io::Result<usize>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match ready!(Pin::new(from).poll_read(context, &mut buffer)) {
                Ok(()) => {}
                // TLS that ends without saying so.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(0)),
                Err(error) => return Poll::Ready(Err(error)),
            }
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(0));
            }
            // Before they are passed on, so that the answer cannot be copied before the question.
            copies.bytes(self.side, bytes);
            let written = match Pin::new(to).poll_write(context, bytes) {
                Poll::Ready(written) => self.check(written, copies, true)?,
                Poll::Pending => 0,
            };
            self.unsent.extend_from_slice(&bytes[written..]);
            self.is_unflushed = true;
            Poll::Ready(Ok(bytes.len()))
        })
    }

    /// Notes which side has failed: the receiver, if this was a write.
    fn check(&self, done: io::Result<usize>, copies: &mut Copies, is_write: bool) -> io::Result<usize> {
        if done.is_err() {
            let receiver = match self.side {
                Side::Client => Side::Server,
                Side::Server => Side::Client,
            };
            copies.ended(if is_write { receiver } else { self.side });
        }
        done
    }
}
