//! `hello`: login with a password (session.md section 4).

use faf_protocol::client_message::Hello;
use serde::{Deserialize, Serialize};

use crate::client_text::cut;
use crate::commands::Progress;
use crate::effect::{Count, LoginMethod};
use crate::event::ConnId;
use crate::io::records::Busy;
use crate::io::request::{CheckPassword, ReplyTo};
use crate::login::{self, CREDENTIAL_LIMIT, Failure, UNIQUE_ID_LIMIT};
use crate::pending::Resume;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// What is remembered while the password is checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    unique_id: String,
    /// The name that is tried.
    login: String,
}

pub(crate) fn handle(world: &mut World, conn: ConnId, request: Hello) -> Result<Progress, Refusal> {
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
    let request = CheckPassword { login: login.clone(), password };
    let unique_id = cut(unique_id, UNIQUE_ID_LIMIT);
    world.request(conn, request, Attempt { unique_id, login })
}

impl Resume for CheckPassword {
    type Memo = Attempt;

    fn resume(
        Attempt { unique_id, login }: Attempt,
        world: &mut World,
        conn: ConnId,
        reply: ReplyTo<Self>,
    ) -> Result<Progress, Refusal> {
        // Only a wrong password counts as an attempt, not a right one and not one that was never checked.
        if !matches!(reply, Ok(Ok(None))) {
            take_attempt_back(world, conn);
        }
        match reply? {
            Ok(Some(account)) => login::accept(world, conn, LoginMethod::Password, account, unique_id),
            Ok(None) => Err(login::fail(world, conn, failure(&login, WRONG), texts::LOGIN_FAILED)),
            Err(Busy) => {
                login::note_failure(world, conn, failure(&login, "busy"));
                world.count(Count::Busy);
                Err(Refusal::AuthenticationFailed(texts::BUSY))
            }
        }
    }
}

/// The reason of most failed logins. Not even the log says which of the two is wrong.
const WRONG: &str = "wrong name or password";

fn failure<'a>(account: &'a str, reason: &'static str) -> Failure<'a> {
    Failure { method: LoginMethod::Password, account, reason, detail: "" }
}

/// Undoes the count of an attempt that has not failed.
fn take_attempt_back(world: &mut World, conn: ConnId) {
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
