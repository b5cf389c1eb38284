//! Games: startup data, and the life of a game from its launch to its rating.

use std::collections::BTreeSet;

use faf_lobby_core::ratings::{Leaderboards, RatingChange, START_RATING, rate_game};
use faf_lobby_core::results::Outcome;
use faf_lobby_core::validity::Validity;
use faf_lobby_core::{
    Decision, GameLaunched, GamePublications, GameWrite, JoinAttempt, LivePlayer, Note, RatedGame, Relation,
    Timestamp,
};
use faf_lobby_store::Backend;
use faf_lobby_store::facts::{Facts, JournalFact, MissionFact, PlayerFact, TeamkillFact};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};

use super::{assert_stored, facts, is_stored, plant, plant_for_games, refused, store};
use crate::season::{Played, Season};

const ADA: PlayerId = PlayerId(1);
const BOB: PlayerId = PlayerId(2);

async fn launched(backend: &impl Backend) -> Played {
    plant_for_games(backend).await;
    let game = Season::default().play(1);
    store(backend, game.id, game.launch()).await.unwrap();
    game
}

/// Returns the ratings that the game must produce from these.
fn expected(
    leaderboards: &Leaderboards,
    rated: &RatedGame,
    stored: &dyn Fn(PlayerId, &str) -> Option<Rating>,
) -> Vec<RatingChange> {
    rate_game(leaderboards, START_RATING, &rated.leaderboard, &rated.teams, stored).unwrap()
}

fn results(facts: &Facts) -> Vec<(u32, Option<&str>, Option<i64>, bool)> {
    facts
        .players
        .iter()
        .map(|player| (player.player_id.0, player.result.as_deref(), player.score, player.has_score_time))
        .collect()
}

pub async fn game_data_has_mods_and_leaderboards(backend: &impl Backend) {
    let seed = r#"{
        "featured_mods": [{"id": 27, "technical_name": "FafBeta", "name": "Beta", "publish": true}],
        "leaderboards": [{"id": 3, "technical_name": "tmm_2v2", "initializer": "global"}],
        "mods": [
            {"id": 1, "version_id": 1, "display_name": "One", "author": "A", "uid": "One-A", "type": "SIM", "version": 1,
             "description": "", "filename": "a", "icon": null, "ranked": true, "hidden": false, "likes": 0,
             "likers": "[]", "downloads": 0, "played": 0, "created": "2020-01-02 03:04:05"},
            {"id": 2, "version_id": 2, "display_name": "Two", "author": "A", "uid": "two", "type": "SIM", "version": 1,
             "description": "", "filename": "b", "icon": null, "ranked": false, "hidden": false, "likes": 0,
             "likers": "[]", "downloads": 0, "played": 0, "created": "2020-01-02 03:04:05"}]}"#;
    plant(backend, seed).await;
    let data = backend.game_data().await.unwrap();
    let mods: Vec<_> = data.featured_mods.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    assert_eq!(mods, [("coop", 25), ("faf", 0), ("fafbeta", 27)]);
    assert_eq!(data.ranked_mods, ["one-a"].map(str::to_owned).into());
    let boards: Vec<_> =
        data.leaderboards.iter().map(|board| (board.name.as_str(), board.initializer)).collect();
    assert_eq!(boards, [("global", None), ("ladder_1v1", None), ("tmm_2v2", Some(1))]);
}

pub async fn launch_stores_game_and_players(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut game = Season::default().play(1);
    // A time in the past that is not a whole second.
    game.launched.launched_at = Timestamp(1_700_000_123_999_999);
    assert!(store(backend, game.id, game.launch()).await.unwrap().is_empty());
    let facts = facts(backend).await;
    let [stored] = &facts.games[..] else { panic!("{:?}", facts.games) };
    assert_eq!((stored.id, stored.launched_at, stored.ended_at), (game.id, 1_700_000_123, None));
    assert_eq!((stored.victory.as_str(), stored.title.as_str()), ("DEMORALIZATION", "Ada's game"));
    assert_eq!((stored.featured_mod, stored.host, stored.map_version), (0, ADA, Some(7)));
    assert_eq!((stored.validity, stored.is_live, stored.decisions.as_ref()), (0, true, None));
    assert_eq!(stored.live.as_ref(), Some(&game.launched.game));
    let player = |player_id: PlayerId| PlayerFact {
        game_id: game.id,
        player_id,
        faction: 3,
        color: i64::from(player_id.0),
        team: i64::from(player_id.0) + 1,
        place: i64::from(player_id.0),
        before: START_RATING,
        after: None,
        score: Some(0),
        has_score_time: false,
        result: Some("UNKNOWN".to_owned()),
    };
    assert_eq!(facts.players, [player(ADA), player(BOB)]);
    let played: Vec<_> = facts.mods.iter().map(|fact| (fact.mod_id, fact.times_played)).collect();
    assert_eq!(played, [(1, 1), (2, 6)], "a mod counts once, even with several active versions");
    assert_eq!((facts.map_versions_played, facts.maps_played), ([(7, 1)].into(), [(1, 1)].into()));
    assert_eq!(backend.beginning().await.unwrap().games, [game.launched.game]);
}

