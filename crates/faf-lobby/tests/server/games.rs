//! Games from the lobby to the rating, also across a restart of the server.

use std::process::Command;

use faf_lobby::store::facts::Facts;
use faf_lobby::store::{OtherProgram, SeedFile, Store};
use faf_lobby_core::ratings::{GLOBAL, Leaderboard, Leaderboards, RatedTeam, START_RATING, rate_game};
use faf_lobby_core::results::Outcome;
use faf_protocol::{GameId, PlayerId, WireFormat};
use serde_json::{Value, json};

use super::support::{Client, TestServer, soon};

/// Ada hosts a game on the map `testmap`, and Bob joins; each has a team.
pub(crate) async fn open_lobby(ada: &mut Client, bob: &mut Client) -> u64 {
    ada.send(r#"{"command":"game_host","title":"Ada's game","mod":"faf","mapname":"testmap","visibility":"public"}"#)
        .await;
    let launch = parse(ada.receive_command("game_launch").await.as_str());
    let id = launch["uid"].as_u64().unwrap();
    ada.play("GameState", r#""Idle""#).await;
    ada.play("GameState", r#""Lobby""#).await;
    ada.receive_command("HostGame").await;
    bob.send(&format!(r#"{{"command":"game_join","uid":{id}}}"#)).await;
    bob.receive_command("game_launch").await;
    bob.play("GameState", r#""Idle""#).await;
    bob.play("GameState", r#""Lobby""#).await;
    bob.receive_command("JoinGame").await;
    ada.receive_command("ConnectToPeer").await;
    for player in [1, 2] {
        let team = player + 1;
        let options =
            [("Team", team), ("Army", player), ("StartSpot", player), ("Faction", 2), ("Color", player)];
        for (key, value) in options {
            ada.play("PlayerOption", &format!(r#"{player},"{key}",{value}"#)).await;
        }
    }
    ada.settle().await;
    id
}

/// Ada and Bob report that Ada has won.
pub(crate) async fn report(players: &mut [&mut Client]) {
    for player in players.iter_mut() {
        player.play("GameResult", r#"1,"victory 10""#).await;
        player.play("GameResult", r#"2,"defeat -10""#).await;
        player.settle().await;
    }
}

/// A seed with a ranked map, whose folder name is `testmap`.
pub(crate) const MAP: &str = r#"{
    "maps": [{"map_id": 1, "version_id": 12, "display_name": "Test map", "filename": "maps/testmap.zip",
              "version": 1, "ranked": true, "max_players": 2, "width": 256, "height": 256}]
}"#;

/// Puts this map into the vault of a database without accounts.
pub(crate) async fn add_map(store: &Store) {
    store.seed(SeedFile::parse(MAP).unwrap()).await.unwrap();
}

/// Mean and deviation of Ada and Bob after Ada has won their first game.
pub(crate) fn expected_ratings() -> [(f64, f64); 2] {
    let global = Leaderboard { id: 1, name: GLOBAL.to_owned(), initializer: None };
    let team = |outcome, player| RatedTeam { outcome, players: vec![PlayerId(player)] };
    let teams = [team(Outcome::Victory, 1), team(Outcome::Defeat, 2)];
    let changes =
        rate_game(&Leaderboards::new(vec![global]), START_RATING, GLOBAL, &teams, &|_, _| None).unwrap();
    [0, 1].map(|index: usize| (changes[index].after.mean, changes[index].after.deviation))
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Returns the standard output of `faf-lobby explain game`.
async fn explain(server: &TestServer, id: u64) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
    command.args(["explain", "game", &id.to_string(), "--database"]).arg(server.database());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until a client has received the new ratings of both players.
pub(crate) async fn receive_ratings(client: &mut Client) {
    let message = client.receive_containing(r#""number_of_games":1"#).await;
    let players = parse(message.as_str());
    for (player, (mean, deviation)) in players["players"].as_array().unwrap().iter().zip(expected_ratings()) {
        let rating = &player["ratings"]["global"];
        assert_eq!(*rating, json!({"rating": [mean, deviation], "number_of_games": 1}), "{message}");
    }
}

/// Returns the number and the name of the outcome of each player.
pub(crate) fn outcomes(facts: &Facts) -> Vec<(u32, &str)> {
    let players = facts.players.iter();
    players.map(|player| (player.player_id.0, player.result.as_deref().unwrap_or("none"))).collect()
}

/// Checks that both were rated once, and that Ada has won.
pub(crate) fn check_stored_ratings(facts: &Facts) {
    let stored = facts.ratings.iter().map(|fact| {
        (fact.player_id.0, (fact.rating.mean, fact.rating.deviation), fact.total_games, fact.won_games)
    });
    let [ada, bob] = expected_ratings();
    assert_eq!(stored.collect::<Vec<_>>(), [(1, ada, 1, 1), (2, bob, 1, 0)]);
    assert_eq!(facts.journal.len(), 2);
}

#[tokio::test]
async fn game_is_played_and_rated() {
    let server = TestServer::start().await;
    add_map(server.store()).await;
    let mut ada = server.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut bob = server.log_in(WireFormat::WebSocket, "Bob").await;
    let mut cem = server.log_in(WireFormat::QDataStream, "Cem").await;
    let id = open_lobby(&mut ada, &mut bob).await;
    cem.receive_containing(r#""state":"open""#).await;
    let status = parse(&server.get("/status").await.1);
    assert_eq!(status["games"], json!({"initializing": 0, "lobby": 1, "live": 0, "ended": 0}));

    ada.play("GameState", r#""Launching""#).await;
    let playing = cem.receive_containing(r#""state":"playing""#).await;
    assert!(playing.as_str().contains(r#""teams":{"2":["Ada"],"3":["Bob"]}"#), "{playing}");
    ada.settle().await;
    let games = parse(&server.get("/games").await.1);
    assert_eq!(
        (&games[0]["command"], &games[0]["uid"], &games[0]["mapname"]),
        (&json!("game_info"), &json!(id), &json!("testmap"))
    );
    for (labels, count) in [
        (r#"games_total{game_mode="faf",game_state="LIVE"}"#, 1),
        (r#"games_total{game_mode="faf",game_state="LOBBY"}"#, 0),
        (r#"games_total{game_mode="coop",game_state="LIVE"}"#, 0),
        (r#"games_total{game_mode="other",game_state="LIVE"}"#, 0),
        (r#"games_by_rating_type_total{rating_type="global",game_state="LIVE"}"#, 1),
        (r#"games_by_rating_type_total{rating_type="ladder_1v1",game_state="LIVE"}"#, 0),
    ] {
        server.wait_for_metric(&format!("server_game_active_{labels} {count}")).await;
    }
    let text = explain(&server, id).await;
    assert!(
        text.contains("not over yet, VALID") && text.contains("ok  BAD_MAP: the map is ranked"),
        "{text}"
    );
    assert!(!text.contains("rated on"), "{text}");

    ada.play("EnforceRating", "").await;
    report(&mut [&mut ada, &mut bob]).await;
    ada.play("GameEnded", "").await;
    bob.play("GameEnded", "").await;
    cem.receive_containing(r#""state":"closed""#).await;
    receive_ratings(&mut ada).await;
    check_stored_ratings(&server.facts().await);
    let facts = server.facts().await;
    let game = facts.game(GameId(1)).unwrap();
    assert_eq!((game.victory.as_str(), game.title.as_str()), ("DEMORALIZATION", "Ada's game"));
    assert_eq!((game.host, game.map_version, game.validity), (PlayerId(1), Some(12), 0));
    assert!(game.ended_at.unwrap() >= game.launched_at && !game.is_live);
    let players: Vec<_> = facts
        .players
        .iter()
        .map(|player| {
            let place = (player.faction, player.color, player.team, player.place);
            (player.player_id.0, place, player.result.as_deref(), player.score, player.has_score_time)
        })
        .collect();
    assert_eq!(
        players,
        [
            (1, (2, 1, 2, 1), Some("VICTORY"), Some(10), true),
            (2, (2, 2, 3, 2), Some("DEFEAT"), Some(-10), true)
        ]
    );
    let joins: Vec<_> = facts.joins.iter().map(|join| (join.player.0, join.game.0, join.address)).collect();
    let from = Some("127.0.0.1".parse().unwrap());
    assert_eq!(joins, [(1, 1, None), (2, 1, from)], "the host, and the player who has joined");
    for series in [
        r#"server_game_rated_games_total{leaderboard="global"} 1"#,
        r#"server_publications_total{routing_key="success.gameResults.create"} 1"#,
        r#"server_publications_total{routing_key="success.rating.update"} 2"#,
        "server_games_not_stored_total 0",
        "server_outbox_waiting 0",
    ] {
        server.wait_for_metric(series).await;
    }

    let text = explain(&server, id).await;
    for part in [
        "game 1: \"Ada's game\", hosted by Ada, faf on testmap\nlaunched at 20",
        ", VALID\n\nteam  player",
        "   2  Ada (1)                         VICTORY         10  global: 1500.00/500.00 -> 1765.51/429.19\n",
        "   3  Bob (2)                         DEFEAT         -10  global: 1500.00/500.00 -> 1234.49/429.19\n",
        "army 2 of Bob: DEFEAT, score -10; reported DEFEAT by 2\n",
        "\nrated on global\n",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[tokio::test]
async fn shutdown_waits_for_pending_writes() {
    let server = TestServer::start().await;
    add_map(server.store()).await;
    let mut ada = server.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut bob = server.log_in(WireFormat::SimpleJson, "Bob").await;
    open_lobby(&mut ada, &mut bob).await;
    ada.play("GameState", r#""Launching""#).await;
    ada.play("EnforceRating", "").await;
    report(&mut [&mut ada, &mut bob]).await;
    ada.play("GameEnded", "").await;
    ada.settle().await;
    // Another program writes, so the server's write about the end has to wait.
    let database = server.database();
    let other = OtherProgram::open(&database).unwrap();
    other.lock().unwrap();
    bob.play("GameEnded", "").await;
    soon("the game ends", async { while parse(&server.get("/status").await.1)["games"]["ended"] != 1 {} })
        .await;
    server.request_shutdown().await;
    server.request_shutdown().await;
    for client in [&mut ada, &mut bob] {
        client.wait_for_end().await;
    }
    drop((ada, bob));
    drop(other);
    let _folder = server.wait().await;
    let facts = Store::open_file(&database).unwrap().facts().await.unwrap();
    assert_eq!(outcomes(&facts), [(1, "VICTORY"), (2, "DEFEAT")]);
    check_stored_ratings(&facts);
    assert_eq!(facts.outbox, [], "all messages are delivered");
}

#[tokio::test]
async fn live_game_survives_a_restart() {
    let server = TestServer::start().await;
    add_map(server.store()).await;
    let mut ada = server.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut bob = server.log_in(WireFormat::WebSocket, "Bob").await;
    let id = open_lobby(&mut ada, &mut bob).await;
    ada.play("GameState", r#""Launching""#).await;
    ada.play("EnforceRating", "").await;
    report(&mut [&mut ada]).await;
    // A second request does not wait for the game.
    server.request_shutdown().await;
    server.request_shutdown().await;
    for client in [&mut ada, &mut bob] {
        client.wait_for_end().await;
    }
    drop((ada, bob));

    let server = TestServer::start_in(server.wait().await, |_| {}).await;
    let mut ada = server.connect(WireFormat::SimpleJson).await;
    let mut bob = server.connect(WireFormat::WebSocket).await;
    for (client, name) in [(&mut ada, "Ada"), (&mut bob, "Bob")] {
        let (_, games) = client.log_in_and_look(name).await;
        assert!(games.as_str().contains(r#""title":"Ada's game","state":"playing""#), "{games}");
        client.send(&format!(r#"{{"command":"restore_game_session","game_id":{id}}}"#)).await;
        client.settle().await;
    }
    // Ada's earlier report is still known.
    report(&mut [&mut bob]).await;
    ada.play("GameEnded", "").await;
    bob.play("GameEnded", "").await;
    receive_ratings(&mut ada).await;
    check_stored_ratings(&server.facts().await);
    let text = explain(&server, id).await;
    assert!(text.contains("reported VICTORY by 2") && text.contains("rated on global"), "{text}");

    // The next game has the next number.
    for client in [&mut ada, &mut bob] {
        client.play("GameState", r#""Ended""#).await;
        client.settle().await;
    }
    assert_eq!(open_lobby(&mut ada, &mut bob).await, id + 1);
}
