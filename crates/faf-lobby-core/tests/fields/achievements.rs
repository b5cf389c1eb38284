//! Times at which achievements and events are published, and how often.

use faf_lobby_core::ConnId;
use faf_testkit::lobby::{Published, SimulatedLobby};
use serde_json::{Value, json};

use crate::stored::statistics;
use crate::support::{SECOND, enter, finish, game, host, lobby, seat};

/// Starts a live game of Ada and Bob, with this value of the option that allows cheats, if any.
fn play(cheats: Option<&str>) -> (SimulatedLobby, [ConnId; 2]) {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 3);
    if let Some(cheats) = cheats {
        game(&mut lobby, ada, "GameOption", &format!(r#"["CheatsEnabled",{cheats}]"#));
    }
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, bob, "GameState", r#"["Launching"]"#);
    lobby.advance(SECOND * 900);
    (lobby, [ada, bob])
}

fn send_statistics(lobby: &mut SimulatedLobby, conn: ConnId) {
    game(lobby, conn, "JsonStats", &json!([statistics()]).to_string());
}

/// Returns all published achievements and events in order. The tables that they follow have
/// unit tests.
fn updates(lobby: &SimulatedLobby) -> Vec<(String, Value)> {
    let requests =
        lobby.published.iter().filter(|publication| publication.routing_key.starts_with("request."));
    let update = |publication: &Published| {
        let body: Value = serde_json::from_str(&publication.body).unwrap();
        (publication.routing_key.clone(), body)
    };
    requests.map(update).collect()
}

/// The number of published achievements and events of a player.
fn count(lobby: &SimulatedLobby, player: u32) -> usize {
    updates(lobby).iter().filter(|(_, body)| body["playerId"] == player).count()
}

#[test]
fn updates_are_published_once_for_repeated_statistics() {
    let (mut lobby, conns) = play(Some(r#""false""#));
    for conn in conns {
        send_statistics(&mut lobby, conn);
    }
    assert_eq!(updates(&lobby), [], "nobody knows how it went");
    for (conn, army) in [(conns[0], 1), (conns[1], 2)] {
        let result = if army == 1 { "victory 10" } else { "defeat -10" };
        for reporter in conns {
            game(&mut lobby, reporter, "GameResult", &format!(r#"[{army},"{result}"]"#));
        }
        send_statistics(&mut lobby, conn);
    }
    let first = updates(&lobby);
    assert!(count(&lobby, 1) > 0 && count(&lobby, 2) > 0, "{first:?}");
    let mut distinct: Vec<String> = first.iter().map(|update| format!("{update:?}")).collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), first.len(), "told twice: {first:?}");
    // Later statistics change nothing.
    for conn in conns {
        send_statistics(&mut lobby, conn);
    }
    finish(&mut lobby, &conns, &[(1, "victory 10"), (2, "defeat -10")]);
    assert_eq!(updates(&lobby), first);
}

#[test]
fn cheats_prevent_achievements() {
    for cheats in [r#""true""#, "false", r#""False""#] {
        let (mut lobby, conns) = play(Some(cheats));
        for conn in conns {
            send_statistics(&mut lobby, conn);
        }
        finish(&mut lobby, &conns, &[(1, "victory 10"), (2, "defeat -10")]);
        for conn in conns {
            send_statistics(&mut lobby, conn);
        }
        assert_eq!(updates(&lobby), [], "{cheats}");
    }
}

/// The updates of a player who has killed a commander differ between a defeat and a victory.
#[test]
fn only_the_winner_gets_the_updates_for_a_victory() {
    let all = |results: [(i64, &str); 2]| {
        let (mut lobby, conns) = play(Some(r#""false""#));
        for (army, result) in results {
            for reporter in conns {
                game(&mut lobby, reporter, "GameResult", &format!(r#"[{army},"{result}"]"#));
            }
        }
        send_statistics(&mut lobby, conns[0]);
        updates(&lobby)
    };
    let (won, lost) =
        (all([(1, "victory 10"), (2, "defeat -10")]), all([(1, "defeat -10"), (2, "victory 10")]));
    assert_ne!(won, lost);
    let of = |updates: &[(String, Value)], player: u32| {
        updates.iter().filter(|(_, body)| body["playerId"] == player).cloned().collect::<Vec<_>>()
    };
    for player in [1, 2] {
        assert_ne!(
            of(&won, player),
            of(&lost, player),
            "{player} is told the same for a victory and a defeat"
        );
    }
    // Without a victory, they are the same.
    let drawn = all([(1, "draw 0"), (2, "draw 0")]);
    assert_eq!(of(&drawn, 1), of(&lost, 1));
}
