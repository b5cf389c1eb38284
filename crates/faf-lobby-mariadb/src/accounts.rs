//! Accounts: login data, and their administration by operators.
//!
//! Names are compared by the collation of `login.login`: without case, accents and trailing blanks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use faf_lobby_core::Ban;
use faf_lobby_store::{
    AccountError, Accounts, ListedAccount, Role, StoreError, StoredAccount, is_valid_login,
};
use faf_protocol::PlayerId;

use crate::MariaDb;
use crate::bans::{BAN_END, ban_at};
use crate::error::{Error, Result};
use crate::session::{Row, Session};
use crate::timings::Family;

/// Longest stored user agent, in characters; the rest is cut off.
const USER_AGENT_LIMIT: usize = 50;

/// Longest stored password, in characters.
const PASSWORD_LIMIT: usize = 77;

impl Accounts for MariaDb {
    async fn account_by_login(&self, login: &str) -> Result<Option<StoredAccount>, StoreError> {
        let login = login.trim().to_owned();
        self.read(Family::Accounts, move |s| account(s, "a.login = ?", &login)).await
    }

    async fn account_by_id(&self, id: PlayerId) -> Result<Option<StoredAccount>, StoreError> {
        self.read(Family::Accounts, move |s| account(s, "a.id = ?", id.0)).await
    }

    async fn record_login(
        &self,
        player: PlayerId,
        address: Option<IpAddr>,
        user_agent: Option<String>,
    ) -> Result<(), StoreError> {
        let ip = address.map(|address| address.to_string());
        let user_agent = user_agent.map(|text| cut(&text, USER_AGENT_LIMIT));
        self.statement(Family::Accounts, move |s| {
            let update = "UPDATE login SET ip = ?, user_agent = ?, last_login = NOW() WHERE id = ?";
            s.execute(update, (&ip, &user_agent, player.0)).map(drop)
        })
        .await
    }

    async fn create_account(&self, login: &str, password: String) -> Result<PlayerId, AccountError> {
        if !is_valid_login(login) {
            return Err(AccountError::Name(login.to_owned()));
        }
        check_password(&password)?;
        let name = login.to_owned();
        let created = self.write(Family::Accounts, move |s| {
            // Every account has an address of its own; this one can receive no mail.
            let insert = "INSERT INTO login (login, password, email)
                          VALUES (?, ?, CONCAT(UUID(), '@faf-lobby.invalid'))";
            match s.execute(insert, (&name, &password)) {
                Err(error) if error.is_duplicate() => Ok(None),
                other => other.map(|_| Some(PlayerId(s.last_id() as u32))),
            }
        });
        created.await?.ok_or_else(|| AccountError::Exists(login.to_owned()))
    }

    async fn set_password(&self, login: &str, password: String) -> Result<(), AccountError> {
        check_password(&password)?;
        self.change(Family::Accounts, login, move |s, id| {
            s.execute("UPDATE login SET password = ? WHERE id = ?", (&password, id)).map(drop)
        })
        .await
    }

    async fn set_role(&self, login: &str, role: Role) -> Result<(), AccountError> {
        self.change(Family::Accounts, login, move |s, id| {
            for group in Role::GROUPS {
                s.execute(
                    "DELETE FROM user_group_assignment WHERE user_id = ?
                     AND group_id IN (SELECT id FROM user_group WHERE technical_name = ?)",
                    (id, group),
                )?;
            }
            let Some(group) = role.group() else { return Ok(()) };
            // Nothing forbids two groups of the same name.
            let added = s.execute(
                "INSERT INTO user_group_assignment (user_id, group_id)
                 SELECT ?, MIN(id) FROM user_group WHERE technical_name = ? HAVING MIN(id) IS NOT NULL",
                (id, group),
            )?;
            match added {
                0 => Err(Error::Refused(format!("there is no group {group} in the table user_group"))),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn list_accounts(&self) -> Result<Vec<ListedAccount>, StoreError> {
        self.snapshot(Family::Accounts, |s| {
            let mut groups: BTreeMap<u32, Vec<String>> = BTreeMap::new();
            let query = "SELECT user_id, technical_name FROM user_group_assignment a
                         JOIN user_group g ON g.id = a.group_id ORDER BY technical_name";
            for (player, group) in s.select(query, (), |row| Ok((row.get(0)?, row.get(1)?)))? {
                groups.entry(player).or_default().push(group);
            }
            let query = format!(
                "SELECT reason, {BAN_END}, player_id FROM ban b
                 WHERE level = 'GLOBAL' AND {BAN_END} > UNIX_TIMESTAMP() ORDER BY 2"
            );
            // The last of a player's bans is the one that ends last.
            let bans = s.select(&query, (), |row| Ok((row.get(2)?, ban_at(row, 0)?)))?;
            let mut bans: BTreeMap<u32, Ban> = bans.into_iter().collect();
            let query = "SELECT id, login, NULLIF(UNIX_TIMESTAMP(last_login), 0) FROM login ORDER BY login";
            s.select_valid(query, (), |row| {
                let id: u32 = row.get(0)?;
                Ok(ListedAccount {
                    id: PlayerId(id),
                    login: row.get(1)?,
                    last_login: row.get(2)?,
                    groups: groups.remove(&id).unwrap_or_default(),
                    ban: bans.remove(&id),
                })
            })
        })
        .await
    }

    async fn count_accounts(&self) -> Result<u32, StoreError> {
        self.read(Family::Accounts, |s| s.one("SELECT COUNT(*) FROM login", (), |row| row.get(0))).await
    }
}

impl MariaDb {
    /// Runs a change on the account with this name.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        family: Family,
        login: &str,
        change: impl Fn(&mut Session, u32) -> Result<T> + Send + 'static,
    ) -> Result<T, AccountError> {
        let name = login.trim().to_owned();
        let changed = self.write(family, move |s| {
            let id: Option<u32> =
                s.first("SELECT id FROM login WHERE login = ?", (&name,), |row| row.get(0))?;
            id.map(|id| change(s, id)).transpose()
        });
        changed.await?.ok_or_else(|| AccountError::Unknown(login.to_owned()))
    }
}

fn account(
    s: &mut Session,
    condition: &str,
    value: impl Into<mysql::Value>,
) -> Result<Option<StoredAccount>> {
    // One statement, because every login waits for it.
    let query = format!(
        "SELECT a.id, a.login, a.password, b.reason, {BAN_END}
         FROM login a LEFT JOIN ban b ON b.player_id = a.id AND b.level = 'GLOBAL'
         WHERE {condition} ORDER BY 5 DESC LIMIT 1"
    );
    s.first(&query, (value.into(),), |row: &Row| {
        let reason: Option<String> = row.get(3)?;
        Ok(StoredAccount {
            id: PlayerId(row.get(0)?),
            login: row.get(1)?,
            password: row.get(2)?,
            ban: reason.is_some().then(|| ban_at(row, 3)).transpose()?,
        })
    })
}

fn check_password(password: &str) -> Result<(), AccountError> {
    let length = password.chars().count();
    match length > PASSWORD_LIMIT {
        true => Err(StoreError::Contradiction(format!(
            "the hash of the password has {length} characters, and the column login.password holds {PASSWORD_LIMIT}"
        ))
        .into()),
        false => Ok(()),
    }
}

/// Returns the beginning of a text, at most this many characters.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
