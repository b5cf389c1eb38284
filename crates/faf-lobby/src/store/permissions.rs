//! What administrators and moderators may do.

use faf_lobby_core::Permission;
use faf_protocol::PlayerId;

use super::{Store, StoreError};

impl Store {
    /// Whether one of a player's own groups has a permission.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn has_permission(&self, player: PlayerId, permission: Permission) -> Result<bool, StoreError> {
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

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::super::tests::new_store;
    use super::*;

    #[tokio::test]
    async fn permissions_come_with_roles() {
        let (store, _folder) = new_store();
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        let has = |permission| store.has_permission(ada, permission);
        assert!(!has(Permission::KickServer).await.unwrap());
        store.set_role("Ada", Role::Moderator).await.unwrap();
        assert!(has(Permission::KickServer).await.unwrap());
        assert!(!has(Permission::BroadcastMessage).await.unwrap());
        store.set_role("Ada", Role::Administrator).await.unwrap();
        assert!(
            has(Permission::BroadcastMessage).await.unwrap() && has(Permission::JoinChannel).await.unwrap()
        );
    }
}
