//! Permissions of administrators and moderators.

use faf_lobby_core::Permission;
use faf_lobby_store::{Permissions, StoreError};
use faf_protocol::PlayerId;

use crate::MariaDb;
use crate::error::Result;
use crate::timings::Family;

impl Permissions for MariaDb {
    async fn has_permission(&self, player: PlayerId, permission: Permission) -> Result<bool, StoreError> {
        self.read(Family::Permissions, move |s| {
            let query = "SELECT EXISTS (
                           SELECT 1 FROM user_group_assignment u
                           JOIN group_permission_assignment a ON a.group_id = u.group_id
                           JOIN group_permission p ON p.id = a.permission_id
                           WHERE u.user_id = ? AND p.technical_name = ?)";
            s.one(query, (player.0, permission.technical_name()), |row| row.get(0))
        })
        .await
    }
}
