//! Resources that a client requests with its access token, and the keys that verify such tokens.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use faf_lobby_core::{Account, TokenFault};
use serde_json::json;

use super::{LoginPages, host};

/// Handles `GET /.well-known/jwks.json`: the public keys, for programs that verify tokens.
pub(super) async fn jwks(State(pages): State<Arc<LoginPages>>) -> Response {
    match pages.requests.own_tokens.jwks().await {
        Ok(keys) => Json(keys).into_response(),
        Err(error) => {
            tracing::error!(%error, "there is no key for tokens");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Handles `GET /lobby/access`: the URL of the lobby, which clients ask for before every
/// connection (ops.md section 3.2).
pub(super) async fn access(State(pages): State<Arc<LoginPages>>, headers: HeaderMap) -> Response {
    if let Err(refused) = account(&pages, &headers).await {
        return refused;
    }
    match access_url(&pages, &headers) {
        Some(url) => Json(json!({"accessUrl": url})).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Handles `GET /me`: the account, in the form that FAF's API has (JSON:API), for clients that ask
/// who has logged in.
pub(super) async fn me(State(pages): State<Arc<LoginPages>>, headers: HeaderMap) -> Response {
    let account = match account(&pages, &headers).await {
        Ok(account) => account,
        Err(refused) => return refused,
    };
    let me = json!({"data": {"type": "me", "id": "me", "attributes": {
        "userId": account.id.0, "userName": account.login, "email": "", "clan": null, "groups": [],
        "permissions": ["ROLE_USER"],
    }}});
    ([(CONTENT_TYPE, "application/vnd.api+json")], me.to_string()).into_response()
}

/// Returns the account whose token a request has (RFC 6750).
async fn account(pages: &LoginPages, headers: &HeaderMap) -> Result<Account, Response> {
    let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()).unwrap_or_default();
    let Some((_, token)) = header.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"))
    else {
        // A request that does not try to authenticate is told no error.
        return Err((StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response());
    };
    match pages.requests.account_of_token(token.trim()).await {
        Ok(Ok(Some(account))) => Ok(account),
        Ok(Ok(None)) => Err(refused("invalid_token", "the token is that of no account")),
        Ok(Err(TokenFault::NoPermission)) => {
            Err(refused("insufficient_scope", "the token lacks the scope lobby"))
        }
        Ok(Err(TokenFault::NoKeys)) | Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Ok(Err(TokenFault::Invalid(_) | TokenFault::NotTaken)) => {
            Err(refused("invalid_token", "the token is not valid here, or has expired"))
        }
    }
}

fn refused(error: &str, description: &str) -> Response {
    let status = match error {
        "insufficient_scope" => StatusCode::FORBIDDEN,
        _ => StatusCode::UNAUTHORIZED,
    };
    let header = format!(r#"Bearer error="{error}", error_description="{description}""#);
    let body = Json(json!({"error": error, "error_description": description}));
    (status, [(WWW_AUTHENTICATE, header)], body).into_response()
}

/// Returns the URL of the lobby for a client that has reached the pages with this request.
fn access_url(pages: &LoginPages, headers: &HeaderMap) -> Option<String> {
    if !pages.access_url.is_empty() {
        return Some(pages.access_url.clone());
    }
    let (listener, path) = pages.websocket.as_ref()?;
    // A listener on one address has only that; one on all has the one that the client came by.
    let (address, port) = (listener.ip(), listener.port());
    let host = match address {
        address if address.is_unspecified() => host(headers)?.host().to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    Some(format!("ws://{host}:{port}{path}"))
}
