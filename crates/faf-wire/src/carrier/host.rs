//! The only bytes that are changed: the name of the server in a request to upgrade, over TLS.
//!
//! A client names the host that it has connected to, which is this program. A server on the
//! Internet shares its address with others and needs its own name; without TLS, nothing is changed.

use std::time::Duration;

use anyhow::Context;
use faf_client::Url;
use faf_sessions::recording::Side;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::queue::Copies;

/// Longest request, as faf-connection has it.
const HEAD_LIMIT: u64 = 16 * 1024;

/// Time limit for the request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the client's request; returns it with the name of the server, and with what follows.
pub(super) async fn request(
    stream: &mut TcpStream,
    server: &Url,
    copies: &mut Copies,
) -> anyhow::Result<Vec<u8>> {
    let reading = async {
        let mut request = Vec::new();
        while end_of_head(&request).is_none() {
            let room = HEAD_LIMIT - request.len() as u64;
            if (&mut *stream).take(room).read_buf(&mut request).await? == 0 {
                break;
            }
        }
        anyhow::Ok(request)
    };
    let request = timeout(REQUEST_TIMEOUT, reading).await.context("no request in time")??;
    copies.bytes(Side::Client, &request);
    Ok(with_host(&request, server.authority()))
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n")
}

/// Returns a request with another host. Anything else stays as it is.
fn with_host(request: &[u8], host: &str) -> Vec<u8> {
    let Some(end) = end_of_head(request) else { return request.to_vec() };
    let mut changed = Vec::with_capacity(request.len() + host.len());
    let (head, rest) = request.split_at(end);
    for (index, line) in head.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            changed.push(b'\n');
        }
        match line.split_at_checked(5) {
            Some((name, _)) if name.eq_ignore_ascii_case(b"host:") => {
                changed.extend_from_slice(name);
                changed.extend_from_slice(format!(" {host}").as_bytes());
                // The last line of the head has lost its end to the rest.
                changed.extend_from_slice(if line.ends_with(b"\r") { b"\r" } else { b"" });
            }
            _ => changed.extend_from_slice(line),
        }
    }
    changed.extend_from_slice(rest);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_is_changed() {
        let changed = |text: &str| String::from_utf8(with_host(text.as_bytes(), "ws.example.org")).unwrap();
        let request = "GET / HTTP/1.1\r\nhOst: 127.0.0.1:5\r\nUpgrade: websocket\r\n\r\nHost: x\r\n";
        let expected = "GET / HTTP/1.1\r\nhOst: ws.example.org\r\nUpgrade: websocket\r\n\r\nHost: x\r\n";
        assert_eq!(changed(request), expected);
        assert_eq!(
            changed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: ws.example.org\r\n\r\n"
        );
        assert_eq!(changed("Host: but no end"), "Host: but no end");
    }
}
