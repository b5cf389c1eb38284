//! `faf-lobby user`: accounts.

use std::io::{self, BufRead, IsTerminal, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgMatches, Command};
use faf_lobby_core::{Timestamp, escaped};
use serde_json::{Value, json};

use super::order::{Outcome, order_taken};
use super::{say, settings, whole, with_existing_store, with_store};
use crate::auth::passwords;
use crate::auth::tokens;
use crate::exit_code::{self, Failure};
use crate::store::{AccountError, ListedAccount, Role, Store};

/// Names of roles on the command line.
const ROLES: [(&str, Role); 3] =
    [("player", Role::Player), ("moderator", Role::Moderator), ("administrator", Role::Administrator)];

/// Longest line that is read as password, in bytes.
const PASSWORD_LIMIT: u64 = 1024;

pub(super) fn command() -> Command {
    let name = Arg::new("name").required(true).value_name("NAME").help("Name of the account");
    let password = Arg::new("password").long("password").value_name("TEXT").help(
        "Password; where it is missing, it is asked for on a terminal or read as one line from standard input",
    );
    let role = Arg::new("role").required(true).value_name("ROLE").value_parser(ROLES.map(|(name, _)| name));
    Command::new("user")
        .about("Make, list and change accounts; also while a server runs")
        .subcommand_required(true)
        .subcommand(Command::new("add").about("Make an account").arg(name.clone()).arg(password.clone()))
        .subcommand(Command::new("list").about("List all accounts").arg(
            Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print an object of JSON a line"),
        ))
        .subcommand(
            Command::new("token")
                .about("Print a token with which an account logs in, for clients without password logins")
                .arg(name.clone())
                .arg(
                    Arg::new("days")
                        .long("days")
                        .value_name("NUMBER")
                        .default_value("30")
                        .value_parser(whole::<u32>(1..=3650))
                        .help("For how long it holds"),
                ),
        )
        .subcommand(Command::new("passwd").about("Change a password").arg(name.clone()).arg(password))
        .subcommand(
            Command::new("ban")
                .about("Ban an account from the lobby, and disconnect the player")
                .arg(name.clone())
                .arg(
                    Arg::new("reason")
                        .long("reason")
                        .required(true)
                        .value_name("TEXT")
                        .help("Shown to the player"),
                )
                .arg(
                    Arg::new("days")
                        .long("days")
                        .value_name("NUMBER")
                        .value_parser(whole::<u32>(1..=100_000))
                        .help("For how long; without it forever"),
                ),
        )
        .subcommand(
            Command::new("kick")
                .about("End the connection of a player who is online")
                .arg(name.clone())
                .arg(Arg::new("reason").long("reason").value_name("TEXT").help("Shown to the player")),
        )
        .subcommand(Command::new("unban").about("Revoke all bans from the lobby").arg(name.clone()))
        .subcommand(
            Command::new("role").about("Say what an account may do beyond playing").arg(name).arg(role),
        )
}

