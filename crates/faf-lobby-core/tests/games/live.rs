//! From the launch to the result and the rating.

use std::time::Duration;

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{ConnId, Count, Game, GameState, Note, Settings};
use faf_protocol::{GameId, PlayerId};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::queues::queue;
use faf_testkit::store::FakeStore;

use crate::support::{
    PLAYERS, SECOND, enter, finish, game, host, host_with, join, live_game, lobby, lobby_with, notice,
    only_game, received_games, received_orders, seat, state,
};

#[test]
fn a_game_is_played_and_rated() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    let cem = lobby.log_in("Cem");
    lobby.advance(SECOND * 121);
    assert_eq!(lobby.store.games[&GameId(1)].launched.players.len(), 2);
    lobby.receive(cem);
    finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
    let stored = &lobby.store.games[&GameId(1)];
    let end = stored.end.as_ref().unwrap();
    assert_eq!((end.validity, stored.ratings.len(), stored.saved.is_none()), (Validity::Valid, 2, true));
    let lines: Vec<String> = end.decisions.iter().map(ToString::to_string).collect();
    assert_eq!(lines.last().unwrap(), "rated on global");
    let received = lobby.receive(cem).join("\n");
    assert!(
        received.contains(r#""rating":[1765.51188"#) && received.contains(r#""number_of_games":1"#),
        "{received}"
    );
    assert!(received.contains(r#""state":"closed""#));
    let keys: Vec<_> = lobby.published.iter().map(|published| published.routing_key.as_str()).collect();
    assert_eq!(keys, ["success.gameResults.create", "success.rating.update", "success.rating.update"]);
    assert!(lobby.counts.contains(&Count::RatedGame("global".to_owned())));
    assert_eq!(lobby.world.games().count(), 0);
    // The next game counts this one.
    host_with(&mut lobby, ada, "");
    assert!(lobby.receive(ada).last().unwrap().contains(r#""args":["/numgames",1],"uid":2"#));
}

#[test]
fn a_match_is_stored_with_one_point_for_a_victory() {
    let mut store = FakeStore::with_accounts(["Ada", "Bob"]);
    store.data.queues = vec![queue(1, "ladder1v1", 1)];
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let conns = ["Ada", "Bob"].map(|login| {
        let conn = lobby.log_in(login);
        lobby.send(conn, r#"{"command":"game_matchmaking","state":"start"}"#);
        conn
    });
    lobby.advance(SECOND * 46);
    for conn in conns {
        game(&mut lobby, conn, "GameState", r#"["Idle"]"#);
        game(&mut lobby, conn, "GameState", r#"["Lobby"]"#);
    }
    for (player, army) in [(1, 1), (2, 2)] {
        seat(&mut lobby, conns[0], player, army, army + 1);
    }
    for conn in conns {
        game(&mut lobby, conn, "GameState", r#"["Launching"]"#);
    }
    lobby.advance(SECOND * 121);
    finish(&mut lobby, &conns, &[(1, "victory 10"), (2, "defeat -10")]);
    let end = lobby.store.games[&GameId(1)].end.clone().unwrap();
    assert_eq!(end.results.iter().map(|result| result.score).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a_login_during_the_rating_gets_the_new_rating() {
    for is_stored_first in [false, true] {
        // The game does not wait for Ada, whose connection is lost.
        let mut lobby =
            lobby_with(Settings { reconnect_grace_period: Duration::ZERO, ..Settings::default() });
        let (ada, bob) = live_game(&mut lobby);
        lobby.advance(SECOND * 121);
        game(&mut lobby, bob, "GameResult", r#"[1,"victory 10"]"#);
        lobby.disconnect(ada);
        let ada = lobby.connect();
        lobby.holds_replies = true;
        // One of the two requests is read from the database first, and answered last.
        let sign_in = |lobby: &mut SimulatedLobby| {
            lobby.send_hello(ada, "Ada");
            lobby.reply_next();
        };
        let end = |lobby: &mut SimulatedLobby| game(lobby, bob, "GameState", r#"["Ended"]"#);
        if is_stored_first {
            end(&mut lobby);
            let late = lobby.perform_next();
            sign_in(&mut lobby);
            lobby.reply_next();
            lobby.reply(late);
        } else {
            sign_in(&mut lobby);
            let late = lobby.perform_next();
            end(&mut lobby);
            lobby.reply_next();
            lobby.reply(late);
        }
        lobby.holds_replies = false;
        while lobby.reply_next() {}
        let me = lobby.world.players().remove(0);
        assert_eq!((me.login.as_str(), me.number_of_games), ("Ada", 1), "stored first: {is_stored_first}");
        assert_eq!(me.global_rating, lobby.store.account("Ada").ratings[0].1.rating);
    }
}

#[test]
fn games_that_do_not_count_have_a_reason() {
    let end_of = |play: &dyn Fn(&mut SimulatedLobby, ConnId, ConnId)| {
        let mut lobby = lobby();
        let (ada, bob) = live_game(&mut lobby);
        play(&mut lobby, ada, bob);
        assert_eq!(lobby.world.games().count(), 0);
        let stored = &lobby.store.games[&GameId(1)];
        let end = stored.end.as_ref().unwrap();
        assert_eq!(end.rated.is_some(), end.validity == Validity::Valid);
        (end.validity, end.results.len(), end.decisions.last().unwrap().to_string())
    };
    let results = [(1, "victory 10"), (2, "defeat -10")];
    let short = end_of(&|lobby, ada, bob| finish(lobby, &[ada, bob], &results));
    assert_eq!(short, (Validity::TooShort, 2, "not rated: TOO_SHORT".to_owned()));
    let enforced = end_of(&|lobby, ada, bob| {
        game(lobby, bob, "EnforceRating", "[]");
        finish(lobby, &[ada, bob], &results);
    });
    assert_eq!(enforced.0, Validity::Valid);
    let silent = end_of(&|lobby, ada, bob| finish(lobby, &[ada, bob], &[(9, "victory 10"), (1, "score 1")]));
    assert_eq!((silent.0, silent.1), (Validity::UnknownResult, 0));
    let apart = end_of(&|lobby, ada, bob| {
        (0..21).for_each(|_| game(lobby, ada, "Desync", "[]"));
        game(lobby, bob, "Desync", r#"["x"]"#);
        lobby.advance(SECOND * 200);
        finish(lobby, &[ada, bob], &results);
        assert_eq!(lobby.store.games[&GameId(1)].notes.len(), 2);
    });
    assert_eq!((apart.0, apart.1), (Validity::TooManyDesyncs, 0));
    let contradicting = end_of(&|lobby, ada, bob| {
        lobby.advance(SECOND * 200);
        game(lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
        game(lobby, bob, "GameResult", r#"["1","defeat -10"]"#);
        finish(lobby, &[ada, bob], &[]);
    });
    assert_eq!((contradicting.0, contradicting.1), (Validity::UnknownResult, 2));
}

#[test]
fn players_who_have_not_entered_the_lobby_do_not_count() {
    let mut lobby = lobby();
    let [ada, bob, cem, dan, _] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 3);
    // They start their processes, and go no further.
    for late in [cem, dan] {
        join(&mut lobby, late, 1);
        game(&mut lobby, late, "GameState", r#"["Idle"]"#);
    }
    lobby.receive(ada);
    game(&mut lobby, cem, "IceMsg", r#"[1,"x"]"#);
    assert!(received_orders(&mut lobby, ada).is_empty());
    lobby.holds_replies = true;
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    while lobby.reply_next() {}
    lobby.holds_replies = false;
    for late in [cem, dan] {
        (0..30).for_each(|_| game(&mut lobby, late, "Desync", "[]"));
        game(&mut lobby, late, "GameResult", r#"[2,"victory 10"]"#);
        // They may host another game.
        lobby.receive(late);
        host_with(&mut lobby, late, "");
        assert_eq!(lobby.receive_commands(late), ["game_launch"]);
        game(&mut lobby, late, "GameState", r#"["Ended"]"#);
    }
    lobby.advance(SECOND * 200);
    finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
    let stored = &lobby.store.games[&GameId(1)];
    assert_eq!(
        (stored.end.as_ref().unwrap().validity, stored.ratings[0].player),
        (Validity::Valid, PlayerId(1))
    );
    assert!(stored.notes.is_empty());
}

#[test]
fn the_last_one_who_leaves_ends_the_game() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    lobby.receive(ada);
    lobby.disconnect(bob);
    assert!(received_orders(&mut lobby, ada).is_empty(), "the simulation goes on without the lobby");
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, ada), [("playing".to_owned(), 1)]);
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 100);
    assert_eq!(state(&lobby), Some(GameState::Live), "Bob may come back");
    lobby.advance(SECOND * 20);
    let end = lobby.store.games[&GameId(1)].end.clone().unwrap();
    assert_eq!((end.validity, end.rated.is_some()), (Validity::Valid, true));
    // Bob is rated, although offline.
    assert_eq!(lobby.store.account("Bob").ratings[0].1.number_of_games, 1);
}

#[test]
fn a_game_waits_for_a_lost_connection() {
    let grace = Settings { reconnect_grace_period: SECOND * 60, ..Settings::default() };
    let mut lobby = lobby_with(grace);
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    lobby.disconnect(ada);
    lobby.disconnect(bob);
    lobby.advance(SECOND * 50);
    assert_eq!(state(&lobby), Some(GameState::Live));
    let (ada, eve) = (lobby.log_in("Ada"), lobby.log_in("Eve"));
    lobby.send(eve, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(lobby.receive(eve), [notice("info", "You are not part of this game")]);
    lobby.send(ada, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(only_game(&lobby).members(), [PlayerId(1)]);
    lobby.advance(SECOND * 20);
    assert_eq!(state(&lobby), Some(GameState::Live), "Ada is back, and Bob is not waited for any longer");
    game(&mut lobby, ada, "GameResult", r#"[2,"defeat 0"]"#);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 0"]"#);
    game(&mut lobby, ada, "GameEnded", "[]");
    lobby.advance(SECOND);
    assert_eq!(lobby.store.games[&GameId(1)].end.as_ref().unwrap().validity, Validity::Valid);
}

#[test]
fn a_game_that_never_ends_does_not_block_other_players() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    game(&mut lobby, bob, "GameEnded", "[]");
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive_commands(bob).contains(&"game_launch".to_owned()));
    lobby.advance(SECOND * 3600 * 24);
    assert!(lobby.is_open(ada));
    assert_eq!(lobby.world.games().map(Game::state).collect::<Vec<_>>(), [GameState::Live]);
    lobby.disconnect(ada);
    lobby.advance(SECOND * 121);
    assert_eq!(lobby.world.games().count(), 0);
}

#[test]
fn the_time_of_day_does_not_matter_to_a_game() {
    for jump in [-7200, 7200] {
        let mut lobby = lobby();
        let (ada, bob) = live_game(&mut lobby);
        lobby.advance(SECOND * if jump < 0 { 3000 } else { 10 });
        lobby.clock_error = jump * 1_000_000;
        finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
        let end = lobby.store.games[&GameId(1)].end.clone().unwrap();
        let expected = if jump < 0 { Validity::Valid } else { Validity::TooShort };
        assert_eq!(end.validity, expected, "the clock jumps by {jump} s");
    }
}

#[test]
fn missions_are_completed_once() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, r#","mod":"coop""#);
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 1);
    seat(&mut lobby, ada, 2, 2, 1);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, ada, "GameEnded", "[]");
    game(&mut lobby, bob, "GameEnded", "[]");
    // The game is over, but the processes still run.
    game(&mut lobby, bob, "OperationComplete", r#"[1,0,"soon"]"#);
    game(&mut lobby, bob, "OperationComplete", r#"[0,0,"00:10:00"]"#);
    game(&mut lobby, bob, "OperationComplete", r#"[1,"yes","00:12:34"]"#);
    game(&mut lobby, ada, "OperationComplete", r#"[1,0,"00:12:35"]"#);
    let note = Note::MissionComplete {
        map: "scmp_007".to_owned(),
        secondary: true,
        time: "00:12:34".to_owned(),
        player_count: 2,
    };
    let stored = &lobby.store.games[&GameId(1)];
    assert_eq!(stored.notes, [note]);
    assert_eq!(stored.end.as_ref().unwrap().validity, Validity::CoopNotRanked);
}
