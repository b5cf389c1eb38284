//! Accounts, bans and orders.

use faf_lobby_store::{AccountError, Action, Backend, Role};
use faf_protocol::PlayerId;

use super::facts;

pub async fn accounts_are_created_found_and_changed(store: &impl Backend) {
    let ada = store.create_account("Ada", "hash".to_owned()).await.unwrap();
    assert!(matches!(store.create_account("ÁDA", "x".to_owned()).await, Err(AccountError::Exists(_))));
    assert!(matches!(store.create_account("A da", "x".to_owned()).await, Err(AccountError::Name(_))));
    let found = store.account_by_login(" adA").await.unwrap().unwrap();
    assert_eq!((found.id, found.login.as_str(), found.password.as_str()), (ada, "Ada", "hash"));
    store.set_password("ada", "new".to_owned()).await.unwrap();
    assert_eq!(store.account_by_id(ada).await.unwrap().unwrap().password, "new");
    assert_eq!(store.account_by_login("nobody").await.unwrap(), None);
    assert!(matches!(store.set_password("nobody", String::new()).await, Err(AccountError::Unknown(_))));
    assert_eq!(store.count_accounts().await.unwrap(), 1);
}

pub async fn latest_ban_counts_and_can_be_revoked(store: &impl Backend) {
    let ada = store.create_account("Ada", String::new()).await.unwrap();
    assert_eq!(store.find_ban(ada).await.unwrap(), None);
    store.ban("Ada", "short".to_owned(), Some(100)).await.unwrap();
    store.ban("Ada", "long".to_owned(), None).await.unwrap();
    let ban = || async { store.account_by_id(ada).await.unwrap().unwrap().ban.unwrap() };
    assert_eq!(ban().await.reason, "long");
    assert_eq!(store.find_ban(ada).await.unwrap().unwrap().reason, "long");
    assert_eq!(store.profile(ada).await.unwrap().ban.unwrap().reason, "long");
    assert_eq!(store.list_accounts().await.unwrap()[0].ban.as_ref().unwrap().reason, "long");
    assert_eq!(store.unban("Ada").await.unwrap(), 1);
    assert_eq!(store.unban("Ada").await.unwrap(), 0);
    assert_eq!(store.list_accounts().await.unwrap()[0].ban, None);
    assert_eq!(store.find_ban(PlayerId(99)).await.unwrap(), None);
}

pub async fn roles_are_groups(store: &impl Backend) {
    store.create_account("Ada", String::new()).await.unwrap();
    let groups = || async { store.list_accounts().await.unwrap().remove(0).groups };
    store.set_role("ada", Role::Moderator).await.unwrap();
    assert_eq!(groups().await, ["faf_moderators_global"]);
    store.set_role("ada", Role::Administrator).await.unwrap();
    assert_eq!(groups().await, ["faf_server_administrators"]);
    store.set_role("ada", Role::Player).await.unwrap();
    assert_eq!(groups().await, [""; 0]);
}

pub async fn logins_are_recorded(store: &impl Backend) {
    let ada = store.create_account("Ada", String::new()).await.unwrap();
    assert!(!facts(store).await.logins[0].has_last_login);
    store.record_login(ada, Some("::1".parse().unwrap()), Some("client".to_owned())).await.unwrap();
    let login = facts(store).await.logins.remove(0);
    assert_eq!((login.ip.as_deref(), login.user_agent.as_deref()), (Some("::1"), Some("client")));
    assert!(login.has_last_login && store.list_accounts().await.unwrap()[0].last_login.is_some());
}

pub async fn orders_wait_until_they_are_carried_out(store: &impl Backend) {
    let ada = store.create_account("Ada", String::new()).await.unwrap();
    let ban = store.ban("Ada", "rude".to_owned(), None).await.unwrap();
    let kick = store.kick("ada", "go".to_owned()).await.unwrap();
    let orders = store.orders().await.unwrap();
    let shown: Vec<_> = orders.iter().map(|order| (order.id, order.player)).collect();
    assert_eq!(shown, [(ban, ada), (kick, ada)]);
    assert!(matches!(&orders[0].action, Action::Ban(Some(ban)) if ban.reason == "rude"));
    assert_eq!(orders[1].action, Action::Kick("go".to_owned()));
    assert_eq!(store.outcome_of_order(ban).await.unwrap(), None);
    store.order_carried_out(ban, true).await.unwrap();
    assert_eq!(store.outcome_of_order(ban).await.unwrap(), Some(true));
    assert_eq!(store.orders().await.unwrap()[..], orders[1..]);
    store.unban("Ada").await.unwrap();
    assert_eq!(store.orders().await.unwrap().len(), 2);
    store.forget_orders().await.unwrap();
    assert_eq!(store.orders().await.unwrap(), []);
}

pub async fn order_about_unknown_account_is_refused(store: &impl Backend) {
    assert!(matches!(store.kick("nobody", String::new()).await, Err(AccountError::Unknown(_))));
    assert!(matches!(store.ban("nobody", String::new(), None).await, Err(AccountError::Unknown(_))));
    assert_eq!(store.orders().await.unwrap(), []);
    assert_eq!(store.outcome_of_order(7).await.unwrap(), None);
}
