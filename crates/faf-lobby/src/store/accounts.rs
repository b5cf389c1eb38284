//! Accounts: who may log in, and what operators do with them.

use std::net::IpAddr;

use faf_lobby_core::{Ban, Timestamp, escaped, is_allowed_in_name};
use faf_protocol::PlayerId;
use rusqlite::{OptionalExtension, Row, Transaction, named_params};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::orders::last_order;
use super::{Store, StoreError};

/// Longest name of an account, in characters.
pub(crate) const LOGIN_LIMIT: usize = 20;

/// An account that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// Its number.
    pub id: PlayerId,
    /// Its name, as it was registered.
    pub login: String,
    /// Hash of what clients send as password.
    pub password: String,
    /// The ban that ends last, in force or not.
    pub ban: Option<Ban>,
}

/// An account, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAccount {
    /// Its number.
    pub id: PlayerId,
    /// Its name.
    pub login: String,
    /// Groups it belongs to.
    pub groups: Vec<String>,
    /// The ban in force.
    pub ban: Option<Ban>,
    /// When it was last used, in Unix seconds.
    pub last_login: Option<i64>,
}

/// What an account may do beyond playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Player,
    /// What the group `faf_moderators_global` may.
    Moderator,
    /// What the group `faf_server_administrators` may.
    Administrator,
}

/// Why an account cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no account of this name.
    #[error("there is no account `{}`", escaped(.0))]
    Unknown(String),
    /// There is one already; names that differ only in case or accents are the same.
    #[error("there is an account `{}` already", escaped(.0))]
    Exists(String),
    /// The name cannot be one.
    #[error(
        "`{}` cannot be a name: 1 to {LOGIN_LIMIT} characters, without white space and characters nobody can see",
        escaped(.0)
    )]
    Name(String),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What names are compared by: without regard to case and accents, and to white space around them.
pub(super) fn login_key(login: &str) -> String {
    login
        .trim()
        .nfkd()
        .filter(|character| !is_combining_mark(*character))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether a name can be one of an account.
pub(crate) fn is_valid_login(login: &str) -> bool {
    let length = login.chars().count();
    (1..=LOGIN_LIMIT).contains(&length)
        && login.chars().all(is_allowed_in_name)
        && !login_key(login).is_empty()
}

impl Store {
    /// The account of this name, whatever its case and accents.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn account_by_login(&self, login: &str) -> Result<Option<StoredAccount>, StoreError> {
        let key = login_key(login);
        self.read(move |t| account(t, "login_key = :key", named_params! { ":key": key })).await
    }

    /// The account of this number.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn account_by_id(&self, id: PlayerId) -> Result<Option<StoredAccount>, StoreError> {
        self.read(move |t| account(t, "id = :id", named_params! { ":id": id.0 })).await
    }

    /// Notes a login.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn record_login(
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

    /// Makes an account; `password` is a hash of what clients send.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn create_account(&self, login: &str, password: String) -> Result<PlayerId, AccountError> {
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

    /// Changes the password of an account.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_password(&self, login: &str, password: String) -> Result<(), AccountError> {
        self.change(login, move |t, id| {
            t.execute("UPDATE login SET password = ?1 WHERE id = ?2", (password, id))?;
            Ok(())
        })
        .await
    }

    /// Bans an account from the lobby; without `expires_at`, in Unix seconds, forever. Returns the number of the order that a
    /// running server gets by that: see [`outcome_of_order`](Self::outcome_of_order).
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn ban(
        &self,
        login: &str,
        reason: String,
        expires_at: Option<i64>,
    ) -> Result<i64, AccountError> {
        self.change(login, move |t, id| {
            t.execute(
                "INSERT INTO ban (player_id, reason, expires_at, level) VALUES (?1, ?2, ?3, 'GLOBAL')",
                (id, reason, expires_at),
            )?;
            last_order(t, id)
        })
        .await
    }

    /// Revokes all bans of an account from the lobby that are in force; answers how many there were.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn unban(&self, login: &str) -> Result<usize, AccountError> {
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

    /// Gives an account a role, in place of the one it has.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn set_role(&self, login: &str, role: Role) -> Result<(), AccountError> {
        const ROLE_GROUPS: [&str; 2] = ["faf_moderators_global", "faf_server_administrators"];

        self.change(login, move |t, id| {
            for group in ROLE_GROUPS {
                t.execute(
                    "DELETE FROM user_group_assignment WHERE user_id = ?1
                     AND group_id = (SELECT id FROM user_group WHERE technical_name = ?2)",
                    (id, group),
                )?;
            }
            let group = match role {
                Role::Player => return Ok(()),
                Role::Moderator => ROLE_GROUPS[0],
                Role::Administrator => ROLE_GROUPS[1],
            };
            t.execute(
                "INSERT INTO user_group_assignment (user_id, group_id)
                 SELECT ?1, id FROM user_group WHERE technical_name = ?2",
                (id, group),
            )?;
            Ok(())
        })
        .await
    }

    /// All accounts, by their names.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn list_accounts(&self) -> Result<Vec<ListedAccount>, StoreError> {
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

    /// How many accounts there are.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn count_accounts(&self) -> Result<u32, StoreError> {
        self.read(|t| t.query_row("SELECT count(*) FROM login", (), |row| row.get(0))).await
    }

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

