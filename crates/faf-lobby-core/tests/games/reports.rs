//! The size of a report on games, and the turns that games take if there is not enough room.

use std::collections::BTreeMap;

use faf_lobby_core::Settings;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

use crate::support::{SECOND, game, host_with, join};

/// Number of hosts, more than one report has room for.
const HOSTS: usize = 700;

/// Returns the bytes of `game_info` that a client has received, and how often it received
/// each game.
fn games_received(lobby: &mut SimulatedLobby, conn: faf_lobby_core::ConnId) -> (usize, BTreeMap<u64, usize>) {
    let (mut bytes, mut games) = (0, BTreeMap::new());
    for text in lobby.receive(conn) {
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        if message["command"] == "game_info" && message.get("uid").is_some() {
            bytes += text.len();
            *games.entry(message["uid"].as_u64().unwrap()).or_default() += 1;
        }
    }
    (bytes, games)
}

#[test]
fn games_that_change_all_the_time_take_turns() {
    let logins: Vec<String> = (0..=HOSTS).map(|number| format!("host{number:04}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings { login_rate: 100_000, ..Settings::default() }, store);
    let watcher = lobby.log_in(&logins[HOSTS]);
    let hosts: Vec<_> = logins[..HOSTS].iter().map(|login| lobby.log_in(login)).collect();
    for conn in &hosts {
        host_with(&mut lobby, *conn, "");
        game(&mut lobby, *conn, "GameState", r#"["Idle"]"#);
        game(&mut lobby, *conn, "GameState", r#"["Lobby"]"#);
    }
    lobby.advance(SECOND * 12);
    assert_eq!(games_received(&mut lobby, watcher).1.len(), HOSTS, "everybody is told of in the end");

    // All games but the last change their titles every second; the last one does so once.
    let mut counts = BTreeMap::new();
    for round in 0..12 {
        for conn in &hosts[..HOSTS - 1] {
            game(&mut lobby, *conn, "GameOption", &format!(r#"["Title","round {round}"]"#));
        }
        if round == 1 {
            game(&mut lobby, hosts[HOSTS - 1], "GameOption", r#"["Title","once"]"#);
        }
        lobby.advance(SECOND);
        let (bytes, games) = games_received(&mut lobby, watcher);
        assert!(bytes <= 66 * 1024, "{bytes} bytes in a report");
        for (game, times) in games {
            *counts.entry(game).or_default() += times;
        }
    }
    assert_eq!(counts.len(), HOSTS, "nobody is left out");
    let (least, most) = counts
        .values()
        .fold((usize::MAX, 0), |(least, most), times: &usize| (least.min(*times), most.max(*times)));
    assert!(least >= 1 && most <= 5, "between {least} and {most} times");
    lobby.advance(SECOND * 12);
    assert!(lobby.world.is_settled());

    // Actions do not wait for a report.
    join(&mut lobby, watcher, 1);
    assert!(lobby.receive(watcher).iter().any(|text| text.contains("game_launch")));
}
