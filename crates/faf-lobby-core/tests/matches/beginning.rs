//! The beginning of a match: players, teams, factions, names, options and maps (matchmaking.md
//! sections 8.1 to 8.4).

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::matchmaking::map_pool::{PoolEntry, RatingSelection};
use faf_lobby_core::{Event, Game, MatchOutcome, Settings};
use faf_protocol::{GameId, Json, PoolEntryId};
use faf_testkit::store::FakeStore;
use serde_json::{Value, json};

use crate::matchmaker::*;

/// Returns the `game_launch` of each player of a match, and launches nothing.
fn launches(story: &mut Story, host: u32, players: &[u32]) -> BTreeMap<u32, Value> {
    let of_host = story.received_as(host, "game_launch");
    story.process(host, &["Idle", "Lobby"]);
    let mut launches = BTreeMap::from([(host, of_host[0].clone())]);
    for player in players.iter().filter(|player| **player != host) {
        let of_guest = story.received_as(*player, "game_launch");
        assert_eq!(of_guest.len(), 1, "player {player}");
        launches.insert(*player, of_guest[0].clone());
    }
    launches
}

#[test]
fn a_match_of_two_is_launched_with_everything_that_clients_need() {
    let mut story = Story::of(2);
    story.send(2, r#"{"command":"set_party_factions","factions":["seraphim"]}"#);
    story.start(1, SOLO);
    story.send(1, r#"{"command":"game_matchmaking","state":"start","faction":"cybran"}"#);
    story.start(2, SOLO);
    story.wait_until(FIRST_ROUND);
    let launches = launches(&mut story, 1, &[1, 2]);
    let expected = |team: i64, faction: i64, position: i64| {
        json!({
            "command": "game_launch", "args": ["/numgames", 100], "uid": 1, "mod": "faf",
            "name": "Ada Vs Bob", "init_mode": 1, "game_type": "matchmaker",
            "rating_type": "ladder_1v1", "mapname": "map_7", "team": team, "faction": faction,
            "expected_players": 2, "map_position": position, "map_pool_map_version_id": 1,
        })
    };
    assert_eq!(launches[&1], expected(2, 3, 1));
    assert_eq!(launches[&2], expected(3, 4, 2));
}

#[test]
fn the_game_of_a_match_is_shown_like_any_other_but_cannot_be_joined_by_its_id() {
    let mut story = Story::of(3);
    story.matched(1, 2);
    story.wait(1);
    let shown = story.received_as(3, "game_info");
    assert!(shown.iter().all(|shown| shown["state"] == "closed"), "the host's process has not started");
    let join = r#"{"command":"game_join","uid":1}"#;
    story.send(3, join);
    assert_eq!(story.seen(3).last().unwrap(), "info: The game you are trying to join is not ready.");
    story.process(1, &["Idle", "Lobby"]);
    story.wait(1);
    let shown = story.received_as(3, "game_info").pop().unwrap();
    assert_eq!(
        [&shown["game_type"], &shown["state"], &shown["max_players"], &shown["title"], &shown["mapname"]],
        [&json!("matchmaker"), &json!("open"), &json!(2), &json!("Ada Vs Bob"), &json!("map_7")]
    );
    story.send(3, join);
    assert_eq!(story.seen(3), ["error: The game cannot be joined in this way."]);
    // Nor by the guest of the match, who is starting the game anyway.
    story.seen(2);
    story.send(2, join);
    assert_eq!(story.seen(2), ["error: Can't join a game while in state STARTING_AUTOMATCH"]);
    story.process(2, &["Idle", "Lobby"]);
    story.wait(1);
    story.received_as(3, "game_info");
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    story.wait(1);
    let shown = story.received_as(3, "game_info").pop().unwrap();
    assert_eq!(shown["state"], "playing");
    assert_eq!(shown["teams"], json!({"2": ["Ada"], "3": ["Bob"]}));
    story.lobby.check();
}

#[test]
fn players_of_a_match_can_do_nothing_else() {
    let mut story = Story::of(3);
    story.matched(1, 2);
    for player in 1..=2 {
        let state = "STARTING_AUTOMATCH";
        assert_eq!(story.activity(player), "StartingAutomatch");
        story.host(player);
        assert_eq!(story.seen(player), [format!("error: Can't host a game while in state {state}")]);
        story.start(player, OTHER_SOLO);
        let login = LOGINS[player as usize - 1];
        let expected = format!("error: Can't join a queue while {login} is in state {state}");
        assert_eq!(story.seen(player), [expected]);
        story.invite(player, 3);
        assert_eq!(story.seen(player), [format!("error: Can't invite a player while in state {state}")]);
        story.stop(player, SOLO);
        assert_eq!(story.seen(player), [""; 0], "the search is over");
        story.send(player, r#"{"command":"match_ready"}"#);
        assert_eq!(story.seen(player), [""; 0]);
    }
}

/// A match of two parties of two, whose members have ratings of their own.
fn of_parties(clans: [Option<&str>; 4], change: impl FnOnce(&mut FakeStore)) -> Story {
    let mut store = store();
    for ((login, mean), clan) in LOGINS.into_iter().zip([1500.0, 1700.0, 1680.0, 1520.0]).zip(clans) {
        rate(&mut store, login, mean);
        store.account(login).clan = clan.map(str::to_owned);
    }
    change(&mut store);
    let mut story = Story::with(4, Settings::default(), store);
    story.party(1, &[2]);
    story.party(3, &[4]);
    for (player, factions) in
        [(1, r#"["uef"]"#), (2, "[2]"), (3, r#"["cybran"]"#), (4, r#"["seraphim","nomad"]"#)]
    {
        story.send(player, &format!(r#"{{"command":"set_party_factions","factions":{factions}}}"#));
    }
    story.wait(1);
    for player in 1..=4 {
        story.seen(player);
    }
    story.start(1, PAIRS);
    story.start(3, PAIRS);
    story
}

#[test]
fn parties_play_together_with_their_factions_and_opponents_of_a_rank_are_neighbours() {
    let mut places = BTreeSet::new();
    for seed in 0..20 {
        let mut story = of_parties([None; 4], |_| {});
        // Each round of the lobby's chance is another one.
        for _ in 0..seed {
            story.stop(1, PAIRS);
            story.start(1, PAIRS);
        }
        story.wait_until(FIRST_ROUND);
        for player in 1..=4 {
            let conn = story.conn(player);
            let found = story.lobby.receive(conn);
            assert!(found.contains(&format!(r#"{{"command":"match_found","queue_name":"{PAIRS}"}}"#)));
            story.lobby.send(conn, r#"{"command":"ping"}"#);
        }
        let game = story.lobby.world.game(GameId(1)).unwrap();
        let host = game.host().0;
        // The last full party is team 1, and its owner hosts.
        let teams = if host == 1 { [[1, 2], [3, 4]] } else { [[3, 4], [1, 2]] };
        assert_eq!(host, teams[0][0]);
        let arranged = &story.inside()["games"]["games"]["1"]["arranged"]["slots"];
        let slot = |player: u32| &arranged[player.to_string()];
        for (team, number) in teams.iter().zip([2, 3]) {
            for player in team {
                assert_eq!(slot(*player)["team"], number, "{arranged}");
            }
        }
        // By rating: Ada 1, Dan 4, Cem 3, Bob 2; the lower of a team meets the lower of the other.
        let of_rank = |team: [u32; 2]| if team == [1, 2] { [1, 2] } else { [4, 3] };
        for (one, other) in of_rank(teams[0]).into_iter().zip(of_rank(teams[1])) {
            let (one, other) = (slot(one), slot(other));
            assert_eq!(one["start_spot"].as_i64().unwrap() + 1, other["start_spot"].as_i64().unwrap());
            assert_eq!(one["start_spot"].as_i64().unwrap() % 2, 1);
        }
        for (player, factions) in [(1, &[1][..]), (2, &[2]), (3, &[3]), (4, &[4, 5])] {
            let faction = slot(player)["faction"].as_i64().unwrap();
            assert!(factions.contains(&faction), "{player} plays {faction}");
            assert_eq!(slot(player)["army"], slot(player)["start_spot"]);
            assert_eq!(slot(player)["color"], slot(player)["start_spot"]);
        }
        places.insert((slot(1)["start_spot"].as_i64(), slot(4)["faction"].as_i64()));
    }
    assert!(places.len() > 1, "nothing is drawn: {places:?}");
}

#[test]
fn every_player_of_two_parties_is_sent_the_own_place_and_guests_only_when_the_host_is_ready() {
    let mut story = of_parties([None; 4], |_| {});
    story.wait_until(FIRST_ROUND);
    let host = story.lobby.world.game(GameId(1)).unwrap().host().0;
    let slots = story.inside()["games"]["games"]["1"]["arranged"]["slots"].clone();
    for player in (1..=4).filter(|player| *player != host) {
        assert!(!story.seen(player).contains(&"launch 1".to_owned()), "player {player}");
        assert_eq!(story.activity(player), "StartingAutomatch");
    }
    story.process(host, &["Idle"]);
    for player in (1..=4).filter(|player| *player != host) {
        assert_eq!(story.seen(player), [""; 0], "the host's lobby is not open");
    }
    let launches = launches(&mut story, host, &[1, 2, 3, 4]);
    for (player, launch) in launches {
        let slot = &slots[player.to_string()];
        for (key, value) in [("team", "team"), ("faction", "faction"), ("map_position", "start_spot")] {
            assert_eq!(launch[key], slot[value], "player {player}: {key}");
        }
        assert_eq!([&launch["expected_players"], &launch["uid"]], [4, 1]);
    }
}

#[test]
fn teams_are_named_after_their_clan_or_their_first_player() {
    for (clans, names) in [
        ([Some("XYZ"), Some("XYZ"), Some("A"), Some("B")], ["Team XYZ", "Team Cem"]),
        ([None, Some("XYZ"), Some("Q"), Some("Q")], ["Team Ada", "Team Q"]),
        ([Some(""), Some(""), None, None], ["Team Ada", "Team Cem"]),
    ] {
        let mut story = of_parties(clans, |_| {});
        story.wait_until(FIRST_ROUND);
        let title = story.inside()["games"]["games"]["1"]["title"].as_str().unwrap().to_owned();
        let [one, other] = names;
        let both = [format!("{one} Vs {other}"), format!("{other} Vs {one}")];
        assert!(both.contains(&title), "{title}");
    }
}

/// Worked example of section 6.5: the players 1 and 4 play 2 and 3, and player 1 hosts.
#[test]
fn single_players_are_put_into_teams_in_the_order_of_the_round() {
    let mut store = store();
    for (login, displayed) in LOGINS.into_iter().zip([1000.0, 1010.0, 1005.0, 1020.0]) {
        rate(&mut store, login, displayed + 240.0);
    }
    let mut story = Story::with(4, Settings::default(), store);
    for player in 1..=4 {
        story.start(player, PAIRS);
    }
    story.wait_until(FIRST_ROUND);
    let slots = &story.inside()["games"]["games"]["1"]["arranged"]["slots"];
    let teams: Vec<_> = (1..=4).map(|player: u32| slots[player.to_string()]["team"].clone()).collect();
    assert_eq!(teams, [2, 3, 3, 2]);
    assert_eq!(story.seen(1).last().unwrap(), "launch 1");
    assert_eq!(story.inside()["games"]["games"]["1"]["title"], "Team Ada Vs Team Bob");
}

#[test]
fn options_of_the_queue_reach_the_game_and_the_clients() {
    let options = r#"{"Share":"ShareUntilDeath","UnitCap":1500,"Slots":4,"Victory":"eradication","CheatsEnabled":"false","Odd":{"a":[1]}}"#;
    let options: BTreeMap<String, Json> = serde_json::from_str(options).unwrap();
    let mut store = store();
    store.data.queues[0].game_options = options.clone();
    let mut story = Story::with(3, Settings::default(), store);
    story.matched(1, 2);
    let launches = {
        story.process(1, &["Idle", "Lobby"]);
        story.received_as(2, "game_launch")
    };
    assert_eq!(launches[0]["game_options"], serde_json::to_value(&options).unwrap());
    story.wait(1);
    let shown = story.received_as(3, "game_info").pop().unwrap();
    assert_eq!(shown["max_players"], 4, "the queue's number of slots replaces the players'");
    story.process(2, &["Idle", "Lobby"]);
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    let launched = &story.lobby.store.games[&GameId(1)].launched;
    assert_eq!(launched.victory.to_string(), "ERADICATION");
    assert_eq!(launched.queue.map(|queue| queue.0), Some(1));
}

/// Returns the map folder of the only game, and the entry of the pool.
fn map(story: &Story) -> (String, i64) {
    let game = &story.inside()["games"]["games"]["1"];
    (game["map"]["folder"].as_str().unwrap().to_owned(), game["arranged"]["entry"].as_i64().unwrap())
}

#[test]
fn the_rating_of_the_players_decides_on_the_bracket() {
    // Displayed ratings of 1200 and 1300.
    for (selection, bounds, expected) in [
        (RatingSelection::Mean, [1249, 1250], 8),
        (RatingSelection::Mean, [1250, 1251], 7),
        (RatingSelection::Min, [1200, 1201], 7),
        (RatingSelection::Min, [1199, 1200], 8),
        (RatingSelection::Max, [1299, 1300], 8),
        (RatingSelection::Max, [1300, 1301], 7),
        // A gap between the brackets: the nearest (M23).
        (RatingSelection::Mean, [1000, 1300], 8),
        (RatingSelection::Mean, [1249, 1900], 7),
    ] {
        let mut store = store();
        rate(&mut store, "Ada", 1440.0);
        rate(&mut store, "Bob", 1540.0);
        store.data.queues[0].brackets = vec![
            bracket(1, [None, Some(bounds[0])], vec![fixed(11, 7)]),
            bracket(2, [Some(bounds[1]), None], vec![fixed(12, 8)]),
        ];
        let mut settings = Settings::default();
        settings.matches.map_pool_rating_selection = selection;
        let mut story = Story::with(2, settings, store);
        story.start(1, SOLO);
        story.start(2, SOLO);
        story.wait_until(FIRST_ROUND);
        let entry = i64::from(expected) + 4;
        assert_eq!(map(&story), (format!("map_{expected}"), entry), "{selection:?} {bounds:?}");
    }
}

#[test]
fn a_launched_match_keeps_how_it_was_made() {
    let mut store = store();
    let mut pool = bracket(5, [Some(-1000), None], vec![fixed(11, 7), fixed(12, 8), fixed(13, 9)]);
    pool.vetoes.veto_tokens_per_player = 1;
    pool.vetoes.max_tokens_per_map = 1;
    store.data.queues[0].brackets = vec![pool];
    let mut story = Story::with(2, Settings::default(), store);
    for (player, entry) in [(1, 11), (2, 13)] {
        let veto = json!({"matchmaker_queue_map_pool_id": 5, "map_pool_map_version_id": entry,
                          "veto_tokens_applied": 1});
        story.send(player, &json!({"command": "set_player_vetoes", "vetoes": [veto]}).to_string());
    }
    // Ada finds nobody in the first round.
    story.start(1, SOLO);
    story.wait_until(100);
    story.start(2, SOLO);
    story.wait_until(FIRST_ROUND + 90);
    story.process(1, &["Idle", "Lobby"]);
    story.process(2, &["Idle", "Lobby"]);
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    let saved = story.lobby.store.games[&GameId(1)].saved.clone().unwrap();
    assert_eq!(
        saved.decisions()[0].lines(),
        [
            "matched in the queue ladder1v1 with a quality of 0.949, where 0.709 and 0.759 were needed",
            "team 1: Ada waited 134 s, with 1 round without a match",
            "team 2: Bob waited 35 s, with no round without a match",
            "bracket 5, from -1000: the match has a rating of 1260",
            "map map_7 (entry 11) not drawn: probability 0.000; weight 1 in the pool, times 0.000 after repetition, \
             0.000 after vetoes with 1 tokens",
            "map map_8 (entry 12) drawn: probability 1.000; weight 1 in the pool, times 1.000 after repetition, \
             1.000 after vetoes with 0 tokens",
            "map map_9 (entry 13) not drawn: probability 0.000; weight 1 in the pool, times 0.000 after repetition, \
             0.000 after vetoes with 1 tokens",
        ]
    );
    assert!(saved.decisions()[1].to_string().starts_with("launched at "));
    // Games that were stored before have no such member; kept twice, it would be stored twice.
    let mut older = serde_json::to_value(&saved).unwrap();
    assert_eq!(older["arranged"].as_object_mut().unwrap().remove("made"), Some(Value::Null));
    let older: Game = serde_json::from_value(older).unwrap();
    assert_eq!(older, saved);
}

#[test]
fn a_generated_map_is_another_one_for_each_match_and_its_entry_is_sent() {
    let params = r#"{"type":"neroxis","version":"1.4.5","spawns":2,"size":512}"#;
    let mut store = store();
    let entry = PoolEntry::generated(PoolEntryId(77), 1, params).unwrap();
    store.data.queues[0].brackets = vec![bracket(1, [None, None], vec![entry])];
    let mut story = Story::with(4, Settings::default(), store);
    for player in 1..=4 {
        story.start(player, SOLO);
    }
    story.wait_until(FIRST_ROUND);
    let folders: BTreeSet<String> = (1..=4)
        .flat_map(|player| story.received_as(player, "game_launch"))
        .map(|launch| {
            assert_eq!(launch["map_pool_map_version_id"], 77);
            launch["mapname"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    assert!(folders.iter().all(|folder| folder.starts_with("neroxis_map_generator_1.4.5_")), "{folders:?}");
}

/// Plays a match to its end, and returns its map.
fn play(story: &mut Story, host: u32, guest: u32) -> String {
    let game = story.assembled(host, guest);
    story.seat(host, &[host, guest]);
    story.process(host, &["Launching"]);
    let map = story.lobby.store.games[&GameId(game)].launched.map_version;
    for player in [host, guest] {
        story.process(player, &["Ended"]);
        story.wait(1);
        story.seen(player);
    }
    format!("map_{}", map.unwrap())
}

#[test]
fn a_map_is_not_played_twice_in_a_row() {
    let mut store = store();
    store.data.queues[0].brackets = vec![bracket(1, [None, None], vec![fixed(1, 7), fixed(2, 8)])];
    let mut story = Story::with(2, Settings::default(), store);
    let maps: Vec<String> = (0..8).map(|_| play(&mut story, 1, 2)).collect();
    assert!(maps.windows(2).all(|pair| pair[0] != pair[1]), "{maps:?}");
}

// --- no map, no game ---

#[test]
fn a_match_without_a_map_or_a_mod_is_cancelled_and_nobody_is_blamed() {
    type Change = fn(&mut FakeStore);
    let changes: [(&str, Change); 5] = [
        ("no brackets", |store| store.data.queues[0].brackets.clear()),
        ("an empty pool", |store| store.data.queues[0].brackets[0].pool.clear()),
        ("a pool without weight", |store| store.data.queues[0].brackets[0].pool[0].weight = 0),
        ("an unknown mod", |store| store.data.queues[0].featured_mod = "borg".to_owned()),
        ("no id", |store| store.last_game = GameId(i32::MAX as u32)),
    ];
    for (name, change) in changes {
        let mut store = store();
        change(&mut store);
        let mut story = Story::with(2, Settings::default(), store);
        story.start(1, SOLO);
        story.start(2, SOLO);
        story.wait_until(FIRST_ROUND);
        for player in 1..=2 {
            let expected = ["ladder1v1 start", "found ladder1v1", "cancelled null"];
            assert_eq!(story.seen(player), expected, "{name}");
            assert_eq!(story.activity(player), "Idle", "{name}");
        }
        assert_eq!(story.outcomes(), [MatchOutcome::Errored], "{name}");
        assert_eq!(story.inside()["violations"], json!({}), "{name}");
        for player in 1..=2 {
            if name != "no id" {
                story.assert_free(player);
            }
            story.start(player, OTHER_SOLO);
            assert_eq!(story.seen(player), ["other1v1 start"], "{name}");
        }
        story.wait(120);
        story.lobby.check();
    }
}

#[test]
fn a_queue_that_goes_while_a_match_is_set_up_cancels_it_only_before_it_has_a_map() {
    // While the database is asked.
    let mut story = Story::of(2);
    story.wait_until(550);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.lobby.store.data.queues.clear();
    story.wait_until(584);
    story.lobby.holds_replies = true;
    story.wait_until(590);
    assert_eq!(story.seen(1).last().unwrap(), "found ladder1v1");
    story.wait_until(601);
    let opening = story.lobby.perform_next();
    while story.lobby.reply_next() {}
    story.lobby.reply(opening);
    assert_eq!(story.seen(1), ["cancelled null"]);
    assert_eq!(story.activity(2), "Idle");
    assert_eq!(story.outcomes(), [MatchOutcome::Errored]);

    // Afterwards the match goes on, whatever happens to the queue.
    let mut story = Story::of(2);
    story.wait_until(550);
    story.matched(1, 2);
    assert!(story.lobby.now().as_secs() < 600);
    story.lobby.store.data.queues.clear();
    story.wait_until(601);
    story.process(1, &["Idle", "Lobby"]);
    assert_eq!(story.seen(2), ["launch 1"]);
    story.process(2, &["Idle", "Lobby"]);
    // The record of the launch still names the queue, so it must be known to the store.
    story.lobby.store.data.queues = vec![queue(1, "renamed", 2)];
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    assert_eq!(story.outcomes(), [MatchOutcome::Launched]);
    story.lobby.check();
}

#[test]
fn a_database_that_is_away_cancels_the_match_and_nobody_is_blamed() {
    let mut story = Story::of(2);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.lobby.store.is_unavailable = true;
    story.wait_until(FIRST_ROUND);
    story.lobby.store.is_unavailable = false;
    for player in 1..=2 {
        assert_eq!(story.seen(player), ["ladder1v1 start", "found ladder1v1", "cancelled null"]);
        story.assert_free(player);
    }
    assert_eq!(story.outcomes(), [MatchOutcome::Errored]);
    assert_eq!(story.inside()["violations"], json!({}));
}

/// A shutdown has cancelled the match; the reply that comes later does not revive it.
#[test]
fn a_match_that_was_cancelled_while_the_database_was_asked_stays_so() {
    let mut story = Story::of(3);
    // A live game keeps the server going.
    story.host(3);
    story.process(3, &["Idle", "Lobby"]);
    story.game(3, "PlayerOption", r#"["3","Army",1]"#);
    story.process(3, &["Launching"]);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.lobby.holds_replies = true;
    story.wait_until(FIRST_ROUND);
    story.seen(1);
    story.lobby.handle(Event::Shutdown);
    assert_eq!(story.seen(1)[0], "cancelled null");
    while story.lobby.reply_next() {}
    story.wait(1);
    assert!(!story.seen(1).iter().any(|text| text.starts_with("launch")));
    assert_eq!(story.activity(1), "Idle");
}
