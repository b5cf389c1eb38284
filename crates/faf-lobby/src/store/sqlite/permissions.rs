//! Permissions of administrators and moderators.

use faf_lobby_core::Permission;
use faf_lobby_store::{Permissions, StoreError};
use faf_protocol::PlayerId;

use super::Sqlite;

impl Permissions for Sqlite {
    async fn has_permission(&self, player: PlayerId, permission: Permission) -> Result<bool, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare_cached(
                "SELECT EXISTS (
                   SELECT 1 FROM user_group_assignment u
                   JOIN group_permission_assignment a ON a.group_id = u.group_id
                   JOIN group_permission p ON p.id = a.permission_id
                   WHERE u.user_id = ?1 AND p.technical_name = ?2)",
            )?;
            select.query_row((player.0, permission.technical_name()), |row| row.get(0))
        })
        .await
    }
}