/// The ban from the lobby that ends last.
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

#[cfg(test)]
mod tests {
    use super::super::tests::new_store;
    use super::*;

    #[test]
    fn names_compare_as_players_expect() {
        for same in ["Tést", "TEST", " test  ", "tEsT"] {
            assert_eq!(login_key(same), "test");
        }
        assert_ne!(login_key("test2"), login_key("test"));
        assert_eq!(login_key("Ünïcödé"), "unicode");
    }

    #[test]
    fn names_have_bounds() {
        assert!(is_valid_login("Ada") && is_valid_login("Ünïcödé") && is_valid_login(&"x".repeat(20)));
        let unseen =
            ["A\u{200B}da", "Ada\u{3164}", "\u{202E}adA", "Ada\u{E0041}", "A\u{AD}da", "Ada\u{2800}"];
        for wrong in ["", " ", "two words", "new\nline", &"x".repeat(21), "\u{301}"].into_iter().chain(unseen)
        {
            assert!(!is_valid_login(wrong), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn accounts_are_made_found_and_changed() {
        let (store, _folder) = new_store();
        let ada = store.create_account("Ada", "hash".to_owned()).await.unwrap();
        assert!(matches!(store.create_account("ÁDA", "x".to_owned()).await, Err(AccountError::Exists(_))));
        assert!(matches!(store.create_account("A da", "x".to_owned()).await, Err(AccountError::Name(_))));
        let found = store.account_by_login(" adA").await.unwrap().unwrap();
        assert_eq!((found.id, found.login.as_str(), found.password.as_str()), (ada, "Ada", "hash"));
        store.set_password("ada", "new".to_owned()).await.unwrap();
        assert_eq!(store.account_by_id(ada).await.unwrap().unwrap().password, "new");
        assert_eq!(store.account_by_login("nobody").await.unwrap(), None);
        assert!(matches!(store.set_password("nobody", String::new()).await, Err(AccountError::Unknown(_))));
        assert_eq!(store.count_accounts().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn the_ban_that_ends_last_counts_and_can_be_revoked() {
        let (store, _folder) = new_store();
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        store.ban("Ada", "short".to_owned(), Some(100)).await.unwrap();
        store.ban("Ada", "long".to_owned(), None).await.unwrap();
        let ban = || async { store.account_by_id(ada).await.unwrap().unwrap().ban.unwrap() };
        assert_eq!(ban().await.reason, "long");
        assert_eq!(store.list_accounts().await.unwrap()[0].ban.as_ref().unwrap().reason, "long");
        assert_eq!(store.unban("Ada").await.unwrap(), 1);
        assert_eq!(store.unban("Ada").await.unwrap(), 0);
        assert_eq!(store.list_accounts().await.unwrap()[0].ban, None);
    }

    #[tokio::test]
    async fn roles_are_groups() {
        let (store, _folder) = new_store();
        store.create_account("Ada", String::new()).await.unwrap();
        let groups = || async { store.list_accounts().await.unwrap().remove(0).groups };
        store.set_role("ada", Role::Moderator).await.unwrap();
        assert_eq!(groups().await, ["faf_moderators_global"]);
        store.set_role("ada", Role::Administrator).await.unwrap();
        assert_eq!(groups().await, ["faf_server_administrators"]);
        store.set_role("ada", Role::Player).await.unwrap();
        assert_eq!(groups().await, [""; 0]);
    }

    #[tokio::test]
    async fn logins_are_noted() {
        let (store, _folder) = new_store();
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        store.record_login(ada, Some("::1".parse().unwrap()), Some("client".to_owned())).await.unwrap();
        let row: (String, String) = store
            .read(|t| {
                t.query_row("SELECT ip, user_agent FROM login", (), |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .await
            .unwrap();
        assert_eq!(row, ("::1".to_owned(), "client".to_owned()));
        assert!(store.list_accounts().await.unwrap()[0].last_login.is_some());
    }
}
