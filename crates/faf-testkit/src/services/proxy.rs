//! A proxy in front of a server, which makes its network slow or cuts connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// Forwards TCP connections to a port of this machine.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    faults: Arc<Faults>,
}

#[derive(Debug)]
struct Faults {
    /// Number of requests that are still forwarded; the reply to the last one is not. Negative for
    /// no limit.
    left: AtomicI64,
    /// Milliseconds for which each request is held back.
    delay: AtomicU64,
}

impl Proxy {
    /// Starts a proxy for a port.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let faults = Arc::new(Faults { left: AtomicI64::new(-1), delay: AtomicU64::new(0) });
        let shared = Arc::clone(&faults);
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A server that is away refuses the connection, and so the client's ends.
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (Ok(client_2), Ok(server_2)) = (client.try_clone(), server.try_clone()) else { continue };
                let faults = Arc::clone(&shared);
                spawn(move || forward(&client, &server, || faults.apply(&client)));
                spawn(move || forward(&server_2, &client_2, || {}));
            }
        });
        Self { port, faults }
    }

    /// Returns the port of the proxy, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Holds each request back for this time from now on.
    pub fn delay(&self, time: Duration) {
        self.faults.delay.store(time.as_millis() as u64, Ordering::SeqCst);
    }

    /// Cuts the connection that sends the request with this number, counted from now on: after the
    /// request was forwarded, and before the reply. Later connections are not cut.
    pub fn cut_after(&self, requests: i64) {
        self.faults.left.store(requests, Ordering::SeqCst);
    }

    /// Ends the effect of [`cut_after`](Self::cut_after); returns whether a connection was cut.
    pub fn has_cut(&self) -> bool {
        self.faults.left.swap(-1, Ordering::SeqCst) < 0
    }
}

impl Faults {
    /// Delays a request, and ends the client's side if the connection is to be cut.
    fn apply(&self, client: &TcpStream) {
        sleep(Duration::from_millis(self.delay.load(Ordering::SeqCst)));
        let counted = |left: i64| (left >= 0).then(|| left - 1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) == Ok(0) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

/// Forwards everything from one side to the other.
fn forward(mut from: &TcpStream, mut to: &TcpStream, before: impl Fn()) {
    let mut buffer = [0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        before();
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
