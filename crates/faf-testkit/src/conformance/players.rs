//! Data of a player: profile, friends and foes, avatars, permissions.

use faf_lobby_core::{Permission, Relation};
use faf_lobby_store::{Backend, Role};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Avatar;

use super::{facts, plant};

pub async fn nobody_is_friend_and_foe(store: &impl Backend) {
    let ada = store.create_account("Ada", String::new()).await.unwrap();
    let bob = store.create_account("Bob", String::new()).await.unwrap();
    let relations = || async {
        let profile = store.profile(ada).await.unwrap();
        (profile.friends, profile.foes)
    };
    assert!(store.set_relation(ada, bob, Relation::Foe).await.unwrap());
    assert_eq!(relations().await, (vec![], vec![bob]));
    assert!(store.set_relation(ada, bob, Relation::Friend).await.unwrap());
    assert_eq!(relations().await, (vec![bob], vec![]));
    assert_eq!(facts(store).await.relations, [(ada, bob, Relation::Friend)]);
    store.end_relation(ada, bob, Relation::Foe).await.unwrap();
    assert_eq!(relations().await, (vec![bob], vec![]));
    store.end_relation(ada, bob, Relation::Friend).await.unwrap();
    assert_eq!(relations().await, (vec![], vec![]));
    assert!(!store.set_relation(ada, PlayerId(99), Relation::Friend).await.unwrap());
}

pub async fn granted_avatar_can_be_selected(store: &impl Backend) {
    let seed = r#"{
        "users": [{"id": 1, "login": "Ada", "password": "x", "avatars": [
            {"avatar_id": 1, "selected": true}, {"avatar_id": 2, "expired_since_hours": 5}]}],
        "avatars": [{"id": 1, "url": "sun", "tooltip": "Sun"}, {"id": 2, "url": "moon", "tooltip": null},
                    {"id": 3, "url": "star", "tooltip": "S"}]}"#;
    plant(store, seed).await;
    let ada = PlayerId(1);
    let avatar = |url: &str, tooltip: &str| Avatar { url: url.to_owned(), tooltip: tooltip.to_owned() };
    let (sun, moon) = (avatar("sun", "Sun"), avatar("moon", ""));
    assert_eq!(store.avatars(ada).await.unwrap(), [sun.clone(), moon.clone()]);
    assert_eq!(store.profile(ada).await.unwrap().avatar, Some(sun));
    assert_eq!(store.select_avatar(ada, Some("star".to_owned())).await.unwrap(), None);
    assert_eq!(store.select_avatar(ada, Some("moon".to_owned())).await.unwrap(), Some(Some(moon.clone())));
    assert_eq!(store.profile(ada).await.unwrap().avatar, Some(moon));
    let selected = || async {
        let facts = facts(store).await.avatars;
        facts.into_iter().map(|fact| (fact.avatar_id, fact.is_selected)).collect::<Vec<_>>()
    };
    assert_eq!(selected().await, [(1, false), (2, true)]);
    assert_eq!(store.select_avatar(ada, None).await.unwrap(), Some(None));
    assert_eq!(store.profile(ada).await.unwrap().avatar, None);
    assert_eq!(selected().await, [(1, false), (2, false)]);
}

pub async fn permissions_come_with_roles(store: &impl Backend) {
    let ada = store.create_account("Ada", String::new()).await.unwrap();
    let has = |permission| store.has_permission(ada, permission);
    assert!(!has(Permission::KickServer).await.unwrap());
    store.set_role("Ada", Role::Moderator).await.unwrap();
    assert!(has(Permission::KickServer).await.unwrap());
    assert!(!has(Permission::BroadcastMessage).await.unwrap());
    store.set_role("Ada", Role::Administrator).await.unwrap();
    assert!(has(Permission::BroadcastMessage).await.unwrap() && has(Permission::JoinChannel).await.unwrap());
}

pub async fn profile_is_complete(store: &impl Backend) {
    let seed = r#"{
        "clans": [{"id": 3, "name": "Clan", "tag": "CLN"}],
        "users": [{"id": 1, "login": "Ada", "password": "x", "clan": "CLN", "groups": ["faf_moderators_global"],
                   "friends": [2], "foes": [3],
                   "ratings": {"ladder_1v1": {"mean": 900, "deviation": 90.5, "total_games": 2, "won_games": 1},
                               "global": {"mean": 1000, "deviation": 80.5, "total_games": 3, "won_games": 1}}},
                  {"id": 2, "login": "Bob", "password": "x"}, {"id": 3, "login": "Cem", "password": "x"}]}"#;
    plant(store, seed).await;
    let profile = store.profile(PlayerId(1)).await.unwrap();
    assert_eq!((profile.clan.as_deref(), profile.groups.len()), (Some("CLN"), 1));
    assert_eq!((profile.friends, profile.foes), (vec![PlayerId(2)], vec![PlayerId(3)]));
    let ratings: Vec<_> =
        profile.ratings.iter().map(|(name, rating)| (name.as_str(), rating.number_of_games)).collect();
    assert_eq!(ratings, [("global", 3), ("ladder_1v1", 2)]);
    assert_eq!(profile.ratings[0].1.rating.deviation, 80.5);
    let nobody = store.profile(PlayerId(99)).await.unwrap();
    assert!(nobody.ratings.is_empty() && nobody.friends.is_empty() && nobody.clan.is_none());
}
