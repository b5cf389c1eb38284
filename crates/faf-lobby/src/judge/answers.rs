//! Decisions of chance and of other services, taken from the recording as answers: the number of a
//! session, the country of an address, whom a password or a token belongs to, and the id of a game.

use std::time::Duration;

use faf_lobby_core::request::{CheckPassword, CheckToken};
use faf_lobby_core::{Account, Busy, ReplyTo, TokenFault, recorded_refusal};
use faf_protocol::{Country, GameId, PlayerId, SessionNumber};

use super::ahead::{Ahead, Answer};
use crate::store::{Store, StoreError, StoredAccount};

/// Time within which a login or a new game is answered.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// The outcome of a login in the recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Login {
    /// It was accepted.
    Accepted(PlayerId, String),
    /// The credentials were not accepted, with this text.
    Refused(String),
    /// The server could not check the credentials.
    Unchecked,
    /// It ended otherwise, or the recording ends before.
    Otherwise,
}

/// Returns the number of the session and the country of a connection that begins.
pub(super) fn beginning(ahead: &mut Ahead, conn: u64) -> (SessionNumber, Country) {
    let (mut session, mut country) = (None, None);
    for known in ahead.of(conn) {
        match &known.answer {
            Answer::Session(number) => _ = session.get_or_insert(*number),
            Answer::Accepted { country: of_address, .. } => _ = country.get_or_insert(*of_address),
            _ => {}
        }
    }
    (session.unwrap_or(SessionNumber(0)), country.unwrap_or_default())
}

/// Returns the result of a login that begins now.
pub(super) fn login(ahead: &mut Ahead, conn: u64, now: Duration) -> Login {
    for known in ahead.of(conn).filter(|known| !known.is_given && known.at <= now + ANSWERED_WITHIN) {
        let login = match &known.answer {
            Answer::Accepted { player, login, .. } => Login::Accepted(*player, login.clone()),
            Answer::Refused(text) => Login::Refused(text.clone()),
            Answer::Invalid => Login::Unchecked,
            Answer::EndedByNotice | Answer::Ended => Login::Otherwise,
            _ => continue,
        };
        known.is_given = true;
        return login;
    }
    Login::Otherwise
}

/// Returns the id of the game that a player hosts now.
pub(super) fn hosted(ahead: &mut Ahead, conn: u64, now: Duration) -> Option<GameId> {
    let mut requests = 0;
    for known in ahead.of(conn).filter(|known| !known.is_given && known.at <= now + ANSWERED_WITHIN) {
        match &known.answer {
            // The first one is this request itself, and the next one has its own answer.
            Answer::Hosts if requests > 0 => return None,
            Answer::Hosts => requests += 1,
            Answer::Launched(message) if message["game_type"] != "matchmaker" => {
                known.is_given = true;
                let id = message["uid"].as_u64().and_then(|id| u32::try_from(id).ok());
                return id.map(GameId);
            }
            _ => {}
        }
    }
    None
}

/// Answers the check of a password.
///
/// # Errors
/// If the database cannot be used.
pub(super) async fn password(
    store: &Store,
    login: &Login,
    request: &CheckPassword,
) -> Result<ReplyTo<CheckPassword>, StoreError> {
    Ok(Ok(match login {
        Login::Accepted(player, _) => Ok(store.account_by_id(*player).await?.map(account)),
        Login::Refused(text) if recorded_refusal::is_busy(text) => Err(Busy),
        Login::Refused(text) if recorded_refusal::is_of_credentials(text) => Ok(None),
        // The password was right, as far as anybody knows: another rule has ended the login.
        Login::Refused(_) | Login::Unchecked | Login::Otherwise => {
            Ok(store.account_by_login(&request.login).await?.map(account))
        }
    }))
}

/// Answers the check of a token. `owner` is the player whom it belonged to before, if it was
/// used before.
///
/// # Errors
/// If the database cannot be used.
pub(super) async fn token(
    store: &Store,
    login: &Login,
    owner: Option<PlayerId>,
) -> Result<ReplyTo<CheckToken>, StoreError> {
    let player = match login {
        Login::Accepted(player, _) => Some(*player),
        Login::Refused(text) => match recorded_refusal::token_fault(text) {
            Some(fault) => return Ok(Ok(fault)),
            None => owner,
        },
        Login::Unchecked => return Ok(Ok(Err(TokenFault::NoKeys))),
        Login::Otherwise => owner,
    };
    let Some(player) = player else {
        return Ok(Ok(Err(TokenFault::Invalid("the recording does not tell whose it was".to_owned()))));
    };
    Ok(Ok(Ok(store.account_by_id(player).await?.map(account))))
}

fn account(stored: StoredAccount) -> Account {
    Account { id: stored.id, login: stored.login, ban: stored.ban }
}
