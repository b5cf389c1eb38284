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
use crate::tcp::UNSENT_WHEN_SHORT;

/// Most pieces that one vectored write takes; the kernel takes no more than 1,024.
pub(crate) const SLICES: usize = 64;

/// A peer that is gone is an error, and no signal that ends the process.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
/// Elsewhere there is no such flag; Rust programs ignore the signal, as a rule.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NO_SIGNAL: i32 = 0;

/// Where bytes come from.
pub(crate) enum ReadHalf {
    Tcp(OwnedReadHalf),
    Other(Box<dyn AsyncRead + Send + Unpin>),
}

/// Where bytes go.
pub(crate) enum WriteHalf {
    Tcp(OwnedWriteHalf),
    Other(Box<dyn AsyncWrite + Send + Unpin>),
}

impl WriteHalf {
    /// Writes as much of these pieces as is taken at once, without waiting and without being woken
    /// later.
    ///
    /// Returns how many bytes that were, and whether nothing is left, neither here nor in a buffer
    /// of the stream.
    pub(crate) fn write_at_once(&mut self, pieces: &[Bytes]) -> io::Result<(usize, bool)> {
        // One piece is the usual case, and cheaper by itself; what it leaves is not taken a moment
        // later either.
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
            // Nothing is what a stream takes that is at its end; an empty piece must not look like
            // that.
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

    /// Has the operating system take only as much as [`UNSENT_WHEN_SHORT`] before it can be sent,
    /// where there is such a thing.
    pub(crate) fn keep_unsent_short(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Self::Tcp(socket) = self {
            // It fails for a socket that is gone, which the next write reports.
            let _ = SockRef::from(socket.as_ref()).set_tcp_notsent_lowat(UNSENT_WHEN_SHORT);
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

/// Sends without asking the runtime whether the socket takes anything: the operating system knows
/// as well, and where the runtime has noted it would have to be fetched for each of thousands of
/// sockets.
fn send(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    match slices {
        [single] => socket.send_with_flags(single, NO_SIGNAL),
        several => socket.send_vectored_with_flags(several, NO_SIGNAL),
    }
}

/// Polls without waiting; what is pending would block.
fn poll_once<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    // The runtime would make a task wait that writes to thousands of streams in a row, if it
    // counted.
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
