//! A game belongs to its players: nobody else ends it, keeps it open, or changes its result.

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{ConnId, GameState};
use faf_protocol::GameId;
use faf_testkit::lobby::SimulatedLobby;

use crate::support::{
    PLAYERS, SECOND, enter, finish, game, host, join, live_game, lobby, notice, seat, state,
};

const RESULTS: [(i64, &str); 2] = [(1, "victory 10"), (2, "defeat -10")];

fn report(lobby: &mut SimulatedLobby, conn: ConnId, results: &[(i64, &str)]) {
    for (army, result) in results {
        game(lobby, conn, "GameResult", &format!(r#"[{army},"{result}"]"#));
    }
}

/// Returns the validity of the ended game, and its explanation.
fn end(lobby: &SimulatedLobby) -> (Validity, String) {
    let end = lobby.store.games[&GameId(1)].end.clone().expect("the game has ended");
    let lines: Vec<String> = end.decisions.iter().map(ToString::to_string).collect();
    assert_eq!(end.rated.is_some(), end.validity == Validity::Valid, "{lines:?}");
    (end.validity, lines.join("\n"))
}

fn restore(lobby: &mut SimulatedLobby, conn: ConnId) -> Vec<String> {
    lobby.receive(conn);
    lobby.send(conn, r#"{"command":"restore_game_session","game_id":1}"#);
    lobby.receive(conn)
}

/// Starts a game of Ada and Bob with two observers: the host has given Cem a place among the
/// observers, Dan none at all.
fn watched_game(lobby: &mut SimulatedLobby) -> [ConnId; 4] {
    let [ada, bob, cem, dan, _] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(lobby, ada, "");
    for guest in [bob, cem, dan] {
        enter(lobby, guest, 1);
    }
    seat(lobby, ada, 1, 1, 2);
    seat(lobby, ada, 2, 2, 3);
    seat(lobby, ada, 3, -1, -1);
    for conn in [ada, bob, cem, dan] {
        game(lobby, conn, "GameState", r#"["Launching"]"#);
    }
    [ada, bob, cem, dan]
}

/// Starts a game of Ada and Bob that Ada has launched; Bob's process does nothing yet.
fn launched_by_host(lobby: &mut SimulatedLobby) -> (ConnId, ConnId) {
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(lobby, ada, "");
    enter(lobby, bob, 1);
    seat(lobby, ada, 1, 1, 2);
    seat(lobby, ada, 2, 2, 3);
    game(lobby, ada, "GameState", r#"["Launching"]"#);
    (ada, bob)
}

#[test]
fn a_player_whose_game_has_not_begun_is_not_rated() {
    let play = |bob_says: &dyn Fn(&mut SimulatedLobby, ConnId)| {
        let mut lobby = lobby();
        let (ada, bob) = launched_by_host(&mut lobby);
        lobby.advance(SECOND * 200);
        report(&mut lobby, ada, &RESULTS);
        bob_says(&mut lobby, bob);
        game(&mut lobby, ada, "GameEnded", "[]");
        game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
        lobby.advance(SECOND);
        end(&lobby)
    };
    let (validity, log) = play(&|_, _| ());
    assert_eq!(validity, Validity::UnknownResult);
    assert!(log.contains("the game of Bob neither said Launching nor reported anything"), "{log}");
    assert!(log.ends_with("not rated: UNKNOWN_RESULT"));
    // Messages that do not show that the simulation has begun do not count.
    let (validity, _) = play(&|lobby, bob| {
        game(lobby, bob, "GameState", r#"["Lobby"]"#);
        game(lobby, bob, "GameResult", r#"[1,"gibberish"]"#);
        game(lobby, bob, "Chat", r#"["hello"]"#);
    });
    assert_eq!(validity, Validity::UnknownResult);
    for (command, args) in [
        ("GameState", r#"["Launching"]"#),
        ("GameResult", r#"[2,"defeat -10"]"#),
        ("GameEnded", "[]"),
        ("EnforceRating", "[]"),
        ("Desync", "[]"),
        ("JsonStats", r#"["{\"stats\":[]}"]"#),
    ] {
        let (validity, log) = play(&|lobby, bob| game(lobby, bob, command, args));
        assert_eq!(validity, Validity::Valid, "{command}: {log}");
    }
}

#[test]
fn a_guest_may_launch_before_the_host_does() {
    // All processes send this at the same time, on different connections.
    for leaves in [false, true] {
        let mut lobby = lobby();
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        host(&mut lobby, ada, "");
        enter(&mut lobby, bob, 1);
        seat(&mut lobby, ada, 1, 1, 2);
        seat(&mut lobby, ada, 2, 2, 3);
        game(&mut lobby, bob, "GameState", r#"["Launching"]"#);
        assert_eq!(state(&lobby), Some(GameState::Lobby));
        if leaves {
            // That `Launching` came from another process.
            game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
            enter(&mut lobby, bob, 1);
            seat(&mut lobby, ada, 2, 2, 3);
        }
        game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
        lobby.advance(SECOND * 200);
        finish(&mut lobby, &[ada], &RESULTS);
        game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
        lobby.advance(SECOND);
        assert_eq!(end(&lobby).0 == Validity::Valid, !leaves);
    }
}

#[test]
fn the_begin_of_a_game_survives_a_restart() {
    let mut lobby = lobby();
    let (_, bob) = launched_by_host(&mut lobby);
    game(&mut lobby, bob, "GameState", r#"["Launching"]"#);
    lobby.advance(SECOND * 200);
    lobby.restart();
    let ada = lobby.log_in("Ada");
    assert!(restore(&mut lobby, ada).is_empty());
    report(&mut lobby, ada, &RESULTS);
    game(&mut lobby, ada, "GameEnded", "[]");
    lobby.advance(SECOND * 400);
    assert_eq!(end(&lobby).0, Validity::Valid);
}

/// Version 0.1 did not store which processes had begun, nor any field added since then.
#[test]
fn a_live_game_stored_by_an_older_version_is_rated() {
    let mut lobby = lobby();
    let (_, bob) = launched_by_host(&mut lobby);
    game(&mut lobby, bob, "GameState", r#"["Launching"]"#);
    lobby.advance(SECOND * 200);
    let saved = &mut lobby.store.games.values_mut().next().unwrap().saved;
    let mut stored = serde_json::to_value(&saved).unwrap();
    for (part, names) in [
        ("", &["unlisted_mod", "launching"][..]),
        ("/live", &["desyncs_by", "begun", "overdue", "statistics_by"]),
    ] {
        let fields = stored.pointer_mut(part).unwrap().as_object_mut().unwrap();
        names.iter().for_each(|name| assert!(fields.remove(*name).is_some(), "{name}"));
    }
    *saved = serde_json::from_value(stored).unwrap();
    lobby.restart();
    let ada = lobby.log_in("Ada");
    assert!(restore(&mut lobby, ada).is_empty());
    report(&mut lobby, ada, &RESULTS);
    game(&mut lobby, ada, "GameEnded", "[]");
    lobby.advance(SECOND * 400);
    assert_eq!(end(&lobby).0, Validity::Valid);
}

#[test]
fn observers_do_not_decide() {
    let lies: [(i64, &str); 2] = [(1, "victory 10"), (2, "defeat -10")];
    let truth: [(i64, &str); 2] = [(1, "defeat -10"), (2, "victory 10")];
    // One player against the other, with two observers on one side.
    let mut lobby = lobby();
    let [ada, bob, cem, dan] = watched_game(&mut lobby);
    lobby.advance(SECOND * 200);
    for liar in [ada, cem, dan] {
        report(&mut lobby, liar, &lies);
    }
    report(&mut lobby, bob, &truth);
    finish(&mut lobby, &[ada, bob], &[]);
    let (validity, log) = end(&lobby);
    assert_eq!(validity, Validity::UnknownResult, "{log}");
    assert!(log.contains("4 reports of observers do not count"), "{log}");

    // A player's report outweighs those of any number of observers.
    let mut lobby = crate::support::lobby();
    let [ada, bob, cem, dan] = watched_game(&mut lobby);
    lobby.advance(SECOND * 200);
    for liar in [cem, dan] {
        report(&mut lobby, liar, &lies);
    }
    report(&mut lobby, bob, &truth);
    finish(&mut lobby, &[ada, bob], &[]);
    let (validity, log) = end(&lobby);
    assert!(validity == Validity::Valid && log.contains("army 2 of Bob: VICTORY"), "{log}");

    // Without any report of a player, observers are believed.
    let mut lobby = crate::support::lobby();
    let [ada, bob, cem, _] = watched_game(&mut lobby);
    lobby.advance(SECOND * 200);
    report(&mut lobby, cem, &truth);
    finish(&mut lobby, &[ada, bob], &[]);
    let (validity, log) = end(&lobby);
    assert!(validity == Validity::Valid && log.contains("army 2 of Bob: VICTORY"), "{log}");
}

#[test]
fn observers_do_not_influence_the_validity() {
    let mut lobby = lobby();
    let [ada, bob, cem, dan] = watched_game(&mut lobby);
    lobby.advance(SECOND * 30);
    for watching in [cem, dan] {
        (0..30).for_each(|_| game(&mut lobby, watching, "Desync", "[]"));
        game(&mut lobby, watching, "EnforceRating", "[]");
        game(&mut lobby, watching, "TeamkillHappened", r#"[20,2,"Bob",1,"Ada"]"#);
        game(&mut lobby, watching, "JsonStats", r#"["{\"stats\":[]}"]"#);
    }
    report(&mut lobby, ada, &RESULTS);
    report(&mut lobby, bob, &RESULTS);
    game(&mut lobby, ada, "GameEnded", "[]");
    // Observers do not make the game last longer.
    lobby.advance(SECOND * 10);
    report(&mut lobby, cem, &RESULTS);
    game(&mut lobby, bob, "GameEnded", "[]");
    lobby.advance(SECOND);
    assert_eq!(end(&lobby).0, Validity::TooShort);
    assert!(lobby.store.games[&GameId(1)].notes.is_empty());
    assert!(!lobby.published.iter().any(|publication| publication.routing_key.starts_with("request.")));
}

#[test]
fn desyncs_of_one_player_do_not_invalidate_a_game() {
    for others in [0, 1] {
        let mut lobby = lobby();
        let (ada, bob) = live_game(&mut lobby);
        (0..500).for_each(|_| game(&mut lobby, bob, "Desync", "[]"));
        (0..others).for_each(|_| game(&mut lobby, ada, "Desync", "[]"));
        lobby.advance(SECOND * 200);
        finish(&mut lobby, &[ada, bob], &RESULTS);
        let expected = if others == 0 { Validity::Valid } else { Validity::TooManyDesyncs };
        assert_eq!(end(&lobby).0, expected);
    }
}

#[test]
fn only_possible_team_kills_are_noted() {
    let mut lobby = lobby();
    let [ada, ..] = watched_game(&mut lobby);
    for args in [
        r#"[-1,2,"Bob",1,"Ada"]"#,
        r#"[16777216,2,"Bob",1,"Ada"]"#,
        r#"["NaN",2,"Bob",1,"Ada"]"#,
        r#"[20,3,"Cem",1,"Ada"]"#,
        r#"[20,2,"Bob",4,"Dan"]"#,
        r#"[20,0,"AI",1,"Ada"]"#,
        r#"[20,99,"who",1,"Ada"]"#,
    ] {
        game(&mut lobby, ada, "TeamkillHappened", args);
    }
    assert!(lobby.store.games[&GameId(1)].notes.is_empty());
    game(&mut lobby, ada, "TeamkillHappened", r#"["230.5","2","Bob","1","Ada"]"#);
    assert_eq!(lobby.store.games[&GameId(1)].notes.len(), 1);
}

#[test]
fn observers_do_not_keep_a_game_open() {
    let mut lobby = lobby();
    let [ada, bob, cem, dan] = watched_game(&mut lobby);
    lobby.advance(SECOND * 200);
    for conn in [ada, bob] {
        report(&mut lobby, conn, &RESULTS);
        game(&mut lobby, conn, "GameEnded", "[]");
    }
    lobby.advance(SECOND);
    assert_eq!((end(&lobby).0, state(&lobby)), (Validity::Valid, Some(GameState::Ended)));
    // The observers' processes may go on as long as they like.
    for watching in [cem, dan] {
        assert!(lobby.is_open(watching));
        game(&mut lobby, watching, "GameState", r#"["Ended"]"#);
    }
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND);
    assert_eq!(lobby.world.games().count(), 0);
}

#[test]
fn a_silent_loser_does_not_hold_up_the_result() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    report(&mut lobby, ada, &RESULTS);
    lobby.advance(SECOND * 400);
    assert_eq!(state(&lobby), Some(GameState::Live), "both may still play");
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 299);
    assert_eq!(state(&lobby), Some(GameState::Live));
    lobby.advance(SECOND * 2);
    let (validity, log) = end(&lobby);
    assert_eq!(validity, Validity::Valid);
    assert!(log.contains("all others agree on the result, so the game did not wait for Bob"), "{log}");
    // Bob's process still runs, and may end the game as usual.
    assert!(lobby.is_open(bob));
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND);
    assert_eq!(lobby.world.games().count(), 0);
}

#[test]
fn a_report_that_disagrees_in_time_counts() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    report(&mut lobby, ada, &RESULTS);
    game(&mut lobby, ada, "GameEnded", "[]");
    lobby.advance(SECOND * 299);
    report(&mut lobby, bob, &[(1, "defeat -10")]);
    lobby.advance(SECOND * 2000);
    assert_eq!(state(&lobby), Some(GameState::Live), "as long as they disagree, Bob may play on");
    game(&mut lobby, bob, "GameEnded", "[]");
    lobby.advance(SECOND);
    assert_eq!(end(&lobby).0, Validity::UnknownResult);
}

#[test]
fn an_agreed_game_ends_although_nobody_ends_it() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    report(&mut lobby, ada, &RESULTS);
    report(&mut lobby, bob, &RESULTS);
    // The server is killed meanwhile: the time begins again for players who reconnect.
    lobby.advance(SECOND * 200);
    lobby.restart();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    assert!(restore(&mut lobby, ada).is_empty() && restore(&mut lobby, bob).is_empty());
    lobby.advance(SECOND * 299);
    assert_eq!(state(&lobby), Some(GameState::Live));
    lobby.advance(SECOND * 2);
    assert_eq!(end(&lobby).0, Validity::Valid);
}

#[test]
fn a_player_who_has_ended_cannot_rejoin() {
    for command in ["GameEnded", "GameState"] {
        let mut lobby = lobby();
        let (ada, bob) = live_game(&mut lobby);
        game(&mut lobby, bob, command, r#"["Ended"]"#);
        lobby.disconnect(bob);
        let bob = lobby.log_in("Bob");
        assert_eq!(restore(&mut lobby, bob), [notice("info", "You are not part of this game")]);
        // The game does not wait for Bob: it is over when Ada ends it.
        game(&mut lobby, ada, "GameEnded", "[]");
        lobby.advance(SECOND);
        assert_eq!(state(&lobby), Some(GameState::Ended), "{command}");
    }
}

#[test]
fn a_disconnected_player_rejoins_and_their_report_counts() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    lobby.disconnect(bob);
    report(&mut lobby, ada, &RESULTS);
    game(&mut lobby, ada, "GameEnded", "[]");
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 100);
    let bob = lobby.log_in("Bob");
    assert!(restore(&mut lobby, bob).is_empty());
    report(&mut lobby, bob, &[(1, "defeat -10"), (2, "victory 10")]);
    game(&mut lobby, bob, "GameEnded", "[]");
    lobby.advance(SECOND);
    assert_eq!(end(&lobby).0, Validity::UnknownResult);
}

#[test]
fn an_ended_game_looks_like_an_unknown_number() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    let cem = lobby.log_in("Cem");
    for conn in [ada, bob] {
        game(&mut lobby, conn, "GameEnded", "[]");
    }
    // The game exists until its end has been reported.
    join(&mut lobby, cem, 1);
    assert!(lobby.receive(cem).join("").contains("game_not_ready"));
    lobby.advance(SECOND);
    assert_eq!(state(&lobby), Some(GameState::Ended), "the processes still run");
    let answers = |lobby: &mut SimulatedLobby, uid: u32| {
        lobby.receive(cem);
        join(lobby, cem, uid);
        lobby.send(cem, &format!(r#"{{"command":"restore_game_session","game_id":{uid}}}"#));
        lobby.receive(cem).join("\n").replace(&format!(r#""uid":{uid}"#), "")
    };
    let of_over = answers(&mut lobby, 1);
    assert!(of_over.contains("host_left_game") && of_over.contains("no longer exists"), "{of_over}");
    assert_eq!(of_over, answers(&mut lobby, 4711));
}

#[test]
fn only_players_complete_a_mission() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, r#","mod":"coop""#);
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 1);
    seat(&mut lobby, ada, 2, -1, -1);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, bob, "OperationComplete", r#"[1,1,"00:00:01"]"#);
    assert!(lobby.store.games[&GameId(1)].notes.is_empty());
    game(&mut lobby, ada, "OperationComplete", r#"[1,1,"00:20:00"]"#);
    assert_eq!(lobby.store.games[&GameId(1)].notes.len(), 1);
}

#[test]
fn repeated_messages_change_nothing() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    lobby.advance(SECOND);
    for conn in [ada, bob] {
        lobby.receive(conn);
        game(&mut lobby, conn, "GameEnded", "[]");
        game(&mut lobby, conn, "GameState", r#"["Lobby"]"#);
        assert!(lobby.receive(conn).is_empty());
    }
    assert_eq!(state(&lobby), Some(GameState::Lobby));
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 3);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, bob, "GameEnded", "[]");
    game(&mut lobby, bob, "GameEnded", "[]");
    assert_eq!(state(&lobby), Some(GameState::Live), "Ada still plays");
}

#[test]
fn a_reconnect_between_two_reports_is_reported_once() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.advance(SECOND);
    lobby.receive(ada);
    lobby.disconnect(bob);
    lobby.log_in("Bob");
    lobby.advance(SECOND);
    let received = lobby.receive(ada).join("\n");
    assert_eq!(received.matches(r#""login":"Bob""#).count(), 1, "{received}");
    assert!(!received.contains("offline"), "{received}");
}
