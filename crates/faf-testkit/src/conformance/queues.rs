//! Queues of the matchmaker, and the games of its matches.

use std::collections::BTreeMap;

use faf_lobby_core::matchmaking::map_pool::{Bracket, PoolEntry};
use faf_lobby_core::matchmaking::queue::{QueueData, QueueId};
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::matchmaking::violations::ViolationSettings;
use faf_lobby_core::request::OpenMatch;
use faf_lobby_core::{MapVersion, Reply, Request, RequestId, SavedQueues, Ticket, Timestamp};
use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{Backend, perform};
use faf_protocol::{BracketId, GameId, Json, PlayerId, PoolEntryId};

use super::{facts, plant, plant_for_games, store};
use crate::golden;
use crate::season::Season;

const ADA: PlayerId = PlayerId(1);
const BOB: PlayerId = PlayerId(2);

/// A seed with two map versions, of which one is unranked, two pools, and queues.
fn seed_of(queues: &str) -> String {
    r#"{"users": [{"id": 1, "login": "Ada", "password": "x"}, {"id": 2, "login": "Bob", "password": "x"}],
        "leaderboards": [{"id": 3, "technical_name": "tmm_2v2"}],
        "featured_mods": [{"id": 6, "technical_name": "Ladder1v1", "name": "Ladder", "publish": true}],
        "maps": [
            {"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/SCMP_007.zip", "version": 1, "ranked": true,
             "max_players": 2, "width": 1, "height": 1},
            {"map_id": 2, "version_id": 8, "display_name": "Draft", "filename": "maps/draft.v0001.zip", "version": 1,
             "ranked": false, "max_players": 2, "width": 1, "height": 1}],
        "map_pools": [
            {"id": 30, "name": "Second", "maps": [{"version_id": 7, "weight": 1}]},
            {"id": 20, "name": "First", "maps": [
                {"version_id": 8, "weight": 2},
                {"params": {"type": "neroxis", "version": "1.7.7", "size": 512, "spawns": 4}, "weight": 3},
                {"params": {"type": "other"}, "weight": 1},
                {"version_id": 7, "params_raw": "never read", "weight": 0}]}],
        "queues": ["#
        .to_owned()
        + queues
        + "]}"
}

/// A queue of a seed, with the given members in addition.
fn seed_queue(id: u32, members: &str) -> String {
    format!(
        r#"{{"id": {id}, "technical_name": "q{id}", "featured_mod": "faf", "leaderboard": "global", {members}}}"#
    )
}

async fn queues(backend: &impl Backend) -> Vec<QueueData> {
    let queues = backend.game_data().await.unwrap().queues;
    assert_eq!(backend.beginning().await.unwrap().data.queues, queues);
    queues
}

fn names(queues: &[QueueData]) -> Vec<&str> {
    queues.iter().map(|queue| queue.name.as_str()).collect()
}

pub async fn queues_have_options_brackets_and_pools(backend: &impl Backend) {
    let seed = seed_of(
        r#"{"id": 5, "technical_name": "tmm2v2", "featured_mod": "Ladder1v1", "leaderboard": "tmm_2v2", "team_size": 2,
            "params": {"GameOptions": {"Share": "ShareUntilDeath", "UnitCap": 1500, "List": []}}, "enabled": true,
            "pools": [{"pool": 20, "max_rating": 800, "veto_tokens_per_player": 3, "max_tokens_per_map": 2,
                       "minimum_maps_after_veto": 1.5},
                      {"pool": 30, "min_rating": -100},
                      {"pool": 20, "min_rating": 801, "max_rating": 2000}]},
           {"id": 2, "technical_name": "ladder1v1", "featured_mod": "faf", "leaderboard": "ladder_1v1", "team_size": 1,
            "enabled": true, "pools": [{"pool": 30}]}"#,
    );
    plant(backend, &seed).await;
    let ranked = MapVersion { id: 7, is_ranked: true };
    let unranked = MapVersion { id: 8, is_ranked: false };
    let second = [PoolEntry::fixed(PoolEntryId(1), 1, ranked, "maps/SCMP_007.zip").unwrap()];
    let generated = r#"{"type": "neroxis", "version": "1.7.7", "size": 512, "spawns": 4}"#;
    let first = [
        PoolEntry::fixed(PoolEntryId(2), 2, unranked, "maps/draft.v0001.zip").unwrap(),
        PoolEntry::generated(PoolEntryId(3), 3, generated).unwrap(),
        PoolEntry::fixed(PoolEntryId(5), 0, ranked, "maps/SCMP_007.zip").unwrap(),
    ];
    let bracket = |id, min_rating, max_rating, pool: &[PoolEntry]| Bracket {
        id: BracketId(id),
        min_rating,
        max_rating,
        vetoes: VetoSettings::default(),
        pool: pool.to_vec(),
    };
    let stored = queues(backend).await;
    // The oldest versions of FAF's schema have no columns for vetoes.
    let vetoes = stored[1].brackets[0].vetoes;
    let planted =
        VetoSettings { veto_tokens_per_player: 3, max_tokens_per_map: 2, minimum_maps_after_veto: 1.5 };
    assert!(vetoes == planted || vetoes == VetoSettings::default(), "{vetoes:?}");
    let options = [("Share", Json::from("ShareUntilDeath")), ("UnitCap", Json::from(1500))];
    let expected = [
        QueueData {
            id: QueueId(2),
            name: "ladder1v1".to_owned(),
            featured_mod: "faf".to_owned(),
            leaderboard: "ladder_1v1".to_owned(),
            team_size: 1,
            game_options: BTreeMap::new(),
            rating_peak: 1000.0,
            brackets: vec![bracket(4, None, None, &second)],
        },
        QueueData {
            id: QueueId(5),
            name: "tmm2v2".to_owned(),
            featured_mod: "ladder1v1".to_owned(),
            leaderboard: "tmm_2v2".to_owned(),
            team_size: 2,
            game_options: options.map(|(key, value)| (key.to_owned(), value)).into(),
            rating_peak: 1000.0,
            brackets: vec![
                Bracket { vetoes, ..bracket(1, None, Some(800), &first) },
                bracket(2, Some(-100), None, &second),
                bracket(3, Some(801), Some(2000), &first),
            ],
        },
    ];
    assert_eq!(stored, expected);
}

