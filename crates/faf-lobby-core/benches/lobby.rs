//! Throughput of the lobby alone, without sockets and database, on one thread: commands per second,
//! and the time of a report of all games.
//!
//! 2,000 players are online; 1,200 of them are in 300 open lobbies, four in each. `cargo bench
//! -p faf-lobby-core`.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod rig;

use std::cell::RefCell;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, Message, PlayerId};

use rig::{GAMES, Lobby, MEMBERS, host_of, player_option, queue, quiet};

const PLAYERS: u64 = 2000;

fn main() {
    divan::main();
}

/// The commands of a typical evening: hosts change options, peers exchange ICE messages, clients
/// answer pings, and one player in every tenth game leaves and returns. The changes are reported at
/// the end, as they are once per second.
#[divan::bench]
fn commands(bencher: Bencher<'_, '_>) {
    let mut lobby = Lobby::new(PLAYERS, quiet());
    let mut script: Vec<(u64, ClientMessage)> = Vec::new();
    let mut send = |player: u64, text: &str| {
        let message: Message = text.parse().unwrap();
        script.push((player, ClientMessage::read(message).unwrap()));
    };
    let candidate = r#"{\"type\":\"candidate\",\"candidate\":\"1 1 UDP 2130706431 10.0.1.1 8998 typ host\"}"#;
    for game in 1..=GAMES {
        let host = host_of(game);
        send(host, &player_option(host + game % MEMBERS, "Team", 2 + game % 3));
        send(host, r#"{"target":"game","command":"GameOption","args":["UnitCap",1000]}"#);
        for guest in host + 1..host + MEMBERS {
            for (from, to) in [(guest, host), (host, guest)] {
                send(from, &format!(r#"{{"target":"game","command":"IceMsg","args":[{to},"{candidate}"]}}"#));
            }
        }
        send(host + 1, r#"{"command":"pong"}"#);
        send(PLAYERS - game, r#"{"command":"ping"}"#);
        if game % 10 == 0 {
            let guest = host + 3;
            send(guest, r#"{"target":"game","command":"GameState","args":["Ended"]}"#);
            send(guest, &format!(r#"{{"command":"game_join","uid":{game}}}"#));
            send(guest, r#"{"target":"game","command":"GameState","args":["Idle"]}"#);
            send(guest, r#"{"target":"game","command":"GameState","args":["Lobby"]}"#);
            send(host, &player_option(guest, "Team", 2));
        }
    }
    bencher.counter(ItemsCount::new(script.len())).bench_local(move || {
        for (player, message) in &script {
            lobby.handle(Event::Received { conn: ConnId(*player), message: Ok(message.clone()) });
        }
        lobby.report();
    });
}

/// The queues of [`matchmaking_commands`], with their team sizes.
const QUEUES: [(&str, u32); 3] = [("ladder1v1", 1), ("tmm2v2", 2), ("tmm4v4", 4)];

/// Commands of the matchmaker: of ten players, six form parties of two and search in two queues,
/// four search alone in two, and all of them give up; so that 2,000 players search at the same
/// time. The changes are reported at the end of a minute, in which no round finds anybody.
#[divan::bench]
fn matchmaking_commands(bencher: Bencher<'_, '_>) {
    let queues =
        (1..).zip(QUEUES).map(|(id, (name, team_size))| queue(id, name, team_size, VetoSettings::default()));
    let mut lobby = Lobby::online(PLAYERS, quiet(), queues.collect());
    let mut search: Vec<(u64, ClientMessage)> = Vec::new();
    let mut give_up = Vec::new();
    let send = |script: &mut Vec<(u64, ClientMessage)>, player: u64, text: &str| {
        let message: Message = text.parse().unwrap();
        script.push((player, ClientMessage::read(message).unwrap()));
    };
    let matchmaking = |state: &str, queue: &str| {
        format!(r#"{{"command":"game_matchmaking","state":"{state}","queue_name":"{queue}"}}"#)
    };
    for first in (1..=PLAYERS).step_by(10) {
        for owner in (first..first + 6).step_by(2) {
            let guest = owner + 1;
            send(&mut search, owner, &format!(r#"{{"command":"invite_to_party","recipient_id":{guest}}}"#));
            send(&mut search, guest, &format!(r#"{{"command":"accept_party_invite","sender_id":{owner}}}"#));
            send(&mut search, guest, r#"{"command":"set_party_factions","factions":["aeon"]}"#);
            send(&mut search, owner, &matchmaking("start", "tmm2v2"));
            send(&mut search, owner, &matchmaking("start", "tmm4v4"));
            send(&mut give_up, guest, &matchmaking("stop", "tmm2v2"));
            send(&mut give_up, guest, r#"{"command":"leave_party"}"#);
        }
        for alone in first + 6..first + 10 {
            send(&mut search, alone, &matchmaking("start", "ladder1v1"));
            send(&mut search, alone, &matchmaking("start", "tmm2v2"));
            send(&mut give_up, alone, &matchmaking("stop", "ladder1v1"));
            send(&mut give_up, alone, &matchmaking("stop", "tmm2v2"));
        }
    }
    let searching = |lobby: &Lobby| {
        let is_searching = |player: &u64| {
            let player = PlayerId(u32::try_from(*player).unwrap());
            QUEUES.iter().any(|(queue, _)| lobby.world.is_searching(player, queue))
        };
        (1..=PLAYERS).filter(is_searching).count() as u64
    };
    let play = |lobby: &mut Lobby, script: &[(u64, ClientMessage)]| {
        for (player, message) in script {
            lobby.handle(Event::Received { conn: ConnId(*player), message: Ok(message.clone()) });
        }
    };
    play(&mut lobby, &search);
    assert_eq!(searching(&lobby), PLAYERS);
    play(&mut lobby, &give_up);
    assert_eq!(searching(&lobby), 0);
    bencher.counter(ItemsCount::new(search.len() + give_up.len())).bench_local(move || {
        // Invitations are limited to some a minute.
        lobby.elapsed += Duration::from_secs(60);
        lobby.report();
        play(&mut lobby, &search);
        play(&mut lobby, &give_up);
    });
}

/// All 300 games have changed, and the report goes to 2,000 players.
#[divan::bench]
fn report_of_all_games(bencher: Bencher<'_, '_>) {
    let lobby = RefCell::new(Lobby::new(PLAYERS, quiet()));
    let change_all = || {
        let mut lobby = lobby.borrow_mut();
        for game in 1..=GAMES {
            lobby.send(host_of(game), &player_option(host_of(game), "Team", 2));
        }
    };
    bencher.with_inputs(change_all).bench_local_values(|()| lobby.borrow_mut().report());
}

/// One player hosts a game and abandons it: `game_host` with both of its requests, the start and
/// the end of the process, and the report to all players.
#[divan::bench]
fn game_host(bencher: Bencher<'_, '_>) {
    let mut lobby = Lobby::new(PLAYERS, quiet());
    bencher.bench_local(move || {
        for text in [
            r#"{"command":"game_host","visibility":"public","title":"1v1"}"#,
            r#"{"target":"game","command":"GameState","args":["Idle"]}"#,
            r#"{"target":"game","command":"GameState","args":["Ended"]}"#,
        ] {
            lobby.send(PLAYERS, text);
        }
        lobby.report();
    });
}