pub(super) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let Some((command, arguments)) = arguments.subcommand() else { unreachable!("clap wants a command") };
    let text = |argument: &str| arguments.get_one::<String>(argument).cloned().unwrap_or_default();
    let name = || text("name");
    let database = settings(arguments)?.database;
    // A name may look like another one.
    let shown = || escaped(&name()).to_string();
    let done = match command {
        "add" => {
            let hash = hash_of_password(arguments)?;
            // The only command here that makes a database, too.
            let id = with_store(arguments, async |store| store.create_account(&name(), hash).await)?
                .map_err(account_failure)?;
            format!("account {} has been made, number {id}", shown())
        }
        "list" => {
            let accounts = change(arguments, async |store| Ok(store.list_accounts().await?))?;
            if arguments.get_flag("json") {
                accounts.iter().for_each(|account| say(&as_json(account)));
                return Ok(());
            }
            list(&accounts)
        }
        "token" => token(arguments, &name())?,
        "passwd" => {
            let hash = hash_of_password(arguments)?;
            change(arguments, async |store| store.set_password(&name(), hash).await)?;
            format!("account {} has a new password", shown())
        }
        "ban" => {
            let days = arguments.get_one::<u32>("days").copied();
            let expires_at = days.map(|days| now() + i64::from(days) * 24 * 60 * 60);
            let order = async |store: &Store| {
                let order = store.ban(&name(), text("reason"), expires_at).await?;
                order_taken(&database, store, order).await
            };
            let outcome = change(arguments, order)?;
            let duration = days.map_or("forever".to_owned(), |days| format!("for {days} days"));
            let consequence = match outcome {
                Outcome::Online => "and was online: the server has disconnected the player",
                Outcome::Offline => "and is not online",
                Outcome::NotTaken(_) | Outcome::NoServer => "from the next login on",
            };
            format!("account {} is banned {duration}, {consequence}{}", shown(), outcome.advice())
        }
        "kick" => {
            let order = async |store: &Store| {
                let order = store.kick(&name(), text("reason")).await?;
                order_taken(&database, store, order).await
            };
            let outcome = change(arguments, order)?;
            match outcome {
                Outcome::Online => format!("{} was online: the server has disconnected the player", shown()),
                Outcome::Offline => return Err(anyhow::anyhow!("{} is not online", shown()).into()),
                Outcome::NotTaken(_) | Outcome::NoServer => {
                    return Err(anyhow::anyhow!("nobody was disconnected{}", outcome.advice()).into());
                }
            }
        }
        "unban" => {
            let revoked = change(arguments, async |store| store.unban(&name()).await)?;
            format!("{revoked} bans of account {} have been revoked", shown())
        }
        "role" => {
            let role = text("role");
            let meant =
                ROLES.into_iter().find(|(known, _)| *known == role).map_or(Role::Player, |(_, role)| role);
            change(arguments, async |store| store.set_role(&name(), meant).await)?;
            format!("account {} is {role} from the next login on", shown())
        }
        _ => unreachable!("clap knows no other command"),
    };
    say(&done);
    Ok(())
}

fn change<T>(
    arguments: &ArgMatches,
    work: impl AsyncFnOnce(&Store) -> Result<T, AccountError>,
) -> Result<T, Failure> {
    with_existing_store(arguments, work)?.map_err(account_failure)
}

fn account_failure(error: AccountError) -> Failure {
    match error {
        AccountError::Store(error) => Failure::new(exit_code::DATABASE, error),
        other => Failure::new(exit_code::FAILURE, other),
    }
}

fn hash_of_password(arguments: &ArgMatches) -> Result<String, Failure> {
    let password = match arguments.get_one::<String>("password") {
        Some(password) => password.clone(),
        None if io::stdin().is_terminal() => ask_for_password()?,
        None => read_password(&mut io::stdin().lock())?,
    };
    if password.is_empty() {
        return Err(anyhow::anyhow!("the password is empty").into());
    }
    passwords::hash(&passwords::digest(&password)).map_err(|error| anyhow::anyhow!(error).into())
}

fn ask_for_password() -> Result<String, Failure> {
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(anyhow::Error::from);
    let password = ask("Password: ")?;
    if ask("Again: ")? != password {
        return Err(anyhow::anyhow!("these are two different passwords").into());
    }
    Ok(password)
}

fn read_password(input: &mut impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    input.take(PASSWORD_LIMIT).read_line(&mut line).map_err(anyhow::Error::from)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since_epoch.as_secs().try_into().unwrap_or(i64::MAX)
}

/// A token of the server's own.
fn token(arguments: &ArgMatches, name: &str) -> Result<String, Failure> {
    let days = arguments.get_one::<u32>("days").copied().unwrap_or(30);
    let valid_for = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
    let token = with_existing_store(arguments, async |store| mint_token(store, name, valid_for).await)??;
    Ok(token.ok_or_else(|| anyhow::anyhow!(AccountError::Unknown(name.to_owned())))?)
}

/// Makes a token that the account with this login can log in with for this long; none if there is no such account.
///
/// # Errors
/// [`Failure`] if the database cannot be used.
pub async fn mint_token(store: &Store, login: &str, valid_for: Duration) -> Result<Option<String>, Failure> {
    let database_failure = |error: anyhow::Error| Failure::new(exit_code::DATABASE, error);
    let account = store.account_by_login(login).await.map_err(|error| database_failure(error.into()))?;
    let Some(account) = account else { return Ok(None) };
    let until = now().saturating_add(i64::try_from(valid_for.as_secs()).unwrap_or(i64::MAX));
    let token = tokens::mint(store, account.id, &account.login, now(), until).await;
    token.map(Some).map_err(|error| database_failure(error.into()))
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

/// Texts are escaped here, too: this is read on terminals.
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
