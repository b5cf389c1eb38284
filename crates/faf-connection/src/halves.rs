//! The two directions of a stream: of a TCP socket, or of anything else.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::unconstrained;

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::tcp::UNSENT_WHEN_SHORT_BYTES;

/// Most pieces of one vectored write; the kernel accepts at most 1,024.
pub(crate) const SLICES: usize = 64;

/// A write to a closed socket returns an error instead of raising SIGPIPE.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
/// Other systems do not have this flag; Rust programs usually ignore the signal.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NO_SIGNAL: i32 = 0;

/// The receiving direction.
pub(crate) enum ReadHalf {
    Tcp(OwnedReadHalf),
    Other(Box<dyn AsyncRead + Send + Unpin>),
}

/// The sending direction.
pub(crate) enum WriteHalf {
    Tcp(OwnedWriteHalf),
    Other(Box<dyn AsyncWrite + Send + Unpin>),
}

impl WriteHalf {
    /// Writes as many bytes of these pieces as the stream takes at once, without waiting and
    /// without registering a waker.
    ///
    /// Returns the number of bytes written, and whether everything is written and flushed.
    pub(crate) fn write_at_once(&mut self, pieces: &[Bytes]) -> io::Result<(usize, bool)> {
        // One piece is the usual case, and cheaper without a list. After a short write the socket
        // is full, so there is no second attempt.
        if let [single] = pieces
            && !single.is_empty()
        {
            return match self.try_write(&[IoSlice::new(single)]) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => Ok((written, written == single.len() && self.is_flushed()?)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((0, false)),
                Err(error) => Err(error),
            };
        }
        let mut written = 0;
        for pieces in pieces.chunks(SLICES) {
            let mut slices = [IoSlice::new(&[]); SLICES];
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(piece);
            }
            let mut left = &mut slices[..pieces.len()];
            // Skips empty pieces: a write of zero bytes would look like the end of the stream.
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                match self.try_write(left) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        written += count;
                        IoSlice::advance_slices(&mut left, count);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((written, false)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok((written, self.is_flushed()?))
    }

    /// Limits the unsent bytes in the socket to [`UNSENT_WHEN_SHORT_BYTES`], where the operating
    /// system supports that.
    pub(crate) fn keep_unsent_short(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Self::Tcp(socket) = self {
            // Fails for a closed socket, which the next write reports.
            let _ = SockRef::from(socket.as_ref()).set_tcp_notsent_lowat(UNSENT_WHEN_SHORT_BYTES);
        }
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => send(socket.as_ref(), slices),
            Self::Other(stream) => poll_once(|cx| Pin::new(&mut *stream).poll_write_vectored(cx, slices)),
        }
    }

    fn is_flushed(&mut self) -> io::Result<bool> {
        match self {
            Self::Tcp(_) => Ok(true),
            Self::Other(stream) => match poll_once(|cx| Pin::new(&mut *stream).poll_flush(cx)) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(error),
            },
        }
    }
}

/// Sends without asking the runtime whether the socket is ready: the system call returns that, too,
/// and reading the runtime's state costs a cache miss for each of thousands of sockets.
fn send(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    match slices {
        [single] => socket.send_with_flags(single, NO_SIGNAL),
        several => socket.send_vectored_with_flags(several, NO_SIGNAL),
    }
}

/// Polls once. Pending becomes [`io::ErrorKind::WouldBlock`].
fn poll_once<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    // With the runtime's cooperative budget, a task that writes to thousands of streams in a row
    // would find some of them pending.
    let mut polled = pin!(unconstrained(std::future::poll_fn(poll)));
    match polled.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Other(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
