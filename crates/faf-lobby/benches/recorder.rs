//! Cost of the flight recorder for the loop of the lobby, per event: `cargo bench -p faf-lobby
//! --bench recorder`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by people")]

use std::time::{Duration, Instant};

use faf_lobby::recorder::{Bounds, Recorder};
use faf_lobby_core::{ConnId, Effect, Event, Moment, Request, Settings, Timestamp, World};
use faf_protocol::{ClientMessage, SessionNumber};
use faf_testkit::store::FakeStore;

/// Number of players who are online while others connect and send messages.
const PLAYERS: u32 = 2000;

/// Number of measured events of each kind, and number of rounds.
const EVENTS: u32 = 2000;
const ROUNDS: usize = 9;

/// Number of inputs per iteration of a busy loop.
const TURN: u32 = 64;

const BOUNDS: Bounds = Bounds { size: 64 * 1024 * 1024, files: 8 };

fn main() {
    println!("{PLAYERS} players are online; an event takes, median of {ROUNDS} rounds of {EVENTS} events:\n");
    println!("{:<32}{:>12}{:>12}{:>12}{:>16}", "", "off", "on", "more", "in the thread");
    let ping = |_| Some(Event::Received { conn: ConnId(1), message: Ok(ClientMessage::Ping) });
    compare("a ping", EVENTS, &ping);
    let says = |text: &str| {
        let message = ClientMessage::read(text.parse().unwrap());
        move |_| Some(Event::Received { conn: ConnId(1), message: message.clone() })
    };
    let ice = says(
        r#"{"command":"IceMsg","target":"game","args":[2,{"type":"candidate","candidate":"candidate:1 1 UDP 2122252543 192.0.2.1 50000 typ host"}]}"#,
    );
    compare("a message of a game", EVENTS, &ice);
    compare("a password", EVENTS, &|number| hello(u64::from(PLAYERS + number), "nobody"));
    compare("time has passed", EVENTS, &|_| None);
    login();
    world();
}

/// A lobby with its players and its recorder.
struct Lobby {
    world: World,
    store: FakeStore,
    recorder: Recorder,
    elapsed: Duration,
    requests: Vec<Request>,
}

impl Lobby {
    fn new(players: u32) -> Self {
        let names: Vec<String> = (1..=2 * PLAYERS).map(|number| format!("player-{number}")).collect();
        let store = FakeStore::with_accounts(names.iter().map(String::as_str));
        let world = World::new(Settings::default(), moment(Duration::ZERO), store.beginning());
        let recorder = Recorder::off();
        let mut lobby = Self { world, store, recorder, elapsed: Duration::ZERO, requests: Vec::new() };
        for number in 1..=2 * PLAYERS {
            let (conn, address) = (ConnId(number.into()), Some([192, 0, 2, number as u8].into()));
            let session = SessionNumber(number);
            lobby.tell(Some(Event::Connected { conn, address, country: "DE".parse().unwrap(), session }));
        }
        (1..=players).for_each(|number| lobby.log_in(number));
        lobby.elapsed += Duration::from_secs(1);
        lobby.tell(None);
        lobby
    }

    fn log_in(&mut self, number: u32) {
        self.tell(hello(number.into(), &format!("player-{number}")));
        while let Some(request) = self.requests.pop() {
            let reply = self.store.perform(request);
            self.tell(Some(Event::Replied { reply }));
        }
    }

    fn tell(&mut self, event: Option<Event>) {
        self.elapsed += Duration::from_micros(1);
        let now = moment(self.elapsed);
        self.recorder.begin(&self.world, now, event.as_ref());
        match event {
            Some(event) => self.world.handle(now, event),
            None => self.world.handle_timeout(now),
        }
        while let Some(effect) = self.world.poll_effect() {
            self.recorder.note(&effect);
            if let Effect::Request { request, .. } = effect {
                self.requests.push(request);
            }
        }
        self.recorder.end();
    }

