//! Friends and foes.

use faf_lobby_core::Relation;
use faf_lobby_store::{Social, StoreError, status_of_relation};
use faf_protocol::PlayerId;

use super::Sqlite;

impl Social for Sqlite {
    async fn set_relation(
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
            Ok(insert.execute((player.0, subject.0, status_of_relation(relation)))? > 0)
        })
        .await
    }

    async fn end_relation(
        &self,
        player: PlayerId,
        subject: PlayerId,
        relation: Relation,
    ) -> Result<(), StoreError> {
        self.write(move |t| {
            let mut delete = t.prepare_cached(
                "DELETE FROM friends_and_foes WHERE user_id = ?1 AND subject_id = ?2 AND status = ?3",
            )?;
            delete.execute((player.0, subject.0, status_of_relation(relation)))?;
            Ok(())
        })
        .await
    }
}
