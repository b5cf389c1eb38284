//! A proxy that cuts connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::spawn;

/// Forwards TCP connections to a port of this machine until they are cut.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// Number of requests that are still forwarded; the reply to the last one is not. Negative for
    /// no limit.
    left: Arc<AtomicI64>,
}

impl Proxy {
    pub(crate) fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicI64::new(-1));
        let shared = Arc::clone(&left);
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let (client_2, server_2) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let left = Arc::clone(&shared);
                spawn(move || forward(&client, &server, |sent| count(&left, &client, sent)));
                spawn(move || forward(&server_2, &client_2, |_| {}));
            }
        });
        Self { port, left }
    }

    /// Cuts the connection that sends the request with this number, counted from now on: after the
    /// request was forwarded, and before the reply. Later connections are not cut.
    pub(crate) fn cut_after(&self, requests: i64) {
        self.left.store(requests, Ordering::SeqCst);
    }

    /// Ends the effect of [`cut_after`](Self::cut_after); returns whether a connection was cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.left.swap(-1, Ordering::SeqCst) < 0
    }
}

/// Forwards everything from one side to the other.
fn forward(mut from: &TcpStream, mut to: &TcpStream, before: impl Fn(usize)) {
    let mut buffer = [0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        before(read);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Counts a request, and ends the client's side if it is the one.
fn count(left: &AtomicI64, client: &TcpStream, _sent: usize) {
    let is_last = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left >= 0).then(|| left - 1));
    if is_last == Ok(0) {
        let _ = client.shutdown(Shutdown::Both);
    }
}
