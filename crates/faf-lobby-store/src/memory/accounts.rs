//! Accounts, bans and orders.

use std::net::IpAddr;

use faf_lobby_core::{Ban, Timestamp};
use faf_protocol::PlayerId;

use super::{Memory, MemoryAccount};
use crate::{
    AccountError, Action, ListedAccount, Order, Role, StoreError, StoredAccount, is_valid_login, login_key,
};

/// Time at which a permanent ban ends: 2999-12-31, in Unix seconds.
pub(super) const NEVER: i64 = 32_503_593_600;

#[derive(Debug, Clone)]
pub(super) struct StoredOrder {
    id: i64,
    player: PlayerId,
    /// Reason of a kick; `None` if a ban has changed.
    kick: Option<String>,
    was_online: Option<bool>,
}

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn account_by_login(&mut self, login: &str) -> Result<Option<StoredAccount>, StoreError> {
        Ok(self.find(login).map(MemoryAccount::stored))
    }

    pub fn account_by_id(&mut self, id: PlayerId) -> Result<Option<StoredAccount>, StoreError> {
        Ok(self.accounts.get(&id).map(MemoryAccount::stored))
    }

    pub fn record_login(
        &mut self,
        player: PlayerId,
        address: Option<IpAddr>,
        user_agent: Option<String>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        if let Some(account) = self.accounts.get_mut(&player) {
            account.ip = address.map(|address| address.to_string());
            (account.user_agent, account.last_login) = (user_agent, Some(now));
        }
        Ok(())
    }

    pub fn create_account(&mut self, login: &str, password: String) -> Result<PlayerId, AccountError> {
        if !is_valid_login(login) {
            return Err(AccountError::Name(login.to_owned()));
        }
        if self.find(login).is_some() {
            return Err(AccountError::Exists(login.to_owned()));
        }
        let id = PlayerId(self.accounts.keys().next_back().map_or(0, |last| last.0) + 1);
        self.add_account(MemoryAccount::new(id, login.to_owned(), password));
        Ok(id)
    }

    pub fn set_password(&mut self, login: &str, password: String) -> Result<(), AccountError> {
        self.known(login)?.password = password;
        Ok(())
    }

    pub fn set_role(&mut self, login: &str, role: Role) -> Result<(), AccountError> {
        let account = self.known(login)?;
        account.groups.retain(|group| !Role::GROUPS.contains(&group.as_str()));
        account.groups.extend(role.group().map(str::to_owned));
        Ok(())
    }

    pub fn list_accounts(&mut self) -> Result<Vec<ListedAccount>, StoreError> {
        let now = self.now();
        let listed = self.numbers.values().filter_map(|id| self.accounts.get(id)).map(|account| {
            let mut groups = account.groups.clone();
            groups.sort();
            ListedAccount {
                id: account.id,
                login: account.login.clone(),
                groups,
                ban: account.last_ban().filter(|ban| ban.expires_at > now),
                last_login: account.last_login.map(|at| at.0.div_euclid(1_000_000)),
            }
        });
        Ok(listed.collect())
    }

    pub fn count_accounts(&mut self) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX))
    }

    pub fn find_ban(&mut self, player: PlayerId) -> Result<Option<Ban>, StoreError> {
        Ok(self.accounts.get(&player).and_then(MemoryAccount::last_ban))
    }

    pub fn ban(&mut self, login: &str, reason: String, expires_at: Option<i64>) -> Result<i64, AccountError> {
        let expires_at = Timestamp::from_seconds(expires_at.unwrap_or(NEVER));
        let account = self.known(login)?;
        account.bans.push(Ban { reason, expires_at });
        let player = account.id;
        Ok(self.order(player, None))
    }

    pub fn unban(&mut self, login: &str) -> Result<usize, AccountError> {
        let now = Timestamp::from_seconds(self.unix_now());
        let account = self.known(login)?;
        let player = account.id;
        let in_force: Vec<&mut Ban> = account.bans.iter_mut().filter(|ban| ban.expires_at > now).collect();
        let count = in_force.len();
        for ban in in_force {
            ban.expires_at = now;
        }
        for _ in 0..count {
            self.order(player, None);
        }
        Ok(count)
    }

    pub fn kick(&mut self, login: &str, reason: String) -> Result<i64, AccountError> {
        let player = self.known(login)?.id;
        Ok(self.order(player, Some(reason)))
    }

    pub fn orders(&mut self) -> Result<Vec<Order>, StoreError> {
        let waiting = self.orders.iter().filter(|order| order.was_online.is_none()).take(100);
        let waiting: Vec<StoredOrder> = waiting.cloned().collect();
        let order = |StoredOrder { id, player, kick, .. }| {
            let action = match kick {
                Some(reason) => Action::Kick(reason),
                None => Action::Ban(self.find_ban(player)?),
            };
            Ok(Order { id, player, action })
        };
        waiting.into_iter().map(order).collect()
    }

    pub fn order_carried_out(&mut self, id: i64, was_online: bool) -> Result<(), StoreError> {
        if let Some(order) = self.orders.iter_mut().find(|order| order.id == id) {
            order.was_online = Some(was_online);
        }
        Ok(())
    }

    pub fn outcome_of_order(&mut self, id: i64) -> Result<Option<bool>, StoreError> {
        Ok(self.orders.iter().find(|order| order.id == id).and_then(|order| order.was_online))
    }

    pub fn forget_orders(&mut self) -> Result<(), StoreError> {
        self.orders.clear();
        Ok(())
    }

    pub(super) fn order(&mut self, player: PlayerId, kick: Option<String>) -> i64 {
        self.last_order += 1;
        self.orders.push(StoredOrder { id: self.last_order, player, kick, was_online: None });
        self.last_order
    }

    fn find(&self, login: &str) -> Option<&MemoryAccount> {
        self.accounts.get(self.numbers.get(&login_key(login))?)
    }

    fn known(&mut self, login: &str) -> Result<&mut MemoryAccount, AccountError> {
        let number = self.numbers.get(&login_key(login));
        let account = number.and_then(|number| self.accounts.get_mut(number));
        account.ok_or_else(|| AccountError::Unknown(login.to_owned()))
    }
}

impl MemoryAccount {
    /// Returns the ban that ends last, in force or not.
    #[must_use]
    pub fn last_ban(&self) -> Option<Ban> {
        self.bans.iter().max_by_key(|ban| ban.expires_at).cloned()
    }

    fn stored(&self) -> StoredAccount {
        let Self { id, login, password, .. } = self.clone();
        StoredAccount { id, login, password, ban: self.last_ban() }
    }
}
