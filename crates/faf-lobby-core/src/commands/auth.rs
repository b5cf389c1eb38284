//! `auth`: login with a token (session.md section 5).

use faf_protocol::client_message::Auth;
use serde::{Deserialize, Serialize};

use crate::client_text::{cut, quoted};
use crate::io::{CheckToken, ConnId, LoginMethod, ReplyTo, TokenFault};
use crate::refusal::Refusal;
use crate::sign_in::login::{self, Failure, TOKEN_LIMIT, UNIQUE_ID_LIMIT};
use crate::state::{CommandResult, Lobby, Resume};
use crate::texts;

/// Memo while the token is checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    unique_id: String,
}

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: Auth) -> CommandResult {
    login::check_not_logged_in(lobby, conn)?;
    let Auth { token, unique_id } = request;
    if token.reveal().len() > TOKEN_LIMIT {
        return Err(login::fail(lobby, conn, failure("token too long", ""), texts::TOKEN_INVALID));
    }
    let unique_id = cut(unique_id, UNIQUE_ID_LIMIT);
    Ok(lobby.request(conn, CheckToken { token }, Attempt { unique_id }))
}

impl Resume for CheckToken {
    type Memo = Attempt;

    fn resume(memo: Attempt, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let Attempt { unique_id } = memo;
        let mut detail = String::new();
        let (text, reason) = match reply? {
            Ok(Some(account)) => return login::accept(lobby, conn, LoginMethod::Token, account, unique_id),
            Ok(None) => (texts::TOKEN_UNKNOWN_PLAYER, "token of no account"),
            Err(TokenFault::Invalid(why)) => {
                // The client learns no more than from the original; the operator gets the detail.
                detail = quoted(why);
                (texts::TOKEN_INVALID, "token not valid")
            }
            Err(TokenFault::NotTaken) => (texts::TOKEN_NOT_TAKEN, "tokens not taken"),
            Err(TokenFault::NoPermission) => (texts::TOKEN_NO_PERMISSION, "token without permission"),
            // The client did nothing wrong, so this does not count as an attempt.
            Err(TokenFault::NoKeys) => {
                login::note_failure(lobby, conn, failure("no keys to check tokens with", ""));
                return Err(Refusal::AuthenticationFailed(texts::TOKEN_NO_KEYS));
            }
        };
        Err(login::fail(lobby, conn, failure(reason, &detail), text))
    }
}

fn failure<'a>(reason: &'static str, detail: &'a str) -> Failure<'a> {
    Failure { method: LoginMethod::Token, account: "", reason, detail }
}
