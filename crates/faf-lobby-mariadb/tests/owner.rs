//! Ownership of the database by one server at a time.

#![allow(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

mod common;

use std::time::Duration;

use common::{Fixture, SEED, block_on, plant, put};
use faf_lobby_mariadb::{Options, Owner, OwnerError, Ownership, Share, owner};
use faf_lobby_store::{Accounts, Joins, Reason};
use faf_protocol::{GameId, PlayerId};
use faf_testkit::season::Season;

async fn take(options: &Options, limit: Duration) -> Result<Owner, OwnerError> {
    Owner::take(options, Share::Alone, limit, |_| {}).await
}

/// Waits until a server's ownership is as expected.
async fn becomes(owner: &Owner, expected: Ownership) {
    let mut ownership = owner.ownership();
    tokio::time::timeout(Duration::from_secs(30), ownership.wait_for(|now| *now == expected))
        .await
        .unwrap()
        .unwrap();
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn database_has_one_owner() {
    let (fixture, other) = (Fixture::new(146), Fixture::new(146));
    block_on(async {
        assert_eq!(owner(&fixture.options), None);
        let first = take(&fixture.options, Duration::ZERO).await.unwrap();
        assert!(owner(&fixture.options).is_some_and(|owner| owner.contains("of lobby@127.0.0.1")));
        assert_eq!(owner(&other.options), None);
        let refused = take(&fixture.options, Duration::ZERO).await.unwrap_err();
        assert!(matches!(refused, OwnerError::Taken { .. }));
        let text = refused.to_string();
        assert!(text.contains("of lobby@127.0.0.1") && text.contains("--wait-for-database"), "{text}");
        // Databases of one server are independent of each other.
        take(&other.options, Duration::ZERO).await.unwrap();

        let (tell, heard) = std::sync::mpsc::channel();
        let waiting = Owner::take(&fixture.options, Share::Alone, Duration::from_secs(60), move |holder| {
            tell.send(holder.to_owned()).unwrap();
            drop(first);
        });
        let second = waiting.await.unwrap();
        let heard: Vec<String> = heard.try_iter().collect();
        assert!(matches!(&heard[..], [holder] if holder.contains("of lobby@127.0.0.1")), "{heard:?}");
        assert_eq!(*second.ownership().borrow(), Ownership::Held);
        let away = Options { port: 1, ..fixture.options.clone() };
        assert_eq!(owner(&away), None);
        assert!(matches!(take(&away, Duration::ZERO).await, Err(OwnerError::Unavailable { .. })));
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn lock_is_taken_again_after_its_connection_was_lost() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        let owner = take(&fixture.options, Duration::ZERO).await.unwrap();
        store.write_only_as(&owner);
        let mut season = Season::default();
        let (first, second) = (season.play(1), season.play(1));
        put(&store, first.id, first.launch()).await.unwrap();
        let mut ownership = owner.ownership();
        ownership.mark_unchanged();
        kill_holder(&fixture);
        // The database itself knows at once that the lock is gone.
        let refused = put(&store, second.id, second.launch()).await;
        ownership.changed().await.unwrap();
        becomes(&owner, Ownership::Held).await;
        if let Err(error) = refused {
            assert_eq!(error.reason(), Reason::Owner, "{error}");
        }
        put(&store, second.id, second.launch()).await.unwrap();
    });
}

/// Ends the connection that owns the database.
fn kill_holder(fixture: &Fixture) {
    let name = format!("faf_lobby.{}", fixture.database.name);
    let holder = fixture.database.sql(&format!("SELECT IS_USED_LOCK('{name}')"));
    fixture.database.sql(&format!("KILL {holder}"));
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn server_that_lost_its_database_writes_nothing() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        let owner = take(&fixture.options, Duration::ZERO).await.unwrap();
        store.write_only_as(&owner);
        let mut season = Season::default();
        let game = season.play(1);
        // The other server is faster: it waits with a connection that is already there.
        let waiting = take(&fixture.options, Duration::from_secs(60));
        let taking = async {
            kill_holder(&fixture);
            tokio::time::timeout(Duration::from_secs(30), async {
                loop {
                    if *owner.ownership().borrow() != Ownership::Held {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
            .await
            .unwrap();
        };
        let (other, ()) = futures_join(waiting, taking).await;
        let other = other.unwrap();
        becomes(&owner, Ownership::Lost).await;
        let refused = put(&store, game.id, game.launch()).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Owner);
        assert!(refused.to_string().contains("has taken the database"), "{refused}");
        assert!(store.record_host(PlayerId(1), GameId(5)).await.is_err());
        assert_eq!(store.count_accounts().await.unwrap(), 2, "it may read");
        assert_eq!(fixture.database.rows("SELECT id FROM game_stats"), [""; 0]);
        // For good: what it knows is out of date.
        drop(other);
        assert!(put(&store, game.id, game.launch()).await.is_err());
        let store = fixture.open();
        store.write_only_as(&take(&fixture.options, Duration::from_secs(5)).await.unwrap());
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn cores_share_a_database_and_no_server_is_beside_them() {
    let fixture = Fixture::new(146);
    block_on(async {
        let core = async || Owner::take(&fixture.options, Share::WithCores, Duration::ZERO, |_| {}).await;
        let (first, second) = (core().await.unwrap(), core().await.unwrap());
        assert!(owner(&fixture.options).is_some());
        let refused = take(&fixture.options, Duration::ZERO).await.unwrap_err();
        assert!(
            matches!(&refused, OwnerError::Taken { holder, .. } if holder.contains("of lobby@127.0.0.1")),
            "{refused}"
        );
        // Both may write.
        let mut season = Season::default();
        plant(&fixture.open(), SEED).await;
        for owner in [&first, &second] {
            let store = fixture.open();
            store.write_only_as(owner);
            let game = season.play(1);
            put(&store, game.id, game.launch()).await.unwrap();
        }
        drop((first, second));
        let server = take(&fixture.options, Duration::from_secs(30)).await.unwrap();
        assert!(matches!(core().await, Err(OwnerError::Taken { .. })));
        drop(server);
    });
}

/// Waits for both.
async fn futures_join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    tokio::join!(a, b)
}
