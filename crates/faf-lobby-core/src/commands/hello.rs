//! `hello`: login with a password (session.md section 4).

use faf_protocol::client_message::Hello;
use serde::{Deserialize, Serialize};

use crate::client_text::cut;
use crate::commands::{Continuation, Progress};
use crate::effect::{Count, LoginMethod, Question};
use crate::event::{Account, ConnId};
use crate::login::{self, CREDENTIAL_LIMIT, Failure, UNIQUE_ID_LIMIT};
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// What is remembered while the password is checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Checked {
    unique_id: String,
    /// The name that is tried.
    login: String,
}

pub(crate) fn carry_out(world: &mut World, conn: ConnId, request: Hello) -> Result<Progress, Refusal> {
    if !world.settings.allow_password_login {
        login::note_failure(world, conn, failure(&request.login, "password logins are off"));
        return Err(Refusal::turned_out(texts::PASSWORD_LOGIN_DISABLED));
    }
    login::check_not_logged_in(world, conn)?;
    let Hello { login, password, unique_id } = request;
    check_address(world, conn, &login)?;
    if login.len().max(password.reveal().len()) > CREDENTIAL_LIMIT {
        return Err(login::fail(world, conn, failure(&login, WRONG), texts::LOGIN_FAILED));
    }
    // Counted from now on, so that many attempts at once are not more than one after the other.
    if let Some(address) = world.session(conn).address {
        world.failed_logins.add(address, world.now.elapsed);
    }
    let login = login.trim().to_owned();
    let question = Question::CheckPassword { login: login.clone(), password };
    let unique_id = cut(unique_id, UNIQUE_ID_LIMIT);
    world.ask(conn, question, Continuation::CheckedPassword(Checked { unique_id, login }))
}

pub(crate) fn go_on(
    world: &mut World,
    conn: ConnId,
    Checked { unique_id, login }: Checked,
    account: Option<Account>,
) -> Result<Progress, Refusal> {
    match account {
        Some(account) => {
            take_attempt_back(world, conn);
            login::accept(world, conn, LoginMethod::Password, account, unique_id)
        }
        None => Err(login::fail(world, conn, failure(&login, WRONG), texts::LOGIN_FAILED)),
    }
}

/// Too many passwords are being checked for one more.
pub(crate) fn too_busy(world: &mut World, conn: ConnId, state: &Checked) {
    take_attempt_back(world, conn);
    login::note_failure(world, conn, failure(&state.login, "busy"));
}

/// The reason of most failed logins. Not even the log says which of the two is wrong.
const WRONG: &str = "wrong name or password";

fn failure<'a>(account: &'a str, reason: &'static str) -> Failure<'a> {
    Failure { method: LoginMethod::Password, account, reason, detail: "" }
}

/// Nobody has found out whether the password is right.
pub(crate) fn take_attempt_back(world: &mut World, conn: ConnId) {
    if let Some(address) = world.session(conn).address {
        world.failed_logins.take_back(address, world.now.elapsed);
    }
}

/// Whoever guesses passwords gets nowhere with more connections.
fn check_address(world: &mut World, conn: ConnId, login: &str) -> Result<(), Refusal> {
    let failed = |address| world.failed_logins.count(address, world.now.elapsed);
    match world.session(conn).address.map(failed) {
        Some(failed) if failed >= world.settings.login_attempts_per_address => {
            world.count(Count::LoginFailed(LoginMethod::Password));
            login::note_failure(world, conn, failure(login, "too many from this address"));
            Err(Refusal::turned_out(texts::TOO_MANY_LOGINS_FROM_ADDRESS))
        }
        _ => Ok(()),
    }
}