    /// Starts to record into a folder.
    fn record(&mut self, folder: &tempfile::TempDir) {
        self.recorder = Recorder::start(folder.path(), BOUNDS);
        self.recorder.attach(&self.world, moment(self.elapsed));
    }

    fn finish(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let recorder = std::mem::replace(&mut self.recorder, Recorder::off());
        runtime.block_on(recorder.finish());
    }
}

fn hello(conn: u64, login: &str) -> Option<Event> {
    // A password with the length of a digest.
    let password = if login == "nobody" { "0".repeat(64) } else { format!("{login}-pw") };
    let text =
        format!(r#"{{"command":"hello","login":"{login}","password":"{password}","unique_id":"machine"}}"#);
    Some(Event::Received { conn: ConnId(conn), message: ClientMessage::read(text.parse().unwrap()) })
}

fn moment(elapsed: Duration) -> Moment {
    Moment { elapsed, utc: Timestamp(1_782_907_200_000_000 + elapsed.as_micros() as i64) }
}

/// Returns the time per event in the loop, and until the recorder's thread has written it.
fn measure(is_on: bool, events: u32, event: &dyn Fn(u32) -> Option<Event>) -> (Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let mut lobby = Lobby::new(PLAYERS);
    let prepared: Vec<Option<Event>> = (1..=events).map(event).collect();
    if is_on {
        // The world is written before the measurement begins.
        lobby.record(&folder);
        let is_written = |folder: &tempfile::TempDir| {
            let mut files = std::fs::read_dir(folder.path()).unwrap();
            files.next().is_some_and(|file| file.unwrap().metadata().unwrap().len() > 0)
        };
        while !is_written(&folder) {
            std::thread::yield_now();
        }
    }
    let begin = Instant::now();
    for (event, number) in prepared.into_iter().zip(1..) {
        lobby.tell(event);
        if number % TURN == 0 {
            lobby.recorder.flush();
        }
    }
    lobby.recorder.flush();
    let handled = begin.elapsed();
    lobby.finish();
    (handled / events, begin.elapsed() / events)
}

fn compare(what: &str, events: u32, event: &dyn Fn(u32) -> Option<Event>) {
    let median = |is_on| {
        let mut times: Vec<_> = (0..ROUNDS).map(|_| measure(is_on, events, event)).collect();
        times.sort();
        times[ROUNDS / 2]
    };
    let ((off, _), (on, written)) = (median(false), median(true));
    print_row(what, off, on, written);
}

fn print_row(what: &str, off: Duration, on: Duration, written: Duration) {
    let columns = [off, on, on.saturating_sub(off), written].map(|time| format!("{time:.2?}"));
    println!("{what:<32}{:>12}{:>12}{:>12}{:>16}", columns[0], columns[1], columns[2], columns[3]);
}

/// All players log in, as after a restart: each receives the list of those who are online already.
fn login() {
    let round = |is_on: bool| {
        let folder = tempfile::tempdir().unwrap();
        let mut lobby = Lobby::new(0);
        if is_on {
            lobby.record(&folder);
        }
        let begin = Instant::now();
        for number in 1..=PLAYERS {
            lobby.log_in(number);
            lobby.recorder.flush();
        }
        let handled = begin.elapsed();
        lobby.finish();
        (handled / PLAYERS, begin.elapsed() / PLAYERS)
    };
    let ((off, _), (on, written)) = (round(false), round(true));
    print_row("one of 2000 logins (3 events)", off, on, written);
}

/// The copy of the world with which a file begins.
fn world() {
    let folder = tempfile::tempdir().unwrap();
    let mut lobby = Lobby::new(PLAYERS);
    let begin = Instant::now();
    lobby.record(&folder);
    println!("\nbeginning a new file keeps the loop for {:.2?}", begin.elapsed());
    lobby.finish();
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
    println!("the world in it has {} bytes", file.metadata().unwrap().len());
}
