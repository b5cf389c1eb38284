//! `hello`: login with a password (session.md section 4).

use faf_protocol::client_message::Hello;
use serde::{Deserialize, Serialize};

use crate::client_text::cut;
use crate::io::{Busy, CheckPassword, ConnId, Count, LoginMethod, ReplyTo};
use crate::refusal::Refusal;
use crate::sign_in::login::{self, CREDENTIAL_LIMIT, Failure, UNIQUE_ID_LIMIT};
use crate::state::{CommandResult, Lobby, Resume};
use crate::texts;

/// Memo while the password is checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    unique_id: String,
    /// The attempted name.
    login: String,
}

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: Hello) -> CommandResult {
    if !lobby.settings.allow_password_login {
        login::note_failure(lobby, conn, failure(&request.login, "password logins are off"));
        return Err(Refusal::ejected(texts::PASSWORD_LOGIN_DISABLED));
    }
    login::check_not_logged_in(lobby, conn)?;
    let Hello { login, password, unique_id } = request;
    check_address(lobby, conn, &login)?;
    if login.len().max(password.reveal().len()) > CREDENTIAL_LIMIT {
        return Err(login::fail(lobby, conn, failure(&login, WRONG), texts::LOGIN_FAILED));
    }
    // Counted before the check, so that parallel attempts are limited like successive ones.
    if let Some(address) = lobby.session(conn).address {
        lobby.failed_logins.add(address, lobby.now.elapsed);
    }
    let login = login.trim().to_owned();
    let request = CheckPassword { login: login.clone(), password };
    let unique_id = cut(unique_id, UNIQUE_ID_LIMIT);
    Ok(lobby.request(conn, request, Attempt { unique_id, login }))
}

impl Resume for CheckPassword {
    type Memo = Attempt;

    fn resume(memo: Attempt, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let Attempt { unique_id, login } = memo;
        // Only a wrong password counts as an attempt. A correct one does not, nor one that was
        // never checked.
        if !matches!(reply, Ok(Ok(None))) {
            take_attempt_back(lobby, conn);
        }
        match reply? {
            Ok(Some(account)) => login::accept(lobby, conn, LoginMethod::Password, account, unique_id),
            Ok(None) => Err(login::fail(lobby, conn, failure(&login, WRONG), texts::LOGIN_FAILED)),
            Err(Busy) => {
                login::note_failure(lobby, conn, failure(&login, "busy"));
                lobby.count(Count::Busy);
                Err(Refusal::AuthenticationFailed(texts::BUSY))
            }
        }
    }
}

/// Reason of most failed logins. Not even the log says which of the two is wrong.
const WRONG: &str = "wrong name or password";

fn failure<'a>(account: &'a str, reason: &'static str) -> Failure<'a> {
    Failure { method: LoginMethod::Password, account, reason, detail: "" }
}

/// Removes an attempt that has not failed from the count.
fn take_attempt_back(lobby: &mut Lobby, conn: ConnId) {
    if let Some(address) = lobby.session(conn).address {
        lobby.failed_logins.take_back(address, lobby.now.elapsed);
    }
}

/// Refuses an address with too many failed attempts: more connections do not help to
/// guess passwords.
fn check_address(lobby: &mut Lobby, conn: ConnId, login: &str) -> Result<(), Refusal> {
    let failed = |address| lobby.failed_logins.count(address, lobby.now.elapsed);
    match lobby.session(conn).address.map(failed) {
        Some(failed) if failed >= lobby.settings.login_attempts_per_address => {
            lobby.count(Count::LoginFailed(LoginMethod::Password));
            login::note_failure(lobby, conn, failure(login, "too many from this address"));
            Err(Refusal::ejected(texts::TOO_MANY_LOGINS_FROM_ADDRESS))
        }
        _ => Ok(()),
    }
}
