//! Seeds, and the server's own key.

use faf_lobby_store::seed::{Planted, SeedFile};
use faf_lobby_store::{Backend, SeedError};
use faf_protocol::PlayerId;

use super::facts;

async fn seed(store: &impl Backend, text: &str) -> Result<Planted, String> {
    let file = SeedFile::parse(text)?;
    store.plant(file).await.map_err(|error| error.to_string())
}

pub async fn seed_is_planted_whole_and_once(store: &impl Backend) {
    let text = r#"{"users": [
        {"id": 5, "login": "Ada", "password": "secret", "groups": ["faf_moderators_global"], "friends": [7],
         "ratings": {"global": {"mean": 1000, "deviation": 80.5, "total_games": 3, "won_games": 1}},
         "bans": [{"level": "GLOBAL", "reason": "old", "expires_in_hours": -1},
                  {"level": "CHAT", "reason": "rude", "expires": "never"}]},
        {"id": 7, "login": "Bob", "password_sha256_hex": "00"}]}"#;
    let mut file = SeedFile::parse(text).unwrap();
    file.users[0].hash = "hash".to_owned();
    assert_eq!(store.plant(file.clone()).await.unwrap(), Planted { users: 2, maps: 0, mods: 0 });
    let account = store.account_by_login("ada").await.unwrap().unwrap();
    assert_eq!((account.id, account.password.as_str()), (PlayerId(5), "hash"));
    assert_eq!(account.ban.unwrap().reason, "old");
    let profile = store.profile(account.id).await.unwrap();
    assert_eq!(profile.friends, [PlayerId(7)]);
    assert_eq!(profile.ratings[0].1.rating.deviation, 80.5);
    let rating = facts(store).await.ratings.remove(0);
    assert_eq!((rating.total_games, rating.won_games), (3, 1));
    assert!(matches!(store.plant(file).await, Err(SeedError::NotEmpty)));
}

pub async fn seed_may_renumber_built_in_records(store: &impl Backend) {
    let text = r#"{
        "groups": [{"id": 2, "technical_name": "faf_server_administrators", "permissions": ["ADMIN_KICK_SERVER"]},
                   {"id": 7, "technical_name": "faf_moderators_global", "permissions": []}],
        "leaderboards": [{"id": 2, "technical_name": "global"},
                         {"id": 1, "technical_name": "ladder_1v1", "initializer": "global"}],
        "featured_mods": [{"id": 0, "technical_name": "coop", "name": "Coop", "publish": true},
                          {"id": 6, "technical_name": "faf", "name": "FAF", "publish": true},
                          {"id": 25, "technical_name": "fafbeta", "name": "Beta", "publish": false}],
        "users": [{"id": 1, "login": "Ada", "password": "x", "groups": ["faf_server_administrators"],
                   "ratings": {"global": {"mean": 1, "deviation": 1, "total_games": 1, "won_games": 0}}}],
        "past_games": [{"id": 9, "host": 1, "featured_mod": "faf", "started_minutes_ago": 5, "players": [1], "name": "x"}]}"#;
    seed(store, text).await.unwrap();
    let beginning = store.beginning().await.unwrap();
    assert_eq!(beginning.last_game.0, 9);
    let mods: Vec<_> = beginning.data.featured_mods.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    assert_eq!(mods, [("coop", 0), ("faf", 6), ("fafbeta", 25)]);
    let boards = beginning.data.leaderboards.iter();
    let boards: Vec<_> = boards.map(|board| (board.name.as_str(), board.id, board.initializer)).collect();
    assert_eq!(boards, [("ladder_1v1", 1, Some(2)), ("global", 2, None)]);
    use faf_lobby_core::Permission;
    assert!(store.has_permission(PlayerId(1), Permission::KickServer).await.unwrap());
    assert!(!store.has_permission(PlayerId(1), Permission::BroadcastMessage).await.unwrap());
}

pub async fn illegible_names_are_refused(store: &impl Backend) {
    for (text, problem) in [
        (r#"{"users": [{"id": 1, "login": "A\u200bda", "password": "x"}]}"#, "user A\\u{200b}da: a name has"),
        (r#"{"clans": [{"id": 1, "name": "x", "tag": "A B"}]}"#, "clan A B: this is not a tag"),
        (
            r#"{"groups": [{"id": 1, "technical_name": "a", "permissions": []},
                           {"id": 2, "technical_name": "a", "permissions": []}]}"#,
            "group a: another one has this name",
        ),
    ] {
        let refused = seed(store, text).await.unwrap_err();
        assert!(refused.starts_with(problem), "{refused}");
    }
    assert_eq!(store.count_accounts().await.unwrap(), 0);
}

pub async fn invalid_seed_leaves_nothing(store: &impl Backend) {
    let problem = seed(
        store,
        r#"{"featured_mods": [{"id": 99, "technical_name": "x", "name": "X", "publish": true}],
            "maps": [{"map_id": 1, "version_id": 1, "display_name": "M", "filename": "m.scmap", "version": 1, "ranked": true,
                      "max_players": 2, "width": 1, "height": 1}]}"#,
    );
    assert_eq!(problem.await.unwrap_err(), "map m.scmap: `filename` must have the form maps/FOLDER.zip");
    assert!(!store.game_data().await.unwrap().featured_mods.contains_key("x"));
    let unknown_clan = r#"{"users": [{"id": 1, "login": "Ada", "password": "x", "clan": "XYZ"}]}"#;
    assert_eq!(seed(store, unknown_clan).await.unwrap_err(), "user Ada: there is no `XYZ`");
    assert_eq!(store.count_accounts().await.unwrap(), 0);
}

pub async fn key_is_created_once(store: &impl Backend) {
    assert_eq!(store.own_key().await.unwrap(), None);
    assert_eq!(store.own_key_or(vec![1, 2]).await.unwrap(), [1, 2]);
    assert_eq!(store.own_key_or(vec![3]).await.unwrap(), [1, 2]);
    assert_eq!(store.own_key().await.unwrap(), Some(vec![1, 2]));
    store.beat().await.unwrap();
    store.finish_writing().await.unwrap();
}
