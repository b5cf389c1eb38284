//! Friends and foes.

use faf_lobby_core::Relation;
use faf_protocol::PlayerId;

use super::{Store, StoreError};

impl Store {
    /// Makes somebody a friend or a foe, in place of the opposite; answers whether there is such a player.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn set_relation(
        &self,
        player: PlayerId,
        subject: PlayerId,
        relation: Relation,
    ) -> Result<bool, StoreError> {
        self.write(move |t| {
            let mut insert = t.prepare_cached(
                "INSERT INTO friends_and_foes (user_id, subject_id, status)
                 SELECT ?1, id, ?3 FROM login WHERE id = ?2
                 ON CONFLICT (user_id, subject_id) DO UPDATE SET status = excluded.status",
            )?;
            Ok(insert.execute((player.0, subject.0, status(relation)))? > 0)
        })
        .await
    }

    /// Ends that, if it is so.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn end_relation(
        &self,
        player: PlayerId,
        subject: PlayerId,
        relation: Relation,
    ) -> Result<(), StoreError> {
        self.write(move |t| {
            let mut delete = t.prepare_cached(
                "DELETE FROM friends_and_foes WHERE user_id = ?1 AND subject_id = ?2 AND status = ?3",
            )?;
            delete.execute((player.0, subject.0, status(relation)))?;
            Ok(())
        })
        .await
    }
}

fn status(relation: Relation) -> &'static str {
    match relation {
        Relation::Friend => "FRIEND",
        Relation::Foe => "FOE",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::new_store;
    use super::*;

    #[tokio::test]
    async fn nobody_is_friend_and_foe() {
        let (store, _folder) = new_store();
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
        store.end_relation(ada, bob, Relation::Foe).await.unwrap();
        assert_eq!(relations().await, (vec![bob], vec![]));
        store.end_relation(ada, bob, Relation::Friend).await.unwrap();
        assert_eq!(relations().await, (vec![], vec![]));
        assert!(!store.set_relation(ada, PlayerId(99), Relation::Friend).await.unwrap());
    }
}
