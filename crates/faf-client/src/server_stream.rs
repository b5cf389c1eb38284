use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;

/// The bytes of a connection to a server, with or without TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerStream {
    /// Bytes over TCP.
    Tcp(TcpStream),
    /// Bytes over TLS.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl ServerStream {
    /// Returns the TCP connection, for its options. Bytes must not be read or written there.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// Applies the same expression to either stream.
macro_rules! each {
    ($stream:expr, $inner:ident => $result:expr) => {
        match $stream.get_mut() {
            ServerStream::Tcp(stream) => {
                let $inner = Pin::new(stream);
                $result
            }
            #[cfg(feature = "tls")]
            ServerStream::Tls(stream) => {
                let $inner = Pin::new(stream.as_mut());
                $result
            }
        }
    };
}

impl AsyncRead for ServerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_shutdown(context))
    }
}
