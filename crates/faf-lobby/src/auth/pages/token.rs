//! `POST /oauth2/token`: an access token for a code, or for a refresh token (RFC 6749 sections
//! 4.1.3, 5 and 6).

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faf_protocol::PlayerId;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::authorization::{LOBBY, granted};
use super::form::{Form, Repeated};
use super::{LoginPages, read_form};
use crate::clock::unix_seconds;

/// Life of an access token, in seconds. The lobby checks it when a client logs in, not afterwards.
const LIFE: i64 = 5 * 60 * 60;

/// Lengths of a verifier (RFC 7636 section 4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// Reason why there is no token.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    error: &'static str,
    description: String,
}

/// Tokens for a client.
#[derive(Debug)]
struct Issued {
    access: String,
    refresh: Option<String>,
    scope: &'static str,
}

/// Handles a request.
pub(super) async fn exchange(
    State(pages): State<Arc<LoginPages>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A charset may follow.
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let description = "the body must be application/x-www-form-urlencoded".to_owned();
        return Refused { error: "invalid_request", description }.into_response();
    }
    let form = match read_form(body).await {
        Ok(form) => form,
        Err(status) => return status.into_response(),
    };
    match grant(&pages, &form).await {
        Ok(Issued { access, refresh, scope }) => {
            let mut tokens =
                json!({"access_token": access, "token_type": "bearer", "expires_in": LIFE, "scope": scope});
            if let Some(refresh) = refresh {
                tokens["refresh_token"] = refresh.into();
            }
            Json(tokens).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

async fn grant(pages: &LoginPages, form: &Form) -> Result<Issued, Refused> {
    match form.get("grant_type")? {
        None => Err(missing("grant_type")),
        Some("authorization_code") => for_code(pages, form).await,
        Some("refresh_token") => for_refresh_token(pages, form).await,
        Some(_) => Err(Refused::new(
            "unsupported_grant_type",
            "only the grant types authorization_code and refresh_token are supported",
        )),
    }
}

async fn for_code(pages: &LoginPages, form: &Form) -> Result<Issued, Refused> {
    let required = |name| form.get(name)?.ok_or_else(|| missing(name));
    let (code, redirect) = (required("code")?, required("redirect_uri")?);
    let (client, verifier) = (required("client_id")?, required("code_verifier")?);
    // From here on, the code is used up, whatever is wrong.
    let (player, authorization, family) = pages.grants().redeem(code, pages.now()).ok_or_else(|| {
        Refused::new("invalid_grant", "the code is not known, was used before, or is older than a minute")
    })?;
    if authorization.client != client {
        return Err(Refused::new("invalid_grant", "the code was issued to another client_id"));
    }
    if authorization.redirect.as_str() != redirect {
        return Err(Refused::new("invalid_grant", "the code was issued for another redirect_uri"));
    }
    if !is_verified(verifier, &authorization.challenge) {
        return Err(Refused::new("invalid_grant", "the code_verifier does not match the code_challenge"));
    }
    let access = access_token(pages, player).await?;
    let refresh = match authorization.is_offline() {
        true => {
            pages.grants().issue_refresh_token(player, authorization.client.clone(), family, pages.now()).ok()
        }
        false => None,
    };
    let scope = granted(refresh.is_some());
    Ok(Issued { access, refresh, scope })
}

async fn for_refresh_token(pages: &LoginPages, form: &Form) -> Result<Issued, Refused> {
    let required = |name| form.get(name)?.ok_or_else(|| missing(name));
    let (token, client) = (required("refresh_token")?, required("client_id")?);
    if form.get("scope")?.is_some_and(|scope| !scope.split(' ').any(|word| word == LOBBY)) {
        return Err(Refused::new(
            "invalid_scope",
            "scope does not contain lobby, the only permission there is",
        ));
    }
    let unknown = || {
        let description = "the refresh token is not known, was used before, was issued to another client_id, or \
                           the server was restarted";
        Refused::new("invalid_grant", description)
    };
    let player = pages.grants().player_of(token, client, pages.now()).ok_or_else(unknown)?;
    // If there is no token to issue, the client can try again with the same refresh token.
    let access = access_token(pages, player).await?;
    let refresh = pages.grants().rotate(token, client, pages.now()).ok_or_else(unknown)?;
    Ok(Issued { access, refresh: Some(refresh), scope: granted(true) })
}

async fn access_token(pages: &LoginPages, player: PlayerId) -> Result<String, Refused> {
    let unavailable = || {
        Refused::new(
            "temporarily_unavailable",
            "the server cannot issue tokens right now; try again in a minute",
        )
    };
    let account = pages.requests.account(player).await.map_err(|_| unavailable())?;
    let account =
        account.ok_or_else(|| Refused::new("invalid_grant", "the account does not exist any more"))?;
    let now = unix_seconds();
    let minted = pages.requests.own_tokens.mint(account.id, &account.login, now, now + LIFE).await;
    minted.map_err(|error| {
        tracing::error!(%error, "a token cannot be issued");
        unavailable()
    })
}

/// Returns whether a verifier belongs to a challenge, by S256.
fn is_verified(verifier: &str, challenge: &str) -> bool {
    VERIFIER.contains(&verifier.len()) && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

fn missing(name: &str) -> Refused {
    Refused::new("invalid_request", &format!("{name} is missing"))
}

impl Refused {
    fn new(error: &'static str, description: &str) -> Self {
        Self { error, description: description.to_owned() }
    }
}

impl From<Repeated> for Refused {
    fn from(Repeated(name): Repeated) -> Self {
        Self::new("invalid_request", &format!("{name} is repeated"))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.error {
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({"error": self.error, "error_description": self.description}))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::super::authorization::testing::{CHALLENGE, VERIFIER, authorization};
    use super::super::grants::{CODE_LIFE, REFRESH_LIFE};
    use super::super::testing::pages;
    use super::*;

    fn form(parameters: &[(&str, &str)]) -> Form {
        Form::parse(
            form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish().as_bytes(),
        )
    }

    fn exchange(code: &str) -> Form {
        form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", "test"),
            ("redirect_uri", "http://127.0.0.1:1234/"),
            ("code_verifier", VERIFIER),
        ])
    }

    fn refresh(token: &str) -> Form {
        form(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "test")])
    }

    fn error(granted: Result<Issued, Refused>) -> &'static str {
        granted.expect_err("there is a token").error
    }

    #[tokio::test(start_paused = true)]
    async fn codes_and_refresh_tokens_expire() {
        let (pages, ada) = pages().await;
        let code = |pages: &LoginPages| pages.grants().issue_code(ada, authorization(), pages.now()).unwrap();
        let first = code(&pages);
        advance(CODE_LIFE - Duration::from_millis(1)).await;
        let issued = grant(&pages, &exchange(&first)).await.unwrap();
        assert_eq!(issued.scope, "lobby offline");
        let late = code(&pages);
        advance(CODE_LIFE).await;
        assert_eq!(error(grant(&pages, &exchange(&late)).await), "invalid_grant");
        let token = issued.refresh.unwrap();
        let next = grant(&pages, &refresh(&token)).await.unwrap().refresh.unwrap();
        assert_eq!(error(grant(&pages, &refresh(&token)).await), "invalid_grant");
        advance(REFRESH_LIFE).await;
        assert_eq!(error(grant(&pages, &refresh(&next)).await), "invalid_grant");
    }

    #[tokio::test]
    async fn an_account_that_is_gone_gets_no_token() {
        let (pages, _) = pages().await;
        let code = pages.grants().issue_code(PlayerId(999), authorization(), pages.now()).unwrap();
        assert_eq!(error(grant(&pages, &exchange(&code)).await), "invalid_grant");
    }

    #[tokio::test]
    async fn a_client_that_does_not_ask_for_it_gets_no_refresh_token() {
        let (pages, ada) = pages().await;
        let request =
            super::super::authorization::Authorization { scope: "lobby".to_owned(), ..authorization() };
        let code = pages.grants().issue_code(ada, request, pages.now()).unwrap();
        let issued = grant(&pages, &exchange(&code)).await.unwrap();
        assert_eq!((issued.refresh, issued.scope), (None, "lobby"));
    }

    #[test]
    fn a_verifier_belongs_to_one_challenge() {
        assert!(is_verified(VERIFIER, CHALLENGE));
        let changed = VERIFIER.replace('d', "e");
        for wrong in [&changed, CHALLENGE, "", &VERIFIER[1..]] {
            assert!(!is_verified(wrong, CHALLENGE), "{wrong}");
        }
        for (length, is_right) in [(42, false), (43, true), (128, true), (129, false)] {
            let verifier = "a".repeat(length);
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
            assert_eq!(is_verified(&verifier, &challenge), is_right, "{length}");
        }
    }
}
