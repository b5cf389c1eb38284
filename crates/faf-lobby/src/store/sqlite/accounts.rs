//! Accounts: login data, and their administration by operators.

use std::net::IpAddr;

use faf_lobby_core::{Ban, Timestamp};
use faf_lobby_store::{
    AccountError, Accounts, Bans, ListedAccount, Role, StoreError, StoredAccount, is_valid_login, login_key,
};
use faf_protocol::PlayerId;
use rusqlite::{OptionalExtension, Row, Transaction, named_params};

use super::Sqlite;
use super::orders::last_order;

impl Accounts for Sqlite {
    async fn account_by_login(&self, login: &str) -> Result<Option<StoredAccount>, StoreError> {
        let key = login_key(login);
        self.read(move |t| account(t, "login_key = :key", named_params! { ":key": key })).await
    }

    async fn account_by_id(&self, id: PlayerId) -> Result<Option<StoredAccount>, StoreError> {
        self.read(move |t| account(t, "id = :id", named_params! { ":id": id.0 })).await
    }

    async fn record_login(
        &self,
        player: PlayerId,
        address: Option<IpAddr>,
        user_agent: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(move |t| {
            let mut update = t.prepare_cached(
                "UPDATE login SET ip = :ip, user_agent = :user_agent, last_login = unixepoch() WHERE id = :id",
            )?;
            let ip = address.map(|address| address.to_string());
            update.execute(named_params! { ":ip": ip, ":user_agent": user_agent, ":id": player.0 })?;
            Ok(())
        })
        .await
    }

    async fn create_account(&self, login: &str, password: String) -> Result<PlayerId, AccountError> {
        if !is_valid_login(login) {
            return Err(AccountError::Name(login.to_owned()));
        }
        let (name, key) = (login.to_owned(), login_key(login));
        let created = self
            .write(move |t| {
                let mut insert = t.prepare_cached(
                    "INSERT INTO login (login, login_key, password) VALUES (:login, :key, :password)
                     ON CONFLICT (login_key) DO NOTHING RETURNING id",
                )?;
                let values = named_params! { ":login": name, ":key": key, ":password": password };
                insert.query_row(values, |row| row.get(0).map(PlayerId)).optional()
            })
            .await?;
        created.ok_or_else(|| AccountError::Exists(login.to_owned()))
    }

    async fn set_password(&self, login: &str, password: String) -> Result<(), AccountError> {
        self.change(login, move |t, id| {
            t.execute("UPDATE login SET password = ?1 WHERE id = ?2", (password, id))?;
            Ok(())
        })
        .await
    }

    async fn set_role(&self, login: &str, role: Role) -> Result<(), AccountError> {
        self.change(login, move |t, id| {
            for group in Role::GROUPS {
                t.execute(
                    "DELETE FROM user_group_assignment WHERE user_id = ?1
                     AND group_id = (SELECT id FROM user_group WHERE technical_name = ?2)",
                    (id, group),
                )?;
            }
            let Some(group) = role.group() else { return Ok(()) };
            t.execute(
                "INSERT INTO user_group_assignment (user_id, group_id)
                 SELECT ?1, id FROM user_group WHERE technical_name = ?2",
                (id, group),
            )?;
            Ok(())
        })
        .await
    }

    async fn list_accounts(&self) -> Result<Vec<ListedAccount>, StoreError> {
        self.read(|t| {
            let mut accounts = t.prepare("SELECT id, login, last_login FROM login ORDER BY login_key")?;
            let mut groups = t.prepare(
                "SELECT technical_name FROM user_group_assignment a JOIN user_group g ON g.id = a.group_id
                 WHERE user_id = ?1 ORDER BY technical_name",
            )?;
            let listed = accounts.query_map((), |row| {
                let id: u32 = row.get(0)?;
                Ok(ListedAccount {
                    id: PlayerId(id),
                    login: row.get(1)?,
                    last_login: row.get(2)?,
                    groups: groups.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?,
                    ban: newest_ban(t, id, "AND expires_at > unixepoch()")?,
                })
            })?;
            listed.collect()
        })
        .await
    }

    async fn count_accounts(&self) -> Result<u32, StoreError> {
        self.read(|t| t.query_row("SELECT count(*) FROM login", (), |row| row.get(0))).await
    }
}

impl Bans for Sqlite {
    async fn find_ban(&self, player: PlayerId) -> Result<Option<Ban>, StoreError> {
        self.read(move |t| newest_ban(t, player.0, "")).await
    }

    async fn ban(&self, login: &str, reason: String, expires_at: Option<i64>) -> Result<i64, AccountError> {
        self.change(login, move |t, id| {
            t.execute(
                "INSERT INTO ban (player_id, reason, expires_at, level) VALUES (?1, ?2, ?3, 'GLOBAL')",
                (id, reason, expires_at),
            )?;
            last_order(t, id)
        })
        .await
    }

    async fn unban(&self, login: &str) -> Result<usize, AccountError> {
        self.change(login, move |t, id| {
            t.execute(
                "UPDATE ban SET revoke_time = unixepoch()
                 WHERE player_id = ?1 AND level = 'GLOBAL'
                   AND coalesce(revoke_time, expires_at, unixepoch() + 1) > unixepoch()",
                [id],
            )
        })
        .await
    }
}

impl Sqlite {
    /// Runs a change on the account with this name.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        login: &str,
        change: impl FnOnce(&Transaction<'_>, u32) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AccountError> {
        let key = login_key(login);
        let changed = self.write(move |t| {
            let id = t
                .query_row("SELECT id FROM login WHERE login_key = ?1", [key], |row| row.get(0))
                .optional()?;
            id.map(|id| change(t, id)).transpose()
        });
        changed.await?.ok_or_else(|| AccountError::Unknown(login.to_owned()))
    }
}

fn account(
    t: &Transaction<'_>,
    condition: &'static str,
    values: &[(&str, &dyn rusqlite::ToSql)],
) -> rusqlite::Result<Option<StoredAccount>> {
    let mut select = t.prepare_cached(&format!("SELECT id, login, password FROM login WHERE {condition}"))?;
    let read = |row: &Row<'_>| {
        let id: u32 = row.get(0)?;
        Ok(StoredAccount {
            id: PlayerId(id),
            login: row.get(1)?,
            password: row.get(2)?,
            ban: newest_ban(t, id, "")?,
        })
    };
    select.query_row(values, read).optional()
}

/// Returns the lobby ban that ends last.
pub(super) fn newest_ban(
    t: &Transaction<'_>,
    player: u32,
    condition: &'static str,
) -> rusqlite::Result<Option<Ban>> {
    let mut select = t.prepare_cached(&format!(
        "SELECT reason, expires_at FROM lobby_ban WHERE idUser = ?1 {condition} ORDER BY expires_at DESC LIMIT 1"
    ))?;
    let read =
        |row: &Row<'_>| Ok(Ban { reason: row.get(0)?, expires_at: Timestamp::from_seconds(row.get(1)?) });
    select.query_row([player], read).optional()
}