pub async fn values_are_cut_to_columns_and_observers_are_not_stored(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut game = Season::default().play(1);
    let [ada, bob] = &mut game.launched.players[..] else { panic!("two players") };
    (ada.faction, ada.color, ada.team, ada.start_spot) = (-1, i64::MAX, Some(1000), Some(1000));
    bob.team = None;
    let strangers = [(Some(2), None), (Some(-1), Some(1)), (Some(2), Some(-2))];
    let stranger = |(team, start_spot)| LivePlayer { id: PlayerId(99), team, start_spot, ..bob.clone() };
    let strangers: Vec<_> = strangers.map(stranger).into();
    game.launched.players.extend(strangers);
    store(backend, game.id, game.launch()).await.unwrap();
    let facts = facts(backend).await;
    let [ada] = &facts.players[..] else { panic!("{:?}", facts.players) };
    assert_eq!((ada.player_id, ada.faction, ada.color, ada.team, ada.place), (ADA, 0, 127, 127, 255));
}

pub async fn writes_are_idempotent(backend: &impl Backend) {
    plant_for_games(backend).await;
    let game = Season::default().play(1);
    for write in [game.launch(), game.save(), game.end()] {
        let first = store(backend, game.id, write.clone()).await.unwrap();
        let before = facts(backend).await;
        let mut second = store(backend, game.id, write).await.unwrap();
        // Whether there was a rating before is known only the first time.
        second.iter_mut().zip(&first).for_each(|(second, first)| second.was_stored = first.was_stored);
        assert_stored(&second, &first);
        assert_eq!(facts(backend).await, before);
    }
}

pub async fn contradicting_launch_leaves_nothing(backend: &impl Backend) {
    plant_for_games(backend).await;
    let game = Season::default().play(1);
    let before = facts(backend).await;
    let changes: [fn(&mut GameLaunched); 5] = [
        |launched| launched.featured_mod = 77,
        |launched| launched.host = PlayerId(77),
        |launched| launched.map_version = Some(77),
        |launched| launched.title = "x".repeat(129),
        |launched| launched.players[1].id = PlayerId(77),
    ];
    for change in changes {
        let mut wrong = game.clone();
        change(&mut wrong.launched);
        refused(backend, game.id, wrong.launch()).await;
        assert_eq!(facts(backend).await, before);
    }
    // Later writes about the game are refused as well.
    for write in [game.save(), game.end()] {
        assert_eq!(refused(backend, game.id, write).await, "the game is not live");
    }
    assert_eq!(facts(backend).await, before);
}

pub async fn number_belongs_to_one_game(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut season = Season::default();
    let (first, mut second) = (season.play(1), season.play(2));
    second.id = first.id;
    for (before, is_over) in [(first.launch(), false), (first.end(), true)] {
        store(backend, first.id, before).await.unwrap();
        let all = facts(backend).await;
        refused(backend, second.id, second.launch()).await;
        if is_over {
            refused(backend, second.id, second.save()).await;
            refused(backend, second.id, second.end()).await;
        }
        assert_eq!(facts(backend).await, all);
    }
}

pub async fn save_replaces_the_live_game(backend: &impl Backend) {
    let game = launched(backend).await;
    store(backend, game.id, game.save()).await.unwrap();
    assert_ne!(game.saved, game.launched.game);
    assert_eq!(backend.beginning().await.unwrap().games, std::slice::from_ref(&game.saved));
    let facts = facts(backend).await;
    let validity = game.saved.validity().unwrap().number();
    assert_eq!(facts.games[0].validity, i64::from(validity));
}

