//! The stored fields of a game and its publications, field by field.

use faf_lobby_core::results::Outcome;
use faf_lobby_core::{GameEnd, Note, PlayerResult, VaultMod};
use faf_protocol::GameId;
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_testkit::lobby::{BEGINNING, SimulatedLobby};
use serde_json::{Value, json};

use crate::support::{PLAYERS, SECOND, enter, finish, game, host, lobby, seat};

/// Starts a game of Ada and Bob, who have played before, on a ranked map with a ranked mod, half an
/// hour after the beginning.
fn game_to_be_stored() -> (SimulatedLobby, [faf_lobby_core::ConnId; 2]) {
    let mut lobby = lobby();
    for (login, mean) in [("Ada", 1512.5), ("Bob", 1287.25)] {
        let rating = LeaderboardRating { rating: Rating { mean, deviation: 75.5 }, number_of_games: 12 };
        lobby.store.account(login).ratings = vec![("global".to_owned(), rating)];
    }
    lobby.store.data.ranked_mods.insert("mod-one".to_owned());
    lobby.store.add_mod(VaultMod { uid: "mod-one".to_owned(), name: "One".to_owned(), ..vault_mod() });
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.advance(SECOND * 1800);
    host(&mut lobby, ada, r#","title":"Duel","mapname":"scmp_007""#);
    game(&mut lobby, ada, "GameMods", r#"["uids","mod-one"]"#);
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 3);
    game(&mut lobby, ada, "GameOption", r#"["CheatsEnabled","false"]"#);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, bob, "GameState", r#"["Launching"]"#);
    (lobby, [ada, bob])
}

fn vault_mod() -> VaultMod {
    VaultMod {
        uid: String::new(),
        name: String::new(),
        version: 1,
        author: String::new(),
        is_ui: false,
        date: 0,
        downloads: 0,
        likes: 0.0,
        played: 0,
        description: String::new(),
        filename: String::new(),
        icon: String::new(),
    }
}

/// Returns the bodies of the publications with a routing key.
fn published(lobby: &SimulatedLobby, key: &str) -> Vec<Value> {
    let of_key = lobby.published.iter().filter(|publication| publication.routing_key == key);
    of_key.map(|publication| serde_json::from_str(&publication.body).unwrap()).collect()
}

fn end_of(lobby: &SimulatedLobby) -> &GameEnd {
    lobby.store.games[&GameId(1)].end.as_ref().unwrap()
}

#[test]
fn all_fields_of_a_launch_are_stored() {
    let (lobby, _) = game_to_be_stored();
    let launched = &lobby.store.games[&GameId(1)].launched;
    let row = json!({
        "featured_mod": launched.featured_mod, "host": launched.host, "map_version": launched.map_version,
        "title": launched.title, "victory": launched.victory.as_str(), "validity": launched.validity.number(),
        "launched_at": launched.launched_at.0 - BEGINNING.0, "mods": launched.mods, "players": launched.players,
    });
    let player = |(id, army, mean): (u32, i64, f64)| {
        json!({"id": id, "login": PLAYERS[id as usize - 1].0, "army": army, "team": army + 1, "start_spot": army,
               "faction": 1, "color": army, "rating": [mean, 75.5]})
    };
    let players: Vec<Value> = [(1, 1, 1512.5), (2, 2, 1287.25)].map(player).to_vec();
    let expected = json!({
        "featured_mod": 0, "host": 1, "map_version": 7, "title": "Duel", "victory": "DEMORALIZATION", "validity": 0,
        "launched_at": 1_800_000_000, "mods": ["mod-one"], "players": players,
    });
    assert_eq!(row, expected);
}

#[test]
fn all_fields_of_an_end_are_stored_and_published() {
    let (mut lobby, conns) = game_to_be_stored();
    for conn in conns {
        game(&mut lobby, conn, "JsonStats", &json!([statistics()]).to_string());
    }
    lobby.advance(SECOND * 900);
    finish(&mut lobby, &conns, &[(1, "victory 10"), (2, "recall defeat -7")]);
    let end = end_of(&lobby);
    assert_eq!(end.ended_at.0 - BEGINNING.0, 2_700_000_000, "half an hour, and a quarter more");
    assert_eq!(end.validity.number(), 0);
    let result =
        |player: u32, outcome, score| PlayerResult { player: faf_protocol::PlayerId(player), outcome, score };
    assert_eq!(end.results, [result(1, Outcome::Victory, 10), result(2, Outcome::Defeat, -7)]);

    let army = |id: u32, outcome: &str, metadata: &[&str]| json!({"player_id": id, "army": id, "army_outcome": outcome, "metadata": metadata});
    let expected = json!({
        "game_id": 1, "rating_type": "global", "map_id": 7, "featured_mod": "faf", "sim_mod_ids": ["mod-one"],
        "commander_kills": {"Ada": 1, "Bob": 0}, "validity": "VALID",
        "teams": [
            {"outcome": "VICTORY", "player_ids": [1], "army_results": [army(1, "VICTORY", &[])]},
            {"outcome": "DEFEAT", "player_ids": [2], "army_results": [army(2, "DEFEAT", &["recall"])]},
        ],
    });
    assert_eq!(published(&lobby, "success.gameResults.create"), [expected]);

    let stored = &lobby.store.games[&GameId(1)].ratings;
    let after = |index: usize| stored[index].after;
    let update = |index: usize, id: u32, before: f64, outcome: &str| {
        json!({"game_id": 1, "player_id": id, "rating_type": "global", "new_rating_mean": after(index).mean,
               "new_rating_deviation": after(index).deviation, "old_rating_mean": before,
               "old_rating_deviation": 75.5, "outcome": outcome})
    };
    assert_eq!(
        published(&lobby, "success.rating.update"),
        [update(0, 1, 1512.5, "VICTORY"), update(1, 2, 1287.25, "DEFEAT")]
    );
    assert!(after(0).mean > 1512.5 && after(1).mean < 1287.25);
}

/// The published validity is that of the end, even if it differs from that of the launch, and
/// `map_id` is null for an unknown map.
#[test]
fn a_game_that_does_not_count_is_published_with_the_reason() {
    let (mut lobby, conns) = game_to_be_stored();
    finish(&mut lobby, &conns, &[(1, "victory 10"), (2, "defeat -7")]);
    let results = published(&lobby, "success.gameResults.create");
    assert_eq!((results.len(), &results[0]["validity"]), (1, &json!("TOO_SHORT")));
    assert!(published(&lobby, "success.rating.update").is_empty());

    let mut lobby = crate::support::lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, r#","mapname":"nobody_knows_it""#);
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 3);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    lobby.advance(SECOND * 900);
    finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
    let results = published(&lobby, "success.gameResults.create");
    assert_eq!((&results[0]["map_id"], &results[0]["validity"]), (&Value::Null, &json!("BAD_MAP")));
    assert_eq!((&results[0]["sim_mod_ids"], &results[0]["commander_kills"]), (&json!([]), &json!({})));
}

#[test]
fn a_draw_is_published_for_all_players() {
    let (mut lobby, conns) = game_to_be_stored();
    lobby.advance(SECOND * 900);
    finish(&mut lobby, &conns, &[(1, "draw 0"), (2, "draw 0")]);
    let outcomes: Vec<_> =
        published(&lobby, "success.rating.update").iter().map(|update| update["outcome"].clone()).collect();
    assert_eq!(outcomes, ["DRAW", "DRAW"]);
    assert!(end_of(&lobby).results.iter().all(|result| result.outcome == Outcome::Draw));
}

#[test]
fn a_team_kill_is_noted_once_for_each_report() {
    let (mut lobby, [ada, bob]) = game_to_be_stored();
    game(&mut lobby, ada, "TeamkillHappened", r#"[90.4,2,"Bob",1,"Ada"]"#);
    let note = Note::Teamkill {
        teamkiller: faf_protocol::PlayerId(1),
        victim: faf_protocol::PlayerId(2),
        game_time: 90,
    };
    assert_eq!(lobby.store.games[&GameId(1)].notes, std::slice::from_ref(&note));
    game(&mut lobby, bob, "TeamkillHappened", r#"[90.4,2,"Bob",1,"Ada"]"#);
    assert_eq!(lobby.store.games[&GameId(1)].notes, [note.clone(), note]);
}

/// Statistics of both armies; Ada has killed a commander.
pub(crate) fn statistics() -> String {
    let nothing = json!({"built": 0, "lost": 0, "kills": 0});
    let categories = [
        "air",
        "land",
        "naval",
        "experimental",
        "cdr",
        "tech1",
        "tech2",
        "tech3",
        "engineer",
        "transportation",
        "sacu",
    ];
    let army = |name: &str, kills: u32| {
        let mut units: serde_json::Map<String, Value> =
            categories.iter().map(|category| ((*category).to_owned(), nothing.clone())).collect();
        units["cdr"] = json!({"built": 1, "lost": 0, "kills": kills});
        json!({"type": "Human", "name": name, "faction": 1, "general": {"score": 100 + kills}, "units": units,
               "blueprints": {}})
    };
    json!({"stats": [army("Ada", 1), army("Bob", 0)]}).to_string()
}
