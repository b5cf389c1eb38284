//! Memory of idle connections that are logged in, by resident memory of the server before and after: `cargo bench -p
//! faf-lobby --bench idle_memory [-- CONNECTIONS]`. Needs twice as many open files as there are connections.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by people")]

mod installation;

use std::sync::Arc;

use faf_connection::upgrade;
use faf_testkit::serving::Serving;
use faf_testkit::token::token_of;
use installation::Installation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Clients that log in at the same time.
const AT_ONCE: usize = 8;

/// The end of what is sent at login.
const LAST: &[u8] = b"\"game_info\",\"games\":[]}";

fn main() {
    let connections = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (scheme, target) in [("tcp://", 4.0), ("ws://", 8.0)] {
        let bytes = runtime.block_on(measure(scheme, connections));
        let kib = bytes / 1024.0;
        println!(
            "{scheme:<6} {kib:.2} KiB a connection, of {target} KiB allowed: {:.0} %",
            kib / target * 100.0
        );
    }
}

/// Resident bytes a connection, of so many.
async fn measure(scheme: &str, connections: u32) -> f64 {
    let installation = Installation::with_accounts(connections);
    // Nobody says anything to anybody while it is measured.
    let server = installation.serve(&["--report-interval=3600", "--ping-interval=3600"]);
    // What the first login makes the server allocate is not a matter of connections.
    let first = log_in(&server.address(scheme), scheme, 1).await;
    let before = resident(&server);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut logins = tokio::task::JoinSet::new();
    for player in 2..=connections {
        let turn = Arc::clone(&turns).acquire_owned().await.unwrap();
        let (address, scheme) = (server.address(scheme), scheme.to_owned());
        logins.spawn(async move {
            let client = log_in(&address, &scheme, player).await;
            drop(turn);
            client
        });
    }
    let clients = logins.join_all().await;
    let after = resident(&server);
    drop((first, clients));
    (after - before) as f64 / f64::from(connections - 1)
}

async fn log_in(address: &str, scheme: &str, player: u32) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let line = format!("{{\"command\":\"auth\",\"token\":\"{}\",\"unique_id\":\"x\"}}\n", token_of(player));
    if scheme == "ws://" {
        let url = format!("ws://{address}/").parse().unwrap();
        stream = upgrade::connect(stream, &url, &[]).await.unwrap().stream;
        // A masked text frame with a 16-bit length; a mask of zeros changes nothing.
        let length = u16::try_from(line.len()).unwrap().to_be_bytes();
        stream.write_all(&[&[0x81, 0x80 | 126][..], &length, &[0; 4]].concat()).await.unwrap();
    }
    stream.write_all(line.as_bytes()).await.unwrap();
    let mut received = Vec::with_capacity(64 * 1024);
    while !received.windows(LAST.len()).any(|window| window == LAST) {
        let keep = received.len().saturating_sub(LAST.len());
        received.drain(..keep);
        assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "player {player} is not let in");
    }
    stream
}

/// Resident memory of the server, in bytes.
fn resident(server: &Serving) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
