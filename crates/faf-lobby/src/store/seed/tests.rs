use super::*;
use crate::store::tests::new_store;

async fn seed(store: &Store, text: &str) -> Result<Planted, String> {
    let file = SeedFile::parse(text)?;
    store.seed(file).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_seed_is_planted_whole_and_once() {
    let (store, _folder) = new_store();
    let text = r#"{"users": [
        {"id": 5, "login": "Ada", "password": "secret", "groups": ["faf_moderators_global"], "friends": [7],
         "ratings": {"global": {"mean": 1000, "deviation": 80.5, "total_games": 3, "won_games": 1}},
         "bans": [{"level": "GLOBAL", "reason": "old", "expires_in_hours": -1},
                  {"level": "CHAT", "reason": "rude", "expires": "never"}]},
        {"id": 7, "login": "Bob", "password_sha256_hex": "00"}]}"#;
    assert_eq!(seed(&store, text).await.unwrap(), Planted { users: 2, maps: 0, mods: 0 });
    let account = store.account_by_login("ada").await.unwrap().unwrap();
    assert!(passwords::verify(&passwords::digest("secret"), &account.password));
    assert_eq!(account.ban.unwrap().reason, "old");
    let profile = store.profile(account.id).await.unwrap();
    assert_eq!(profile.friends, [faf_protocol::PlayerId(7)]);
    assert_eq!(profile.ratings[0].1.rating.deviation, 80.5);
    assert!(seed(&store, text).await.unwrap_err().contains("accounts already"));
}

#[tokio::test]
async fn what_a_new_database_has_can_have_another_number() {
    let (store, _folder) = new_store();
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
    seed(&store, text).await.unwrap();
    let list = async |query: &'static str| -> String {
        store.read(move |t| t.query_row(query, (), |row| row.get(0))).await.unwrap()
    };
    let numbered =
        "SELECT group_concat(id || ' ' || technical_name, ', ') FROM (SELECT * FROM user_group ORDER BY id)";
    assert_eq!(list(numbered).await, "2 faf_server_administrators, 7 faf_moderators_global");
    let numbered =
        "SELECT group_concat(id || ' ' || technical_name, ', ') FROM (SELECT * FROM leaderboard ORDER BY id)";
    assert_eq!(list(numbered).await, "1 ladder_1v1, 2 global");
    let numbered =
        "SELECT group_concat(id || ' ' || gamemod, ', ') FROM (SELECT * FROM game_featuredMods ORDER BY id)";
    assert_eq!(list(numbered).await, "0 coop, 6 faf, 25 fafbeta");
    assert_eq!(list("SELECT group_concat(gameMod) FROM game_stats").await, "6");
    assert_eq!(list("SELECT CAST(count(*) AS TEXT) FROM group_permission_assignment").await, "1");

    let twice = r#"{"featured_mods": [{"id": 1, "technical_name": "x", "name": "X", "publish": true},
                                      {"id": 2, "technical_name": "x", "name": "X", "publish": true}]}"#;
    let (store, _folder) = new_store();
    assert_eq!(
        seed(&store, twice).await.unwrap_err(),
        "featured mod x: another one has this name or the number 2"
    );
}

#[tokio::test]
async fn a_mod_can_have_several_versions() {
    let (store, _folder) = new_store();
    let version = |version: u32, likes: u32| {
        format!(
            r#"{{"id": 1, "version_id": {version}, "display_name": "One", "author": "A", "uid": "u{version}", "type": "SIM",
                 "version": {version}, "description": "d", "filename": "one.v{version}.zip", "icon": null, "ranked": true,
                 "hidden": {}, "likes": {likes}, "likers": "[]", "downloads": 1, "played": 2,
                 "created": "2026-01-01 00:00:00"}}"#,
            version == 1
        )
    };
    let planted = seed(&store, &format!(r#"{{"mods": [{}, {}]}}"#, version(1, 3), version(2, 4))).await;
    assert_eq!(planted.unwrap(), Planted { users: 0, maps: 0, mods: 2 });
    let shown = store.liked_mods(9).await.unwrap();
    assert_eq!((shown.len(), shown[0].uid.as_str(), shown[0].likes), (1, "u2", 3.0));
    let twice = format!(r#"{{"mods": [{}, {}]}}"#, version(1, 3), version(1, 3));
    let (store, _folder) = new_store();
    assert!(seed(&store, &twice).await.unwrap_err().starts_with("mod One: UNIQUE constraint failed"));
}

#[tokio::test]
async fn names_nobody_can_read_are_not_planted() {
    let (store, _folder) = new_store();
    for (wrong, problem) in [
        (
            r#"{"users": [{"id": 1, "login": "A\u200bda", "password": "x"}]}"#,
            r"user A\u{200b}da: a name has 1 to 20",
        ),
        (r#"{"users": [{"id": 1, "login": "\u3164", "password": "x"}]}"#, r"user \u{3164}: a name"),
        (r#"{"clans": [{"id": 1, "name": "N", "tag": "T\u202e"}]}"#, r"clan T\u{202e}: this is no tag"),
        (r#"{"clans": [{"id": 1, "name": "N\n", "tag": "T"}]}"#, r"clan N\n: control characters"),
        (
            r#"{"avatars": [{"id": 1, "url": "u", "tooltip": "Win\u00adner"}]}"#,
            r"avatar Win\u{ad}ner: control",
        ),
        (
            r#"{"featured_mods": [{"id": 1, "technical_name": "x", "name": "\u2066x", "publish": true}]}"#,
            r"featured mod \u{2066}x: control",
        ),
    ] {
        let found = seed(&store, wrong).await.unwrap_err();
        assert!(found.starts_with(problem), "{found}");
    }
}

#[tokio::test]
async fn a_wrong_record_plants_nothing() {
    let (store, _folder) = new_store();
    let problem = seed(
        &store,
        r#"{"clans": [{"id": 1, "name": "N", "tag": "T"}], "maps": [{"map_id": 1, "version_id": 1,
        "display_name": "M", "filename": "m.scmap", "version": 1, "ranked": true, "max_players": 2, "width": 1, "height": 1}]}"#,
    );
    assert_eq!(problem.await.unwrap_err(), "map m.scmap: `filename` must have the form maps/FOLDER.zip");
    let clans: i64 =
        store.read(|t| t.query_row("SELECT count(*) FROM clan", (), |row| row.get(0))).await.unwrap();
    assert_eq!(clans, 0);
    let stranger = r#"{"users": [{"id": 1, "login": "Ada", "password": "x", "clan": "XYZ"}]}"#;
    assert_eq!(seed(&store, stranger).await.unwrap_err(), "user Ada: there is no `XYZ`");
    assert!(seed(&store, r#"{"user": []}"#).await.unwrap_err().contains("unknown field `user`"));
    let nothing = seed(&store, r#"{"users": [{"id": 1, "login": "Ada"}]}"#).await.unwrap_err();
    assert_eq!(nothing, "user Ada has neither `password` nor `password_sha256_hex`");
}
