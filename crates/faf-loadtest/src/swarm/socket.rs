//! A non-blocking socket, with the bytes that it has not accepted yet.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

/// A socket of the [`event_loop`](crate::swarm::event_loop).
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    /// Bytes that the stream has not accepted yet.
    pending: Vec<u8>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, pending: Vec::new() }
    }

    /// Sends bytes, or keeps those that the socket does not accept.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) {
        if self.pending.is_empty() {
            while !bytes.is_empty() {
                match self.write(bytes) {
                    Ok(Some(written)) => bytes = &bytes[written..],
                    Ok(None) => break,
                    // The next read or event of the socket reports the error.
                    Err(_) => return,
                }
            }
        }
        self.pending.extend_from_slice(bytes);
    }

    /// Sends kept bytes, when the socket accepts more.
    pub(crate) fn flush(&mut self) {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.send(&pending);
        }
    }

    /// Number of bytes that the socket has not accepted yet.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Writes once; `None` if the socket accepts nothing at the moment.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        at_once(|| self.stream.write(bytes))
    }

    /// Reads once; `None` if nothing has arrived at the moment.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        at_once(|| self.stream.read(buffer))
    }
}

fn at_once(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match operation() {
            Ok(size) => return Ok(Some(size)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}
