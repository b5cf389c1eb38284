//! Data of a player: profile, friends and foes, avatars, permissions.

use std::collections::BTreeSet;

use faf_lobby_core::{Permission, Profile, Relation};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Avatar;

use super::{Memory, MemoryAccount};
use crate::StoreError;

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn profile(&mut self, player: PlayerId) -> Result<Profile, StoreError> {
        let empty = MemoryAccount::new(player, String::new(), String::new());
        let account = self.accounts.get(&player).unwrap_or(&empty);
        let number = |name: &str| self.data.leaderboards.get(name).map(|leaderboard| leaderboard.id);
        let mut ratings = account.ratings.clone();
        ratings.sort_by_key(|(name, _)| number(name));
        Ok(Profile {
            avatar: account.avatar.clone(),
            clan: account.clan.clone(),
            ratings,
            groups: account.groups.clone(),
            friends: account.friends.iter().copied().collect(),
            foes: account.foes.iter().copied().collect(),
            ban: account.last_ban(),
        })
    }

    pub fn set_relation(
        &mut self,
        player: PlayerId,
        subject: PlayerId,
        relation: Relation,
    ) -> Result<bool, StoreError> {
        if !self.accounts.contains_key(&subject) {
            return Ok(false);
        }
        if let Some(account) = self.accounts.get_mut(&player) {
            account.friends.remove(&subject);
            account.foes.remove(&subject);
            account.relations(relation).insert(subject);
        }
        Ok(true)
    }

    pub fn end_relation(
        &mut self,
        player: PlayerId,
        subject: PlayerId,
        relation: Relation,
    ) -> Result<(), StoreError> {
        if let Some(account) = self.accounts.get_mut(&player) {
            account.relations(relation).remove(&subject);
        }
        Ok(())
    }

    pub fn avatars(&mut self, player: PlayerId) -> Result<Vec<Avatar>, StoreError> {
        Ok(self.accounts.get(&player).map(|account| account.avatars.clone()).unwrap_or_default())
    }

    pub fn select_avatar(
        &mut self,
        player: PlayerId,
        url: Option<String>,
    ) -> Result<Option<Option<Avatar>>, StoreError> {
        let Some(account) = self.accounts.get_mut(&player) else {
            return Ok(url.is_none().then_some(None));
        };
        let granted = url.as_ref().and_then(|url| account.avatars.iter().find(|avatar| avatar.url == *url));
        if url.is_some() && granted.is_none() {
            return Ok(None);
        }
        account.avatar = granted.cloned();
        Ok(Some(account.avatar.clone()))
    }

    pub fn has_permission(&mut self, player: PlayerId, permission: Permission) -> Result<bool, StoreError> {
        let name = permission.technical_name();
        let Some(account) = self.accounts.get(&player) else { return Ok(false) };
        let of_group = |group: &String| self.groups.get(group).is_some_and(|group| group.contains(name));
        Ok(account.permissions.contains(&name) || account.groups.iter().any(of_group))
    }
}

impl MemoryAccount {
    fn relations(&mut self, relation: Relation) -> &mut BTreeSet<PlayerId> {
        match relation {
            Relation::Friend => &mut self.friends,
            Relation::Foe => &mut self.foes,
        }
    }
}
