//! The longest time that a single event blocks the lobby, during which no other client is served.
//!
//! 10,000 players are online; 1,200 of them are in 300 open lobbies, or 2,000 search in three
//! queues. The benchmark measures the lobby alone and drops its effects; the shell encodes them.
//! `cargo bench -p faf-lobby-core --bench longest_event`; it fails if an event takes longer than
//! the limit.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "it prints what it has measured")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

#[path = "longest_event/matchmaker.rs"]
mod matchmaker;
mod rig;

use std::time::{Duration, Instant};

use faf_lobby_core::{ConnId, Effect, Event, Settings};
use faf_protocol::ClientMessage;

use rig::{GAMES, Lobby, hello, host_of, moment, player_option, quiet};

const PLAYERS: u64 = 10_000;

/// Maximum duration of an event, at the 90th percentile.
const BAR: Duration = Duration::from_millis(5);

/// Durations of the events of one kind.
struct Longest {
    of: &'static str,
    count: usize,
    mean: Duration,
    /// The 90th percentile. Events that take longer were interrupted by other programs.
    most: Duration,
    longest: Duration,
}

fn main() {
    let mut found = Vec::new();
    measure(&mut found);
    matchmaker::measure(&mut found);
    println!("{:<52} {:>7} {:>10} {:>10} {:>10}", "event", "count", "mean", "9 in 10", "longest");
    for Longest { of, count, mean, most, longest } in &found {
        println!("{of:<52} {count:>7} {mean:>10.1?} {most:>10.1?} {longest:>10.1?}");
    }
    let slowest = found.iter().max_by_key(|longest| longest.most).unwrap();
    println!("\nThe longest is {}, {:.1?}.", slowest.of, slowest.most);
    assert!(slowest.most <= BAR, "the bar is {BAR:?}");
}

/// Handles one event and the replies to all requests that follow; returns the duration of the
/// longest step.
fn timed(lobby: &mut Lobby, event: Option<Event>) -> Duration {
    let mut longest = Duration::ZERO;
    let mut events = std::collections::VecDeque::from([event]);
    while let Some(event) = events.pop_front() {
        let now = moment(lobby.elapsed);
        let begin = Instant::now();
        match event {
            Some(event) => lobby.world.handle(now, event),
            None => lobby.world.handle_timeout(now),
        }
        let mut requests = Vec::new();
        while let Some(effect) = lobby.world.poll_effect() {
            if let Effect::Request { request, .. } = effect {
                requests.push(request);
            }
        }
        longest = longest.max(begin.elapsed());
        for request in requests {
            let reply = lobby.store.perform(request);
            events.push_back(Some(Event::Replied { reply }));
        }
    }
    longest
}

fn message(player: u64, text: &str) -> Event {
    Event::Received { conn: ConnId(player), message: ClientMessage::read(text.parse().unwrap()) }
}

fn record(found: &mut Vec<Longest>, of: &'static str, times: impl IntoIterator<Item = Duration>) {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    let count = times.len();
    let mean = times.iter().sum::<Duration>() / count as u32;
    let (most, longest) = (times[(count - 1) * 9 / 10], times[count - 1]);
    found.push(Longest { of, count, mean, most, longest });
}

fn measure(found: &mut Vec<Longest>) {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(1_000_000_000)), ..quiet() };
    let mut lobby = Lobby::new(PLAYERS + 200, settings.clone());
    logins(found, &mut lobby);
    reports(found, &mut lobby);
    // The next ping has long been due.
    let mut pinging = Lobby::new(PLAYERS, Settings { ping_interval: Duration::from_secs(45), ..settings });
    let ticks = (0..20).map(|_| {
        pinging.elapsed += Duration::from_secs(45);
        timed(&mut pinging, None)
    });
    record(found, "a ping, and the check for silent clients", ticks.collect::<Vec<_>>());
    pinging.elapsed += Duration::from_secs(2_000_000_000);
    let mut silent = vec![timed(&mut pinging, None)];
    while pinging.world.player_count() > 0 {
        pinging.elapsed = pinging.world.next_deadline().unwrap();
        silent.push(timed(&mut pinging, None));
    }
    record(found, "all clients are silent", silent);
    statistics(found, &mut lobby);
    leaving(found, &mut lobby);
}

fn logins(found: &mut Vec<Longest>, lobby: &mut Lobby) {
    for number in PLAYERS + 1..=PLAYERS + 200 {
        lobby.handle(Event::Disconnected { conn: ConnId(number) });
    }
    lobby.report();
    let mut times = Vec::new();
    for number in PLAYERS + 1..=PLAYERS + 200 {
        let (conn, session) = (ConnId(PLAYERS + number), faf_protocol::SessionNumber(0));
        lobby.handle(Event::Connected { conn, address: None, country: "DE".parse().unwrap(), session });
        times.push(timed(lobby, Some(message(PLAYERS + number, &hello(number)))));
        if number % 10 == 0 {
            // Games change, so that lists have to be built again.
            lobby.send(
                host_of(number % GAMES + 1),
                &player_option(host_of(number % GAMES + 1), "Team", number % 7),
            );
        }
    }
    record(found, "a login", times);
}

