//! `/oauth2/auth`: the login page, and the form that it sends.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::authorization::{Authorization, Redirect, Refusal};
use super::form::Form;
use super::page::{self, Problem, Shown};
use super::{LoginPages, PeerAddress, read_form};
use crate::auth::passwords;

/// The cookie that belongs to a form.
const COOKIE_NAME: &str = "faf-lobby-login";

/// Life of the cookie, in seconds: how long the page may stay open.
const COOKIE_LIFE: u32 = 30 * 60;

/// Length of the random part of the cookie, in bytes.
const COOKIE_LENGTH: usize = 16;

/// Handles `GET /oauth2/auth`: shows the page.
pub(super) async fn page(
    State(pages): State<Arc<LoginPages>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match Authorization::read(&Form::parse(query.unwrap_or_default().as_bytes())) {
        Ok(authorization) => show(&pages, &headers, &authorization, "", None),
        Err(refusal) => refuse(refusal),
    }
}

/// Handles `POST /oauth2/auth`: checks name and password, and returns to the client with a code.
pub(super) async fn log_in(
    State(pages): State<Arc<LoginPages>>,
    Extension(peer): Extension<PeerAddress>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let form = match read_form(body).await {
        Ok(form) => form,
        Err(status) => return status.into_response(),
    };
    let authorization = match Authorization::read(&form) {
        Ok(authorization) => authorization,
        Err(refusal) => return refuse(refusal),
    };
    let value = |name| form.get(name).ok().flatten().unwrap_or_default();
    let (login, password) = (value("login").trim(), value("password"));
    let problem = match check(&pages, &headers, peer, value("form"), login, password).await {
        Ok(player) => {
            let (redirect, state) = (authorization.redirect.clone(), authorization.state.clone());
            return match pages.grants().issue_code(player, authorization, pages.now()) {
                Ok(code) => return_to(&redirect, &[("code", &code)], state.as_deref()),
                Err(_) => {
                    let description = "too many players log in at the same time";
                    let error = [("error", "temporarily_unavailable"), ("error_description", description)];
                    return_to(&redirect, &error, state.as_deref())
                }
            };
        }
        Err(problem) => problem,
    };
    show(&pages, &headers, &authorization, login, Some(problem))
}

/// Returns the player with this name and password.
async fn check(
    pages: &LoginPages,
    headers: &HeaderMap,
    peer: PeerAddress,
    proof: &str,
    login: &str,
    password: &str,
) -> Result<faf_protocol::PlayerId, Problem> {
    // Browsers say which site a request comes from; other clients need not.
    let is_elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin");
    if is_elsewhere || !cookie(headers).is_some_and(|cookie| is_proof(pages, cookie, proof)) {
        return Err(Problem::Expired);
    }
    if login.is_empty() || password.is_empty() {
        return Err(Problem::Incomplete);
    }
    let address = pages.address(peer, headers);
    if !pages.begin_attempt(address) {
        pages.tell_failed(address, login, "too many from this address");
        return Err(Problem::TooMany);
    }
    let checked = pages.requests.log_in(login, passwords::digest(password)).await;
    // Only a wrong password counts as an attempt.
    if !matches!(checked, Ok(Ok(None))) {
        pages.take_attempt_back(address);
    }
    match checked {
        Ok(Ok(Some(account))) => Ok(account.id),
        Ok(Ok(None)) => {
            pages.tell_failed(address, login, "wrong name or password");
            Err(Problem::Wrong)
        }
        Ok(Err(_)) => {
            pages.tell_failed(address, login, "busy");
            Err(Problem::Busy)
        }
        Err(_) => Err(Problem::Busy),
    }
}

/// Shows the page, with a cookie that the next request must have.
fn show(
    pages: &LoginPages,
    headers: &HeaderMap,
    authorization: &Authorization,
    login: &str,
    problem: Option<Problem>,
) -> Response {
    // A second page in the same browser leaves the first one valid.
    let known = cookie(headers).map(str::to_owned);
    let Some(cookie) = known.or_else(new_cookie) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let proof = URL_SAFE_NO_PAD.encode(hmac::sign(&pages.form_key, cookie.as_bytes()));
    let registers = pages.requests.registers;
    let mut response = page::login(authorization, &Shown { proof: &proof, login, problem, registers });
    let cookie = format!(
        "{COOKIE_NAME}={cookie}; Path=/oauth2/auth; Max-Age={COOKIE_LIFE}; HttpOnly; SameSite=Strict"
    );
    if let Ok(cookie) = cookie.parse() {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Page(problem) => page::error(&problem),
        Refusal::Redirect { redirect, error, description, state } => {
            let parameters = [("error", error), ("error_description", &description)];
            return_to(&redirect, &parameters, state.as_deref())
        }
    }
}

/// Sends the browser to the client.
fn return_to(redirect: &Redirect, parameters: &[(&str, &str)], state: Option<&str>) -> Response {
    let state = state.map(|state| ("state", state));
    let parameters: Vec<_> = parameters.iter().copied().chain(state).collect();
    (StatusCode::SEE_OTHER, [(LOCATION, redirect.with(&parameters))]).into_response()
}

fn new_cookie() -> Option<String> {
    let mut random = [0; COOKIE_LENGTH];
    getrandom::fill(&mut random).ok()?;
    Some(URL_SAFE_NO_PAD.encode(random))
}

/// Returns the cookie of the page, if it can be one.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut cookies =
        all.flat_map(|header| header.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let (_, value) = cookies.find(|(name, _)| *name == COOKIE_NAME)?;
    let is_valid = URL_SAFE_NO_PAD.decode(value).is_ok_and(|bytes| bytes.len() == COOKIE_LENGTH);
    is_valid.then_some(value)
}

/// Returns whether a form was made by this server for this cookie.
fn is_proof(pages: &LoginPages, cookie: &str, proof: &str) -> bool {
    let proof = URL_SAFE_NO_PAD.decode(proof);
    proof.is_ok_and(|proof| hmac::verify(&pages.form_key, cookie.as_bytes(), &proof).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_cookies_are_left_alone() {
        let of = |header: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, header.parse().unwrap());
            cookie(&headers).map(str::to_owned)
        };
        let valid = new_cookie().unwrap();
        assert_eq!(of(&format!("a=b; {COOKIE_NAME}={valid}; c")), Some(valid.clone()));
        for wrong in [format!("x{COOKIE_NAME}={valid}"), format!("{COOKIE_NAME}={valid}A"), String::new()] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }
}