pub async fn writes_are_carried_out_in_order(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut season = Season::default();
    let (first, second) = (season.play(1), season.play(2));
    // Each write is queued before the previous one is awaited.
    let writes = [
        (first.id, first.launch()),
        (second.id, second.launch()),
        (second.id, second.end()),
        (first.id, first.end()),
    ];
    let waiting = writes.map(|(game, write)| backend.store_game(game, write, GamePublications::default()));
    backend.finish_writing().await.unwrap();
    let journal = facts(backend).await.journal;
    assert_eq!(journal.iter().map(|entry| entry.game_id.0).collect::<Vec<_>>(), [2, 2, 1, 1]);
    for stored in waiting {
        stored.await.unwrap();
    }
}

pub async fn end_stores_results_ratings_and_decisions(backend: &impl Backend) {
    let mut game = launched(backend).await;
    game.end.ended_at = Timestamp(1_700_000_999_999_999);
    let changes = store(backend, game.id, game.end()).await.unwrap();
    let leaderboards = backend.game_data().await.unwrap().leaderboards;
    let rated = game.end.rated.clone().unwrap();
    assert_eq!(changes, expected(&leaderboards, &rated, &|_, _| None));
    assert_eq!(changes.len(), 2);

    let facts = facts(backend).await;
    let stored = facts.game(game.id).unwrap();
    assert_eq!((stored.validity, stored.ended_at, stored.is_live), (0, Some(1_700_000_999), false));
    assert_eq!(stored.decisions.as_ref(), Some(&game.end.decisions));
    assert_eq!(results(&facts), [(1, Some("VICTORY"), Some(10), true), (2, Some("DEFEAT"), Some(-10), true)]);
    for ((player, entry), change) in facts.players.iter().zip(&facts.journal).zip(&changes) {
        assert_eq!((player.before, player.after), (entry.before, Some(entry.after)));
        assert!(is_stored(entry.before, change.before) && is_stored(entry.after, change.after), "{entry:?}");
        let expected = JournalFact {
            game_id: game.id,
            player_id: change.player,
            leaderboard: "global".to_owned(),
            before: entry.before,
            after: entry.after,
        };
        assert_eq!(*entry, expected);
    }
    assert_eq!(facts.journal.len(), 2);
    let ratings: Vec<_> = facts
        .ratings
        .iter()
        .map(|fact| {
            (fact.player_id, fact.leaderboard.as_str(), fact.rating, fact.total_games, fact.won_games)
        })
        .collect();
    let [ada, bob] = [0, 1].map(|index: usize| facts.journal[index].after);
    assert_eq!(ratings, [(ADA, "global", ada, 1, 1), (BOB, "global", bob, 1, 0)]);
    assert!(backend.beginning().await.unwrap().games.is_empty());
    let profile = backend.profile(ADA).await.unwrap();
    assert_eq!(profile.ratings[0].1.rating, ada);
}

pub async fn changes_on_all_leaderboards_are_stored(backend: &impl Backend) {
    let seed = r#"{
        "users": [
            {"id": 1, "login": "Ada", "password": "x", "ratings": {
                "global": {"mean": 900.125, "deviation": 150.25, "total_games": 40, "won_games": 20},
                "tmm": {"mean": 1500.1, "deviation": 80.3, "total_games": 7, "won_games": 6}}},
            {"id": 2, "login": "Bob", "password": "x"}],
        "leaderboards": [{"id": 3, "technical_name": "tmm", "initializer": "global"}],
        "maps": [{"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/SCMP_007.zip", "version": 1,
                  "ranked": true, "max_players": 2, "width": 1, "height": 1}]}"#;
    plant(backend, seed).await;
    let mut game = Season::default().play(1);
    store(backend, game.id, game.launch()).await.unwrap();
    let rated = game.end.rated.as_mut().unwrap();
    rated.leaderboard = "tmm".to_owned();
    let rated = rated.clone();
    let leaderboards = backend.game_data().await.unwrap().leaderboards;
    let changes = store(backend, game.id, game.end()).await.unwrap();
    let in_database = |player: PlayerId, name: &str| {
        let (mean, deviation) = match (player, name) {
            (ADA, "global") => (900.125, 150.25),
            (ADA, "tmm") => (1500.1, 80.3),
            _ => return None,
        };
        Some(Rating { mean, deviation })
    };
    assert_eq!(changes, expected(&leaderboards, &rated, &in_database));
    // Both are adjusted on the global leaderboard, where Bob is new.
    assert_eq!(changes.len(), 4);
    let facts = facts(backend).await;
    let ratings: Vec<_> = facts
        .ratings
        .iter()
        .map(|fact| {
            (fact.player_id, fact.leaderboard.as_str(), fact.total_games, fact.won_games, fact.rating)
        })
        .collect();
    let after = |index: usize| facts.journal[index].after;
    assert_eq!(
        ratings,
        [
            (ADA, "global", 41, 21, after(2)),
            (ADA, "tmm", 8, 7, after(0)),
            (BOB, "global", 1, 0, after(3)),
            (BOB, "tmm", 1, 0, after(1)),
        ]
    );
    assert_eq!(facts.journal.len(), 4);
    assert!(changes.iter().enumerate().all(|(index, change)| is_stored(after(index), change.after)));
    assert_eq!(facts.players[0].before.mean, 1500.1);
}