fn reports(found: &mut Vec<Longest>, lobby: &mut Lobby) {
    let mut times = Vec::new();
    for round in 0..20 {
        for game in 1..=GAMES {
            lobby.send(host_of(game), &player_option(host_of(game), "Team", round % 5));
        }
        for player in 0..100 {
            let number = PLAYERS - player - round * 100;
            lobby.handle(Event::Disconnected { conn: ConnId(number) });
            lobby.log_in(number, number);
        }
        lobby.elapsed += Duration::from_secs(1);
        times.push(timed(lobby, None));
    }
    record(found, "a report of 100 players and 300 games", times);
}

fn statistics(found: &mut Vec<Longest>, lobby: &mut Lobby) {
    let host = host_of(1);
    lobby.send(host, r#"{"target":"game","command":"GameState","args":["Launching"]}"#);
    lobby.send(host, r#"{"target":"game","command":"GameResult","args":[1,"victory 10"]}"#);
    let mut tell = |name: &'static str, text: &str| {
        let text = serde_json::to_string(text).unwrap();
        let message = message(host, &format!(r#"{{"target":"game","command":"JsonStats","args":[{text}]}}"#));
        let times: Vec<_> = (0..5).map(|_| timed(lobby, Some(message.clone()))).collect();
        record(found, name, times);
    };
    let unit = r#""ual0001":{"built":1,"lost":1,"killed":3,"kills":2,"lowest_health":11000}"#;
    let army = |units: usize| {
        let units: Vec<String> =
            (0..units).map(|number| unit.replace("0001", &format!("{number:04}"))).collect();
        format!(r#"{{"type":"Human","name":"a","blueprints":{{{}}}}}"#, units.join(","))
    };
    let of =
        |armies: usize, units: usize| format!(r#"{{"stats":[{}]}}"#, vec![army(units); armies].join(","));
    tell("statistics of 16 armies with 50 kinds of units each", &of(16, 50));
    tell("statistics of 16 armies with 100 kinds of units each", &of(16, 100));
    tell("statistics of 16 armies, the maximum that is read", &of(16, 218));
    tell("statistics of 8 MiB, which are not read", &of(60, 1800));
    let nested = format!(r#"{{"stats":[{}1{}]}}"#, "[".repeat(131_000), "]".repeat(131_000));
    tell("statistics of brackets", &nested);
    tell("statistics of numbers", &format!(r#"{{"stats":[{}1]}}"#, "1,".repeat(131_000)));
    tell("statistics of members", &format!(r#"{{"stats":[{{{}"a":1}}]}}"#, r#""a":1,"#.repeat(43_600)));
    let units = |count: usize| {
        let number = |unit: usize| format!(r#""ual{unit:04}":{{"built":1e-300,"lowest_health":0.1234567}}"#);
        (0..count).map(number).collect::<Vec<_>>().join(",")
    };
    let army = format!(r#"{{"blueprints":{{{}}}}}"#, units(87));
    tell("statistics of long numbers", &format!(r#"{{"stats":[{}]}}"#, vec![army; 55].join(",")));
}

fn leaving(found: &mut Vec<Longest>, lobby: &mut Lobby) {
    let hosts: Vec<u64> = (2..=GAMES / 2).map(host_of).collect();
    let times: Vec<_> =
        hosts.iter().map(|host| timed(lobby, Some(Event::Disconnected { conn: ConnId(*host) }))).collect();
    record(found, "a host leaves", times);
    let mut stopping = lobby.world.clone();
    let times: Vec<_> = (1..=PLAYERS)
        .filter(|number| !hosts.contains(number))
        .map(|number| timed(lobby, Some(Event::Disconnected { conn: ConnId(number) })))
        .collect();
    record(found, "a player leaves", times);
    lobby.elapsed += Duration::from_secs(1);
    let mut times = vec![timed(lobby, None)];
    while !lobby.world.is_settled() && times.len() < 20 {
        lobby.elapsed = lobby.world.next_deadline().unwrap();
        times.push(timed(lobby, None));
    }
    record(found, "a report of all players leaving", times);
    std::mem::swap(&mut lobby.world, &mut stopping);
    let mut times = vec![timed(lobby, Some(Event::Shutdown))];
    for _ in 0..5 {
        lobby.elapsed += Duration::from_millis(10);
        times.push(timed(lobby, None));
    }
    record(found, "the first shutdown signal", times);
    let mut stop = vec![timed(lobby, Some(Event::Shutdown))];
    while lobby.world.connection_count() > 0 {
        lobby.elapsed = lobby.world.next_deadline().unwrap();
        stop.push(timed(lobby, None));
    }
    record(found, "all connections are closed", stop);
}
