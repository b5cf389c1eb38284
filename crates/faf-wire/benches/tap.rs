//! Processor time of `bridge`, `tap` and `lint` for each message, and the latency that they add.
//!
//! `cargo bench -p faf-wire --bench tap [-- CLIENTS]`, 2,000 clients by default, each with three
//! open files. It needs Linux, whose `/proc` tells the processor time of a process.
//!
//! Each program is started in turn, several times, between clients and a server made for this:
//!
//! * For the processor time, the server sends one `game_info` of some 900 bytes to every client,
//!   one write each, and again when all have received it.
//! * For the latency, each client gets two such messages a second, spread evenly, while one more
//!   client sends a ping and waits for the echo, again and again. `direct` is without a program.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

const REPEATS: usize = 5;
const ROUNDS: u64 = 60;
const PINGS: usize = 4_000;

/// Messages that each client gets in a second while the latency is measured.
const RATE: f64 = 2.0;

const PING: &[u8] = b"{\"command\":\"ping\"}\n";

/// A `game_info` of some 900 bytes; the number makes each one different.
fn game_info(number: u64) -> Vec<u8> {
    let players: Vec<String> = (0..16).map(|player| format!(r#""Player{player}Of{number:06}""#)).collect();
    let mods: Vec<String> = (0..6)
        .map(|uid| format!(r#""{uid:08x}-ffff-4fc3-bbbb-{number:012}":"A mod number {uid}""#))
        .collect();
    let text = format!(
        r#"{{"command":"game_info","visibility":"public","password_protected":false,"uid":{number},"title":"A game of benchmark {number}","state":"open","game_type":"custom","featured_mod":"faf","sim_mods":{{{}}},"mapname":"scmp_007","map_file_path":"maps/scmp_007.zip","host":"Player0Of{number:06}","num_players":16,"launched_at":null,"max_players":16,"rating_type":"global","rating_min":null,"rating_max":null,"enforce_rating_range":false,"teams_ids":[],"teams":{{"1":[{}]}}}}"#,
        mods.join(","),
        players.join(",")
    );
    text.into_bytes()
}

/// Numbers of one run of one program.
struct Run {
    /// Processor time for each message, in microseconds.
    micros: f64,
    /// Time from ping to echo, sorted.
    pings: Vec<Duration>,
}

fn main() {
    let clients = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(2_000);
    let programs = ["direct", "bridge", "tap", "lint"];
    let mut runs: Vec<Vec<Run>> = programs.iter().map(|_| Vec::new()).collect();
    for _ in 0..REPEATS {
        for (program, runs) in programs.iter().zip(&mut runs) {
            runs.push(measure(program, clients));
        }
    }
    println!("{clients} clients, {REPEATS} runs of each in turn: median (lowest to highest)");
    for (program, runs_of) in programs.iter().zip(&runs) {
        let at = |run: &Run, share: f64| run.pings[((run.pings.len() - 1) as f64 * share) as usize];
        let millis = |share: f64| spread(runs_of.iter().map(|run| at(run, share).as_secs_f64() * 1e3));
        let added =
            |share: f64| {
                let pairs = runs_of.iter().zip(&runs[0]);
                spread(pairs.map(|(run, direct)| {
                    (at(run, share).as_secs_f64() - at(direct, share).as_secs_f64()) * 1e3
                }))
            };
        println!("{program}");
        if *program != "direct" {
            let ratios = runs_of.iter().zip(&runs[1]).map(|(run, bridge)| run.micros / bridge.micros);
            println!(
                "  processor time for each message  {} µs",
                spread(runs_of.iter().map(|run| run.micros))
            );
            println!("  the same, to that of bridge      {}", spread(ratios));
        }
        println!("  ping to echo, 50 %               {} ms", millis(0.5));
        println!("  ping to echo, 99 %               {} ms", millis(0.99));
        if *program != "direct" {
            println!("  added, 50 %                      {} ms", added(0.5));
            println!("  added, 99 %                      {} ms", added(0.99));
        }
    }
}

fn spread(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    format!("{:.3} ({:.3} to {:.3})", values[values.len() / 2], values[0], values[values.len() - 1])
}

fn measure(program: &str, clients: usize) -> Run {
    let server = Server::start();
    let folder = tempfile::TempDir::new().unwrap();
    let program = Program::start(program, server.address, folder.path());
    let place = program.as_ref().map_or(server.address, |program| program.place);
    let received = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let receivers = receive(place, clients, &received, &server.accepted, &stop);
    server.wait_for_clients(clients);
    let all = clients as u64;

    // Not measured: memory is allocated, and connections are read for the first time.
    server.broadcast(0);
    wait_until(|| received.load(Ordering::Relaxed) == all);
    let before = program.as_ref().map_or(0.0, Program::processor_seconds);
    for round in 1..=ROUNDS {
        server.broadcast(round);
        wait_until(|| received.load(Ordering::Relaxed) == all * (round + 1));
    }
    // The other thread of a program works on in its own time.
    std::thread::sleep(Duration::from_millis(300));
    let seconds = program.as_ref().map_or(0.0, Program::processor_seconds) - before;

    server.spread();
    let mut prober = std::net::TcpStream::connect(place).unwrap();
    prober.set_nodelay(true).unwrap();
    let mut pings = Vec::with_capacity(PINGS);
    for ping in 0..PINGS + 50 {
        let begun = Instant::now();
        prober.write_all(PING).unwrap();
        prober.read_exact(&mut [0; PING.len()]).unwrap();
        if ping >= 50 {
            pings.push(begun.elapsed());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    pings.sort_unstable();
    stop.store(true, Ordering::Relaxed);
    drop((prober, program, server));
    receivers.join().unwrap();
    Run { micros: seconds * 1e6 / (ROUNDS * all) as f64, pings }
}

fn wait_until(is_done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come to an end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A program under measurement; killed when dropped.
struct Program {
    child: Child,
    place: SocketAddr,
}

impl Program {
    fn start(name: &str, server: SocketAddr, folder: &std::path::Path) -> Option<Self> {
        if name == "direct" {
            return None;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-wire"));
        command.args([name, "--listen", "tcp://127.0.0.1:0", "--to", &format!("tcp://{server}")]);
        if name == "tap" {
            command.arg("--record").arg(folder);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let place = line.split(' ').nth(2).unwrap().trim_start_matches("tcp://");
        Some(Self { child, place: place.parse().unwrap() })
    }

    /// Returns the processor time of all its threads so far.
    fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit_once(") ").unwrap().1;
        let ticks: u64 =
            after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        ticks as f64 / 100.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Connects clients on a thread of their own, which count messages.
fn receive(
    place: SocketAddr,
    clients: usize,
    received: &Arc<AtomicU64>,
    accepted: &Arc<AtomicU64>,
    stop: &Arc<AtomicBool>,
) -> std::thread::JoinHandle<()> {
    let (received, accepted, stop) = (Arc::clone(received), Arc::clone(accepted), Arc::clone(stop));
    std::thread::spawn(move || {
        block_on(async move {
            for client in 0..clients as u64 {
                // The server's queue is short; a connection that finds it full may take minutes.
                while client > accepted.load(Ordering::Relaxed) + 50 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let mut stream = TcpStream::connect(place).await.unwrap();
                let received = Arc::clone(&received);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        let lines = buffer[..length].iter().filter(|byte| **byte == b'\n').count();
                        received.fetch_add(lines as u64, Ordering::Relaxed);
                    }
                });
            }
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    })
}

enum Order {
    Broadcast(Vec<u8>),
    /// Sends messages to all in turn from now on.
    Spread,
}

/// A server on a thread of its own: sends what it is ordered to, and echoes.
struct Server {
    address: SocketAddr,
    orders: tokio::sync::mpsc::UnboundedSender<Order>,
    accepted: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Self {
        let (orders, mut ordered) = tokio::sync::mpsc::unbounded_channel();
        let (tell_address, address) = mpsc::channel();
        let accepted = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&accepted);
        std::thread::spawn(move || {
            block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell_address.send(listener.local_addr().unwrap()).unwrap();
                let mut writers: Vec<Arc<TcpStream>> = Vec::new();
                let (mut clients, mut pause, mut next) = (0, None, 0_usize);
                loop {
                    let spread = async {
                        match pause {
                            Some(pause) => tokio::time::sleep_until(pause).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        accepted = listener.accept() => {
                            let stream = accepted.unwrap().0;
                            stream.set_nodelay(true).unwrap();
                            writers.push(serve(stream));
                            counted.fetch_add(1, Ordering::Relaxed);
                        }
                        order = ordered.recv() => match order {
                            None => return,
                            Some(Order::Broadcast(message)) => {
                                for writer in &writers {
                                    writer.try_write(&message).unwrap();
                                }
                            }
                            Some(Order::Spread) => {
                                pause = Some(tokio::time::Instant::now());
                                clients = writers.len();
                            }
                        },
                        () = spread => {
                            // Timers count milliseconds, so several clients get theirs at once.
                            let due = (clients as f64 * RATE / 1000.0).ceil() as usize;
                            for _ in 0..due {
                                next += 1;
                                let message = [game_info(next as u64), b"\n".to_vec()].concat();
                                // The client that pings came last, and gets none.
                                let _ = writers[next % clients].try_write(&message);
                            }
                            pause = pause.map(|pause| pause + Duration::from_millis(1));
                        }
                    }
                }
            });
        });
        Self { address: address.recv().unwrap(), orders, accepted }
    }

    fn wait_for_clients(&self, clients: usize) {
        wait_until(|| self.accepted.load(Ordering::Relaxed) == clients as u64);
    }

    fn broadcast(&self, round: u64) {
        let message = [game_info(round), b"\n".to_vec()].concat();
        self.orders.send(Order::Broadcast(message)).unwrap();
    }

    fn spread(&self) {
        self.orders.send(Order::Spread).unwrap();
    }
}

/// Echoes what a client sends; returns the stream for messages to it.
fn serve(stream: TcpStream) -> Arc<TcpStream> {
    let stream = Arc::new(stream);
    let echo = Arc::clone(&stream);
    tokio::spawn(async move {
        let mut buffer = [0; 256];
        while echo.readable().await.is_ok() {
            match echo.try_read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => drop(echo.try_write(&buffer[..length])),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    });
    stream
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}