pub async fn only_a_victory_counts_as_won(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut season = Season::default();
    let mut won = [0, 0];
    for outcomes in [
        [Outcome::Victory, Outcome::Defeat],
        [Outcome::Defeat, Outcome::Victory],
        [Outcome::Draw, Outcome::Draw],
        [Outcome::Victory, Outcome::Defeat],
    ] {
        let mut game = season.play(1);
        store(backend, game.id, game.launch()).await.unwrap();
        let teams = &mut game.end.rated.as_mut().unwrap().teams;
        for (team, outcome) in teams.iter_mut().zip(outcomes) {
            team.outcome = outcome;
        }
        assert_eq!(teams[0].players, [ADA]);
        store(backend, game.id, game.end()).await.unwrap();
        for (won, outcome) in won.iter_mut().zip(outcomes) {
            *won += u32::from(outcome == Outcome::Victory);
        }
        let stored: Vec<_> = facts(backend).await.ratings.iter().map(|fact| fact.won_games).collect();
        assert_eq!(stored, won, "{outcomes:?}");
    }
}

pub async fn unratable_game_keeps_its_results(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut season = Season::default();
    let unknown: fn(&mut Played) = |game| game.end.rated.as_mut().unwrap().leaderboard = "none".to_owned();
    let unplaced: fn(&mut Played) = |game| game.launched.players[1].team = None;
    for (obstacle, reason, players) in [
        (unknown, "there is no leaderboard \"none\"", 2),
        (unplaced, "player 2 has no row in game_player_stats", 1),
    ] {
        let mut game = season.play(1);
        obstacle(&mut game);
        store(backend, game.id, game.launch()).await.unwrap();
        // The retry is acknowledged without a change.
        for _ in 0..2 {
            assert!(store(backend, game.id, game.end()).await.unwrap().is_empty());
            let facts = facts(backend).await;
            let of_game: Vec<_> = facts.players.iter().filter(|player| player.game_id == game.id).collect();
            assert_eq!((of_game.len(), of_game[0].result.as_deref()), (players, Some("VICTORY")));
            assert!(of_game.iter().all(|player| player.after.is_none()));
            assert!(facts.ratings.is_empty() && facts.journal.is_empty());
            let failed = Decision::RatingFailed { reason: reason.to_owned() };
            let decisions = facts.game(game.id).unwrap().decisions.as_ref().unwrap();
            assert_eq!(decisions.last(), Some(&failed));
        }
    }
}

pub async fn game_without_results_only_ends(backend: &impl Backend) {
    let mut game = launched(backend).await;
    (game.end.results, game.end.rated) = (Vec::new(), None);
    game.end.validity = Validity::UnknownResult;
    for _ in 0..2 {
        assert!(store(backend, game.id, game.end()).await.unwrap().is_empty());
        let facts = facts(backend).await;
        assert_eq!((facts.games[0].validity, facts.games[0].ended_at.is_some()), (16, true));
        let unknown = |player| (player, Some("UNKNOWN"), Some(0), false);
        assert_eq!(results(&facts), [unknown(1), unknown(2)]);
    }
}

