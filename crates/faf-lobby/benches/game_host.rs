//! Duration of a `game_host` end to end, over a socket and with the database: the time from the
//! request to `game_launch`, and that of a launch, which is durable before it is acknowledged.
//! `cargo bench -p faf-lobby --bench game_host`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by people")]

mod installation;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use faf_testkit::token::token_of;
use installation::Installation;

/// Number of hosts, one after the other, and of the games of each, of which the first ones do not
/// count. With more games, the server would pace a host.
const HOSTS: u32 = 30;
const GAMES: usize = 14;
const WARM_UP: usize = 2;

fn main() {
    let installation = Installation::with_accounts(HOSTS);
    let server = installation.serve(&[]);

    let (mut pings, mut hosts, mut launches) = (Vec::new(), Vec::new(), Vec::new());
    for account in 1..=HOSTS {
        let stream = TcpStream::connect(server.address("tcp://")).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Client { reader: BufReader::new(stream.try_clone().unwrap()), writer: stream };
        client.send(&format!(r#"{{"command":"auth","token":"{}","unique_id":"x"}}"#, token_of(account)));
        client.wait_for("\"games\":[");
        for game in 0..GAMES {
            let ping = client.ask(r#"{"command":"ping"}"#, "pong");
            let host = client.ask(r#"{"command":"game_host","visibility":"public"}"#, "game_launch");
            client.state("Idle");
            client.state("Lobby");
            client.wait_for("HostGame");
            client.state("Launching");
            // This is answered after the launch.
            let launch = client.ask(r#"{"command":"ask_session"}"#, "\"session\"");
            client.state("Ended");
            client.ask(r#"{"command":"ask_session"}"#, "\"session\"");
            if game >= WARM_UP {
                pings.push(ping);
                hosts.push(host);
                launches.push(launch);
            }
        }
    }
    for (name, mut times) in [("ping", pings), ("game_host", hosts), ("launch, durable", launches)] {
        times.sort_unstable();
        let micros = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
        println!("{name:<16} median {:>7.1} us, 99th percentile {:>7.1} us", micros(50), micros(99));
    }
}

struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Client {
    fn send(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn state(&mut self, state: &str) {
        self.send(&format!(r#"{{"command":"GameState","target":"game","args":["{state}"]}}"#));
    }

    fn wait_for(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert_ne!(self.reader.read_line(&mut line).unwrap(), 0, "the server has closed the connection");
        }
    }

    fn ask(&mut self, line: &str, answer: &str) -> Duration {
        let begin = Instant::now();
        self.send(line);
        self.wait_for(answer);
        begin.elapsed()
    }
}
