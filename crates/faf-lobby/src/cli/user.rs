//! `faf-lobby user`: accounts.

use std::io::{self, BufRead, IsTerminal, Read};
use std::time::Duration;

use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use faf_lobby_core::{Timestamp, escaped};
use serde_json::{Value, json};

use super::order::{Outcome, order_taken};
use super::{print_line, whole, with_existing_store, with_store};
use crate::auth::passwords;
use crate::auth::tokens::OwnTokens;
use crate::clock::unix_seconds;
use crate::exit_code::{self, Failure};
use crate::store::{AccountError, Database, ListedAccount, Role, Store};

/// Names of roles on the command line.
const ROLES: [(&str, Role); 3] =
    [("player", Role::Player), ("moderator", Role::Moderator), ("administrator", Role::Administrator)];

/// Longest line that is read as password, in bytes.
const PASSWORD_LIMIT: u64 = 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Commands {
    /// Create an account
    Add {
        /// Name of the account
        name: String,
        #[command(flatten)]
        password: Password,
    },
    /// List all accounts
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Print a token with which an account logs in, for clients without password logins
    Token {
        /// Name of the account
        name: String,
        /// Days until it expires
        #[arg(long, value_name = "NUMBER", default_value = "30", value_parser = whole::<u32>(1..=3650))]
        days: u32,
    },
    /// Change a password
    Passwd {
        /// Name of the account
        name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Ban an account from the lobby, and disconnect the player
    Ban {
        /// Name of the account
        name: String,
        /// Text for the player
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Duration in days; without it, the ban is permanent
        #[arg(long, value_name = "NUMBER", value_parser = whole::<u32>(1..=100_000))]
        days: Option<u32>,
    },
    /// End the connection of a player who is online
    Kick {
        /// Name of the account
        name: String,
        /// Text for the player
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Revoke all bans from the lobby
    Unban {
        /// Name of the account
        name: String,
    },
    /// Set the permissions of an account
    Role {
        /// Name of the account
        name: String,
        #[arg(value_parser = PossibleValuesParser::new(ROLES.map(|(name, _)| name)))]
        role: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Password {
    /// Password; if it is missing, the command asks for it on a terminal, or reads one line from
    /// standard input
    #[arg(long = "password", value_name = "TEXT")]
    text: Option<String>,
}

pub(super) fn run(command: Commands, database: &Database) -> Result<(), Failure> {
    // A name may look like another one.
    let shown = |name: &str| escaped(name).to_string();
    let done = match command {
        Commands::Add { name, password } => {
            let digest = password.digest()?;
            // Of these commands, only this one creates a database.
            let id = with_store(database, async |store| {
                let stored = store.stored_password(&digest).map_err(anyhow::Error::msg)?;
                Ok::<_, Failure>(store.create_account(&name, stored).await?)
            })?;
            format!("account {} was created with number {id}", shown(&name))
        }
        Commands::List { json } => {
            let accounts = with_existing_store(database, async |store| store.list_accounts().await)?;
            if json {
                accounts.iter().for_each(|account| print_line(&as_json(account)));
                return Ok(());
            }
            list(&accounts)
        }
        Commands::Token { name, days } => token(database, &name, days)?,
        Commands::Passwd { name, password } => {
            let digest = password.digest()?;
            with_existing_store(database, async |store| {
                let stored = store.stored_password(&digest).map_err(anyhow::Error::msg)?;
                Ok::<_, Failure>(store.set_password(&name, stored).await?)
            })?;
            format!("account {} has a new password", shown(&name))
        }
        Commands::Ban { name, reason, days } => {
            let expires_at = days.map(in_days);
            let outcome = with_existing_store(database, async |store| {
                let order = store.ban(&name, reason, expires_at).await?;
                order_taken(database, store, order).await
            })?;
            let duration = days.map_or("forever".to_owned(), |days| format!("for {days} days"));
            let consequence = match outcome {
                Outcome::Online => "and was online: the server has disconnected the player",
                Outcome::Offline => "and is not online",
                Outcome::NotTaken(_) | Outcome::NoServer => "from the next login on",
            };
            format!("account {} is banned {duration}, {consequence}{}", shown(&name), outcome.advice())
        }
        Commands::Kick { name, reason } => {
            let outcome = with_existing_store(database, async |store| {
                let order = store.kick(&name, reason).await?;
                order_taken(database, store, order).await
            })?;
            let name = shown(&name);
            match outcome {
                Outcome::Online => format!("{name} was online: the server has disconnected the player"),
                Outcome::Offline => return Err(anyhow!("{name} is not online").into()),
                Outcome::NotTaken(_) | Outcome::NoServer => {
                    return Err(anyhow!("nobody was disconnected{}", outcome.advice()).into());
                }
            }
        }
        Commands::Unban { name } => {
            let revoked = with_existing_store(database, async |store| store.unban(&name).await)?;
            format!("{revoked} bans of account {} have been revoked", shown(&name))
        }
        Commands::Role { name, role } => {
            let meant = ROLES.into_iter().find(|(known, _)| *known == role);
            let meant = meant.map_or(Role::Player, |(_, role)| role);
            with_existing_store(database, async |store| store.set_role(&name, meant).await)?;
            format!("account {} is {role} from the next login on", shown(&name))
        }
    };
    print_line(&done);
    Ok(())
}

impl Password {
    /// Returns the digest of the password, which the command asks for or reads if it was not given.
    fn digest(self) -> Result<String, Failure> {
        let password = match self.text {
            Some(password) => password,
            None if io::stdin().is_terminal() => ask_for_password()?,
            None => read_password(&mut io::stdin().lock())?,
        };
        if password.is_empty() {
            return Err(anyhow!("the password is empty").into());
        }
        Ok(passwords::digest(&password))
    }
}

fn ask_for_password() -> Result<String, Failure> {
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Again: ")? != password {
        return Err(anyhow!("the passwords differ").into());
    }
    Ok(password)
}

fn read_password(input: &mut impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    input.take(PASSWORD_LIMIT).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Returns the time in this many days, in Unix seconds.
fn in_days(days: u32) -> i64 {
    unix_seconds() + i64::from(days) * 24 * 60 * 60
}

/// Returns a token of the server's own.
fn token(database: &Database, name: &str, days: u32) -> Result<String, Failure> {
    let valid_for = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
    let token = with_existing_store(database, async |store| mint_token(store, name, valid_for).await)?;
    Ok(token.ok_or_else(|| AccountError::Unknown(name.to_owned()))?)
}

/// Creates a token with which the account logs in for this long; returns `None` if there is no
/// such account.
///
/// # Errors
/// [`Failure`] if the database cannot be used.
pub async fn mint_token(store: &Store, login: &str, valid_for: Duration) -> Result<Option<String>, Failure> {
    let Some(account) = store.account_by_login(login).await? else { return Ok(None) };
    let now = unix_seconds();
    let until = now.saturating_add(i64::try_from(valid_for.as_secs()).unwrap_or(i64::MAX));
    let token = OwnTokens::new(store.clone()).mint(account.id, &account.login, now, until).await;
    token.map(Some).map_err(|error| Failure::new(exit_code::DATABASE, error))
}

fn list(accounts: &[ListedAccount]) -> String {
    let mut text = format!("{:>8}  {:<20}  {:<25}  {}", "number", "name", "last login", "groups and bans");
    for account in accounts {
        let last_login =
            account.last_login.map_or("never".to_owned(), |at| Timestamp::from_seconds(at).to_string());
        let ban = account.ban.iter().map(|ban| format!("banned: {}", escaped(&ban.reason)));
        let groups = account.groups.iter().map(|group| escaped(group).to_string());
        let remarks: Vec<String> = groups.chain(ban).collect();
        let login = escaped(&account.login);
        let line = format!("\n{:>8}  {login:<20}  {last_login:<25}  {}", account.id.0, remarks.join(", "));
        text.push_str(line.trim_end_matches(' '));
    }
    text
}

/// Texts are escaped here as well: this is read on terminals.
fn as_json(account: &ListedAccount) -> Value {
    let shown = |text: &str| escaped(text).to_string();
    json!({
        "id": account.id.0,
        "login": shown(&account.login),
        "last_login": account.last_login.map(|at| Timestamp::from_seconds(at).to_string()),
        "groups": account.groups.iter().map(|group| shown(group)).collect::<Vec<_>>(),
        "ban": account.ban.as_ref().map(|ban| json!({
            "reason": shown(&ban.reason),
            "expires_at": ban.expires_at.to_string(),
        })),
    })
}