pub async fn queues_that_cannot_be_used_hide_no_others(backend: &impl Backend) {
    let pools = r#""pools": [{"pool": 20}]"#;
    let list = [
        seed_queue(1, &format!(r#""team_size": 1, "enabled": false, {pools}"#)),
        seed_queue(2, r#""team_size": 1, "enabled": true, "pools": []"#),
        seed_queue(3, &format!(r#""team_size": 0, "enabled": true, {pools}"#)),
        seed_queue(4, &format!(r#""team_size": 9, "enabled": true, {pools}"#)),
        seed_queue(5, &format!(r#""team_size": 1, "enabled": true, "params_raw": "{{\"Game", {pools}"#)),
        seed_queue(6, &format!(r#""team_size": 8, "enabled": true, "params": [1], {pools}"#)),
    ];
    plant(backend, &seed_of(&list.join(", "))).await;
    assert_eq!(names(&queues(backend).await), ["q6"]);
}

pub async fn rating_peak_follows_the_games(backend: &impl Backend) {
    let pools = r#""team_size": 1, "enabled": true, "pools": [{"pool": 20}]"#;
    let other = r#"{"id": 8, "technical_name": "other", "featured_mod": "faf", "leaderboard": "tmm_2v2","#;
    plant(backend, &seed_of(&format!("{}, {other} {pools}}}", seed_queue(4, pools)))).await;
    let mut season = Season::default();
    for winner in [1, 1] {
        let game = season.play(winner);
        store(backend, game.id, game.launch()).await.unwrap();
        store(backend, game.id, game.end()).await.unwrap();
    }
    let journal = facts(backend).await.journal;
    assert_eq!(journal.len(), 4);
    let displayed = journal.iter().map(|change| change.before.mean - 3.0 * change.before.deviation);
    let mean = displayed.sum::<f64>() / 4.0;
    let peaks: Vec<f64> = queues(backend).await.iter().map(|queue| queue.rating_peak).collect();
    assert!((peaks[0] - mean).abs() < 1e-9 && mean > 0.0, "{peaks:?}, not {mean}");
    assert_eq!(peaks[1], 1000.0, "it has another leaderboard");
}

pub async fn recent_maps_are_the_newest_of_each_player(backend: &impl Backend) {
    let pools = r#""team_size": 1, "pools": [{"pool": 20}]"#;
    let list = [
        seed_queue(4, &format!(r#""enabled": true, {pools}"#)),
        seed_queue(5, &format!(r#""enabled": false, {pools}"#)),
    ];
    let game = |id: u32, queue: &str, map: &str, minutes_ago: u32, players: &str| {
        format!(
            r#"{{"id": {id}, "host": 1, "featured_mod": "faf", "map_version": {map}, "queue": {queue},
                 "started_minutes_ago": {minutes_ago}, "players": [{players}], "name": "x"}}"#
        )
    };
    let games = [
        game(50, "4", "7", 1439, "1, 2"),
        game(51, "4", "8", 1441, "1, 2"),
        game(52, "4", "8", 60, "2"),
        game(53, "4", "null", 50, "1"),
        game(54, "5", "7", 40, "1"),
        game(55, "null", "8", 30, "1, 2"),
        // Of two that started together, the one with the higher id is the newer one.
        game(56, "4", "7", 20, "1"),
        game(57, "4", "8", 20, "1"),
    ];
    let seed = seed_of(&list.join(", "));
    let seed = format!(r#"{}, "past_games": [{}]}}"#, seed.strip_suffix('}').unwrap(), games.join(", "));
    plant(backend, &seed).await;
    let recent = async |queue, players: &[PlayerId], limit| {
        backend.recent_maps(QueueId(queue), players.to_vec(), limit).await.unwrap()
    };
    assert_eq!(recent(4, &[ADA], 10).await, [8, 7, 7]);
    assert_eq!(recent(4, &[ADA], 2).await, [8, 7]);
    assert_eq!(recent(4, &[ADA], 3).await, [8, 7], "a game without a map version counts");
    assert_eq!(recent(4, &[BOB, PlayerId(99), ADA], 1).await, [8, 8]);
    assert_eq!(recent(4, &[BOB], 10).await, [8, 7]);
    assert_eq!(recent(5, &[ADA, BOB], 10).await, [7]);
    for (queue, players, limit) in [(9, vec![ADA], 10), (4, vec![ADA], 0), (4, vec![], 10)] {
        assert!(recent(queue, &players, limit).await.is_empty());
    }
    let of_queues = [(50, 4), (51, 4), (52, 4), (53, 4), (54, 5), (56, 4), (57, 4)];
    assert_eq!(
        facts(backend).await.queue_games,
        of_queues.map(|(game, queue)| (GameId(game), QueueId(queue)))
    );
}

pub async fn match_is_stored_with_its_queue(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut season = Season::default();
    let (mut of_queue, custom, mut of_deleted) = (season.play(1), season.play(2), season.play(3));
    of_queue.launched.queue = Some(QueueId(4));
    // The game counts, although its queue was deleted while it was set up.
    of_deleted.launched.queue = Some(QueueId(99));
    // Recent by every clock.
    of_queue.launched.launched_at = Timestamp::from_seconds(4_000_000_000);
    of_queue.launched.players[1].team = None;
    // The launch may be retried.
    for game in [&of_queue, &of_queue, &custom, &of_deleted] {
        store(backend, game.id, game.launch()).await.unwrap();
    }
    assert_eq!(facts(backend).await.queue_games, [(of_queue.id, QueueId(4))]);
    assert_eq!(backend.recent_maps(QueueId(4), vec![ADA], 1).await.unwrap(), [7]);
    assert!(backend.recent_maps(QueueId(4), vec![BOB], 1).await.unwrap().is_empty(), "there is no row");
    store(backend, of_queue.id, of_queue.end()).await.unwrap();
    assert_eq!(facts(backend).await.queue_games, [(of_queue.id, QueueId(4))]);
}

pub async fn golden_seed_has_its_queues(backend: &impl Backend) {
    plant(backend, &golden::text(&golden::seed())).await;
    let queues = queues(backend).await;
    if !golden::is_own() {
        return;
    }
    assert_eq!(names(&queues), ["ladder1v1", "tmm2v2", "generated1v1", "options1v1", "alternating1v1"]);
    let brackets: Vec<_> = queues[0]
        .brackets
        .iter()
        .map(|bracket| (bracket.min_rating, bracket.max_rating, bracket.pool[0].map.folder(0)))
        .collect();
    let expected = [(None, Some(800), "scmp_007".to_owned()), (Some(800), None, "scmp_009".to_owned())];
    assert_eq!(brackets, expected);
    let sizes = queues.iter().map(|queue| (queue.team_size, queue.brackets[0].pool.len()));
    assert_eq!(sizes.collect::<Vec<_>>(), [(1, 1), (2, 1), (1, 1), (1, 1), (1, 2)]);
    let options = queues.iter().map(|queue| serde_json::to_string(&queue.game_options).unwrap());
    let options: Vec<String> = options.filter(|options| options != "{}").collect();
    assert_eq!(options, [r#"{"Share":"ShareUntilDeath","UnitCap":500}"#]);
    let recent = backend.recent_maps(QueueId(7), vec![PlayerId(8), PlayerId(9), PlayerId(3)], 2);
    assert_eq!(recent.await.unwrap(), [11, 11]);
    assert_eq!(facts(backend).await.queue_games, [(GameId(4990), QueueId(7))]);
}

pub async fn contradicting_queues_are_refused(backend: &impl Backend) {
    let queue = |id, members: &str| seed_queue(id, &format!(r#""team_size": 1, "enabled": true, {members}"#));
    let fine = queue(4, r#""pools": [{"pool": 20}]"#);
    let past = |queue: u32| {
        let fine = seed_of(&fine);
        let fine = fine.strip_suffix('}').unwrap();
        format!(
            r#"{fine}, "past_games": [{{"id": 9, "host": 1, "featured_mod": "faf", "queue": {queue},
                "started_minutes_ago": 5, "players": [1], "name": "x"}}]}}"#
        )
    };
    for (seed, record) in [
        (seed_of(&format!("{fine}, {fine}")), "queue q4"),
        (seed_of(&queue(4, r#""pools": [{"pool": 77}]"#)), "queue q4"),
        (seed_of(&queue(4, r#""pools": [{"pool": 20, "minimum_maps_after_veto": 0}]"#)), "queue q4"),
        (seed_of(&fine.replace("\"faf\"", "\"none\"")), "queue q4: there is no `none`"),
        (seed_of(&fine.replace("\"global\"", "\"none\"")), "queue q4: there is no `none`"),
        (
            seed_of(&fine).replace("\"version_id\": 7, \"weight\"", "\"version_id\": 77, \"weight\""),
            "map pool Second",
        ),
        (seed_of(&fine).replace("\"id\": 30", "\"id\": 20"), "map pool First"),
        (past(77), "past game 9"),
    ] {
        let refused = backend.plant(SeedFile::parse(&seed).unwrap()).await.unwrap_err().to_string();
        assert!(refused.starts_with(record), "{refused}");
    }
    assert!(queues(backend).await.is_empty());
    plant(backend, &past(4)).await;
    assert_eq!(names(&queues(backend).await), ["q4"]);
}

pub async fn parties_and_searches_are_saved(backend: &impl Backend) {
    let empty = SavedQueues::default();
    assert_eq!(backend.saved_queues().await.unwrap(), empty);
    assert_eq!(backend.beginning().await.unwrap().queues, empty);
    for second in [1, 2] {
        let mut saved = SavedQueues::default();
        saved.saved_at = Timestamp::from_seconds(second);
        let settings = ViolationSettings::default();
        saved.violations.record(ADA, Timestamp::from_seconds(second), &settings);
        backend.save_queues(Box::new(saved.clone())).await.unwrap();
        assert_eq!(backend.saved_queues().await.unwrap(), saved);
        assert_eq!(backend.beginning().await.unwrap().queues, saved);
    }
}

pub async fn opened_match_has_its_history(backend: &impl Backend) {
    plant_for_games(backend).await;
    let mut played = Season::default().play(1);
    played.launched.queue = Some(QueueId(4));
    played.launched.launched_at = Timestamp::from_seconds(4_000_000_000);
    store(backend, played.id, played.launch()).await.unwrap();
    let open = async |host| {
        let players = vec![BOB, ADA];
        let request = OpenMatch { host, game: GameId(90), queue: QueueId(4), players, limit: 2 };
        let request = Request::OpenMatch(Ticket::new(RequestId(1)), request);
        match perform(backend, request, |_| {}).await {
            Ok(Reply::OpenMatch(_, reply)) => reply,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(open(BOB).await.unwrap(), [7, 7]);
    let joins = facts(backend).await.joins;
    assert!(
        matches!(&joins[..], [join] if (join.player, join.game, join.address) == (BOB, GameId(90), None))
    );
    assert_eq!(backend.beginning().await.unwrap().last_game, GameId(90));
    assert!(open(PlayerId(99)).await.is_err(), "without a record of its number, the game must not begin");
}
