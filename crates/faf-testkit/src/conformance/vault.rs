//! The vaults of mods and maps, and missions.

use faf_lobby_core::{Like, MapVersion, UnknownMod, VaultMod};
use faf_lobby_store::Backend;
use faf_lobby_store::seed::SeedFile;
use faf_protocol::PlayerId;

use super::{facts, plant, plant_for_games};

/// Three mods: `one` without likes, `two` with a damaged list of likers, and a hidden one.
const MODS: &str = r#"{
    "users": [{"id": 1, "login": "Ada", "password": "x"}],
    "mods": [
        {"id": 1, "version_id": 1, "display_name": "One", "author": "A", "uid": "one", "type": "UI", "version": 1,
         "description": "d", "filename": "one.zip", "icon": null, "ranked": false, "hidden": false, "likes": 0,
         "likers": "[]", "downloads": 0, "played": 0, "created": "2020-01-02 03:04:05"},
        {"id": 2, "version_id": 2, "display_name": "Two", "author": "B", "uid": "two", "type": "SIM", "version": 2,
         "description": "d", "filename": "two.zip", "icon": null, "ranked": false, "hidden": false, "likes": 5,
         "likers": "damaged", "downloads": 0, "played": 0, "created": "2020-01-02 03:04:05"},
        {"id": 3, "version_id": 3, "display_name": "Hidden", "author": "C", "uid": "hidden", "type": "SIM", "version": 2,
         "description": "d", "filename": "hidden.zip", "icon": null, "ranked": true, "hidden": true, "likes": 9,
         "likers": "[]", "downloads": 0, "played": 0, "created": "2020-01-02 03:04:05"}]}"#;

fn uids(mods: Vec<VaultMod>) -> Vec<String> {
    mods.into_iter().map(|shown| shown.uid).collect()
}

pub async fn mods_are_liked_once_and_downloads_counted(store: &impl Backend) {
    plant(store, MODS).await;
    let ada = PlayerId(1);
    assert_eq!(uids(store.liked_mods(100).await.unwrap()), ["two", "one"]);
    assert_eq!(uids(store.liked_mods(1).await.unwrap()), ["two"]);
    for (uid, likes) in [("one", 1.0), ("two", 6.0)] {
        match store.like_mod(ada, uid.to_owned()).await.unwrap() {
            Ok(Like::Counted(liked)) => assert_eq!(liked.likes, likes),
            other => panic!("{other:?}"),
        }
        assert_eq!(store.like_mod(ada, uid.to_owned()).await.unwrap(), Ok(Like::Before));
    }
    assert_eq!(store.like_mod(ada, "hidden".to_owned()).await.unwrap(), Err(UnknownMod));
    assert!(store.count_download("one".to_owned()).await.unwrap());
    assert!(!store.count_download("none".to_owned()).await.unwrap());
    assert_eq!(store.liked_mods(100).await.unwrap()[1].downloads, 1);
    let likers: Vec<_> = facts(store).await.mods.into_iter().map(|fact| fact.likers).collect();
    assert_eq!(likers, ["[1]", "[1]", "[]"]);
}

pub async fn mods_have_their_names(store: &impl Backend) {
    plant_for_games(store).await;
    let uids = ["ONE-A", "two", "unknown"].map(str::to_owned).to_vec();
    let names = store.mod_names(uids).await.unwrap();
    let names: Vec<_> = names.iter().map(|(uid, name)| (uid.as_str(), name.as_str())).collect();
    assert_eq!(names, [("ONE-A", "One"), ("two", "Two")]);
}

pub async fn mod_is_listed_as_seeded(store: &impl Backend) {
    let seed = r#"{"mods": [
        {"id": 2, "version_id": 2, "display_name": "Two", "author": "B", "uid": "Two", "type": "UI", "version": 4,
         "description": "d", "filename": "two.zip", "icon": "i.png", "ranked": false, "hidden": false, "likes": 3,
         "likers": "[1]", "downloads": 11, "played": 5, "created": "2020-01-02 03:04:05"}]}"#;
    plant(store, seed).await;
    let shown = store.liked_mods(1).await.unwrap().remove(0);
    let expected = VaultMod {
        uid: "Two".to_owned(),
        name: "Two".to_owned(),
        version: 4,
        author: "B".to_owned(),
        is_ui: true,
        date: 1_577_934_245,
        downloads: 11,
        likes: 3.0,
        played: 5,
        description: "d".to_owned(),
        filename: "two.zip".to_owned(),
        icon: "i.png".to_owned(),
    };
    assert_eq!(shown, expected);
}

pub async fn maps_are_found_by_their_folder(store: &impl Backend) {
    let seed = r#"{"maps": [
        {"map_id": 1, "version_id": 7, "display_name": "A", "filename": "maps/SCMP_007.zip", "version": 1,
         "ranked": true, "max_players": 2, "width": 1, "height": 1},
        {"map_id": 2, "version_id": 9, "display_name": "B", "filename": "maps/scmp_009.zip", "version": 1,
         "ranked": false, "max_players": 2, "width": 1, "height": 1}]}"#;
    plant(store, seed).await;
    let find = |folder: &str| store.find_map(folder.to_owned());
    assert_eq!(find("scmp_007").await.unwrap(), Some(MapVersion { id: 7, is_ranked: true }));
    assert_eq!(find("scmp_009").await.unwrap(), Some(MapVersion { id: 9, is_ranked: false }));
    assert_eq!(find("scmp_008").await.unwrap(), None);
}

pub async fn missions_of_unknown_campaigns_are_skipped(store: &impl Backend) {
    let seed = r#"{"coop_maps": [
        {"id": 3, "type": 0, "name": "Three", "description": "d", "filename": "h", "version": 1},
        {"id": 1, "type": 4, "name": "One", "description": null, "filename": "f", "version": 1},
        {"id": 2, "type": 5, "name": "Two", "description": "d", "filename": "g", "version": 1}]}"#;
    plant(store, seed).await;
    let missions = store.coop_missions().await.unwrap();
    let shown: Vec<_> = missions.iter().map(|mission| (mission.uid, mission.campaign.as_str())).collect();
    assert_eq!(shown, [(1, "Custom Missions"), (3, "FA Campaign")]);
}

pub async fn mod_can_have_several_versions(store: &impl Backend) {
    let version = |version: u32, likes: u32| {
        format!(
            r#"{{"id": 1, "version_id": {version}, "display_name": "One", "author": "A", "uid": "u{version}", "type": "SIM",
                 "version": {version}, "description": "d", "filename": "one.v{version}.zip", "icon": null, "ranked": true,
                 "hidden": {}, "likes": {likes}, "likers": "[]", "downloads": 1, "played": 2,
                 "created": "2026-01-01 00:00:00"}}"#,
            version == 1
        )
    };
    let twice = format!(r#"{{"mods": [{}, {}]}}"#, version(1, 3), version(1, 3));
    let refused = store.plant(SeedFile::parse(&twice).unwrap()).await.unwrap_err();
    assert!(refused.to_string().starts_with("mod One: "), "{refused}");
    plant(store, &format!(r#"{{"mods": [{}, {}]}}"#, version(1, 3), version(2, 4))).await;
    let shown = store.liked_mods(9).await.unwrap();
    assert_eq!((shown.len(), shown[0].uid.as_str(), shown[0].likes), (1, "u2", 3.0));
}