pub async fn notes_are_stored(backend: &impl Backend) {
    let game = launched(backend).await;
    let desync = |player, game_time| Note::Desync { player, game_time };
    let teamkill = |victim, game_time| Note::Teamkill { teamkiller: ADA, victim, game_time };
    let complete = |map: &str, secondary| Note::MissionComplete {
        map: map.to_owned(),
        secondary,
        time: "01:02:03".to_owned(),
        player_count: 1000,
    };
    for note in [
        desync(ADA, 5),
        desync(BOB, 6),
        desync(ADA, 7),
        teamkill(BOB, 8),
        teamkill(BOB, u32::MAX),
        complete("elsewhere", false),
        complete("mission.v0001", true),
        complete("mission.v0001", false),
    ] {
        assert!(store(backend, game.id, GameWrite::Note(note)).await.unwrap().is_empty());
    }
    let stranger = GameWrite::Note(teamkill(PlayerId(99), 1));
    refused(backend, game.id, stranger).await;
    let facts = facts(backend).await;
    assert_eq!(facts.desyncs, [(game.id, ADA, 5), (game.id, BOB, 6)]);
    let teamkill = |gametime| TeamkillFact { game_id: game.id, teamkiller: ADA, victim: BOB, gametime };
    assert_eq!(facts.teamkills, [teamkill(8), teamkill(16_777_215)]);
    let mission = MissionFact {
        mission: 5,
        game_id: game.id,
        secondary: true,
        time: "01:02:03".to_owned(),
        player_count: 127,
    };
    assert_eq!(facts.missions, [mission]);
}

pub async fn initial_state_has_the_live_games(backend: &impl Backend) {
    plant_for_games(backend).await;
    assert_eq!(backend.beginning().await.unwrap().last_game, GameId(0));
    let mut season = Season::default();
    let games = [season.play(1), season.play(2), season.play(1)];
    for game in &games {
        store(backend, game.id, game.launch()).await.unwrap();
    }
    store(backend, games[1].id, games[1].end()).await.unwrap();
    let beginning = backend.beginning().await.unwrap();
    assert_eq!(beginning.last_game, GameId(3));
    assert_eq!(beginning.games, [games[0].launched.game.clone(), games[2].launched.game.clone()]);
    // Numbers count as assigned, whether the game was launched or not.
    backend.record_host(ADA, GameId(71)).await.unwrap();
    assert_eq!(backend.beginning().await.unwrap().last_game, GameId(71));
    let attempt = JoinAttempt { game: GameId(72), address: None };
    backend.record_join(BOB, attempt).await.unwrap();
    assert_eq!(backend.beginning().await.unwrap().last_game, GameId(72));
    // A number that no client can read was not assigned by a lobby.
    let attempt = JoinAttempt { game: GameId(u32::MAX), address: None };
    backend.record_join(BOB, attempt).await.unwrap();
    assert_eq!(backend.beginning().await.unwrap().last_game, GameId(72));
}

/// The lobby may end after it has stored a relation, and before it saves the host's game.
pub async fn live_games_have_the_lists_of_their_hosts(backend: &impl Backend) {
    let game = launched(backend).await;
    let host = game.launched.game.host();
    let other = if host == ADA { BOB } else { ADA };
    for relation in [Relation::Friend, Relation::Foe] {
        backend.set_relation(host, other, relation).await.unwrap();
        let mut expected = game.launched.game.clone();
        let (friends, foes) = match relation {
            Relation::Friend => (BTreeSet::from([other]), BTreeSet::new()),
            Relation::Foe => (BTreeSet::new(), BTreeSet::from([other])),
        };
        expected.set_lists_of_host(friends, foes);
        assert_ne!(expected, game.launched.game);
        assert_eq!(backend.beginning().await.unwrap().games, [expected]);
    }
}

pub async fn joins_are_recorded(backend: &impl Backend) {
    plant_for_games(backend).await;
    let attempt = |address: Option<&str>| JoinAttempt {
        game: GameId(9),
        address: address.map(|text| text.parse().unwrap()),
    };
    backend.record_host(ADA, GameId(9)).await.unwrap();
    backend.record_join(BOB, attempt(Some("2001:db8::1"))).await.unwrap();
    backend.record_join(ADA, attempt(None)).await.unwrap();
    assert!(backend.record_join(PlayerId(99), attempt(None)).await.is_err());
    let joins = facts(backend).await.joins;
    let joins: Vec<_> =
        joins.iter().map(|join| (join.player.0, join.game.0, join.address.map(|a| a.to_string()))).collect();
    assert_eq!(joins, [(1, 9, None), (2, 9, Some("2001:db8::1".to_owned())), (1, 9, None)]);
}
