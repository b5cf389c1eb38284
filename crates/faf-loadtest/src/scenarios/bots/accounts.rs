//! The file with the accounts of bots.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use faf_client::Credentials;

/// Largest file with accounts, in bytes. A token has about two kilobytes.
const FILE_BYTES: u64 = 64 << 20;

/// The accounts of the bots.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AccountFile {
    /// File with an account on each line: LOGIN, a tabulator, and an OAuth access token; or the
    /// token alone
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,

    /// File with an account on each line: LOGIN, a tabulator, and the password
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
}

/// An account, and its login if it is known before the server tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Account {
    pub(super) login: Option<String>,
    pub(super) credentials: Credentials,
}

impl AccountFile {
    /// Reads all accounts.
    pub(super) fn read(&self) -> anyhow::Result<Vec<Account>> {
        let (path, parse): (_, fn(&str) -> anyhow::Result<Account>) = match (&self.tokens, &self.passwords) {
            (Some(path), _) => (path, of_token),
            (_, Some(path)) => (path, of_password),
            (None, None) => anyhow::bail!("--tokens or --passwords names the accounts"),
        };
        let accounts = read_all(&text(path)?, parse).with_context(|| path.display().to_string())?;
        ensure!(!accounts.is_empty(), "{} has no accounts", path.display());
        Ok(accounts)
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    let problem = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(problem)?.len();
    ensure!(size <= FILE_BYTES, "{} has {size} bytes; {FILE_BYTES} are allowed", path.display());
    std::fs::read_to_string(path).with_context(problem)
}

/// Reads the accounts of a file. Empty lines, and lines that begin with `#`, are left out.
fn read_all(text: &str, parse: fn(&str) -> anyhow::Result<Account>) -> anyhow::Result<Vec<Account>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut accounts = Vec::new();
    let mut logins = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        // The line itself is not shown: it holds a secret.
        let account = parse(line).with_context(|| format!("line {number}"))?;
        if let Some(login) = &account.login {
            ensure!(logins.insert(login.to_lowercase()), "line {number}: {login} is there already");
        }
        accounts.push(account);
    }
    Ok(accounts)
}

fn of_token(line: &str) -> anyhow::Result<Account> {
    let (login, token) = match line.split_once('\t') {
        Some((login, token)) => (Some(named(login)?), token),
        None => (None, line),
    };
    let token = token.trim();
    ensure!(!token.is_empty() && !token.contains(char::is_whitespace), "a token has no white space");
    Ok(Account { login, credentials: Credentials::token(token) })
}

fn of_password(line: &str) -> anyhow::Result<Account> {
    let (login, password) = line.split_once('\t').context("no tabulator between login and password")?;
    let login = named(login)?;
    ensure!(!password.is_empty(), "no password");
    Ok(Account { credentials: Credentials::password(login.clone(), password), login: Some(login) })
}

fn named(login: &str) -> anyhow::Result<String> {
    let login = login.trim();
    ensure!(!login.is_empty(), "no login");
    Ok(login.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_account() {
        let accounts = read_all("\u{feff}# mine\n\nAda\ta b\r\nBob\tpw\t2\n", of_password).unwrap();
        let known: Vec<_> = accounts.iter().map(|account| account.login.clone().unwrap()).collect();
        assert_eq!(known, ["Ada", "Bob"]);
        // Only the first tabulator separates, and blanks may be part of a password.
        assert_eq!(accounts[0].credentials, Credentials::password("Ada", "a b"));
        assert_eq!(accounts[1].credentials, Credentials::password("Bob", "pw\t2"));
        let accounts = read_all("Ada\ta.b.c\nd.e.f \n", of_token).unwrap();
        assert_eq!(accounts[0].login.as_deref(), Some("Ada"));
        assert_eq!(accounts[1], Account { login: None, credentials: Credentials::token("d.e.f") });
    }

    #[test]
    fn a_problem_names_its_line_and_no_secret() {
        for (text, parse, expected) in [
            ("x\nsecret", of_password as fn(&str) -> _, "line 1: no tabulator"),
            ("Ada\tsecret\nAda\t", of_password, "line 2: no password"),
            ("Ada\tsecret\nada\tsecret", of_password, "line 2: ada is there already"),
            ("\tsecret", of_token, "line 1: no login"),
            ("Ada secret", of_token, "line 1: a token has no white space"),
        ] {
            let error = format!("{:#}", read_all(text, parse).unwrap_err());
            assert!(error.starts_with(expected) && !error.contains("secret"), "{error}");
        }
    }
}
