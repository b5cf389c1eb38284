//! Friends and foes.

use faf_lobby_core::Relation;
use faf_lobby_store::{Social, StoreError, status_of_relation};
use faf_protocol::PlayerId;

use crate::MariaDb;
use crate::error::Result;
use crate::timings::Family;

impl Social for MariaDb {
    async fn set_relation(
        &self,
        player: PlayerId,
        subject: PlayerId,
        relation: Relation,
    ) -> Result<bool, StoreError> {
        self.statement(Family::Social, move |s| {
            let insert = "INSERT INTO friends_and_foes (user_id, subject_id, status)
                          SELECT ?, id, ? FROM login WHERE id = ?
                          ON DUPLICATE KEY UPDATE status = VALUES(status)";
            Ok(s.execute(insert, (player.0, status_of_relation(relation), subject.0))? > 0)
        })
        .await
    }

    async fn end_relation(
        &self,
        player: PlayerId,
        subject: PlayerId,
        relation: Relation,
    ) -> Result<(), StoreError> {
        self.statement(Family::Social, move |s| {
            let delete = "DELETE FROM friends_and_foes WHERE user_id = ? AND subject_id = ? AND status = ?";
            s.execute(delete, (player.0, subject.0, status_of_relation(relation))).map(drop)
        })
        .await
    }
}
