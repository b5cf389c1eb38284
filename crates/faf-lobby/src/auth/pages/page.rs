//! The login page for people: HTML without scripts and external resources.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};

use super::authorization::Authorization;
use crate::ops::http::hash_of;

const PAGE: &str = include_str!("login.html");

/// The hash with which a policy allows the style of the page.
static STYLE: LazyLock<String> = LazyLock::new(|| hash_of(PAGE, "style"));

/// Reason why a login did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// The form is too old, or not one of this server, or the browser refuses cookies.
    Expired,
    Incomplete,
    Wrong,
    TooMany,
    Busy,
}

impl Problem {
    fn status(self) -> StatusCode {
        match self {
            Self::Expired | Self::Wrong => StatusCode::FORBIDDEN,
            Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Expired => {
                "This page was open for too long, or your browser refuses cookies. Please try again."
            }
            Self::Incomplete => "Please enter your name and your password.",
            Self::Wrong => "The name or the password is wrong. Passwords are case-sensitive.",
            Self::TooMany => {
                "Too many wrong passwords came from your address. Please try again in ten minutes."
            }
            Self::Busy => "The server cannot check passwords right now. Please try again in a minute.",
        }
    }
}

/// The parts of a login page that do not come from the client's request.
#[derive(Debug, Default)]
pub(super) struct Shown<'a> {
    /// Proves that the form comes from this page.
    pub(super) proof: &'a str,
    /// The name that was entered before.
    pub(super) login: &'a str,
    pub(super) problem: Option<Problem>,
    /// Whether a new name creates an account.
    pub(super) registers: bool,
}

/// Returns the page that asks for name and password.
pub(super) fn login(authorization: &Authorization, shown: &Shown<'_>) -> Response {
    let Shown { proof, login, problem, registers } = *shown;
    let Authorization { client, redirect, state, scope, challenge } = authorization;
    let alert = problem.map_or_else(String::new, |problem| {
        format!(r#"<p class="problem" id="problem" role="alert">{}</p>"#, escape(problem.text()))
    });
    let state = state.as_deref().map_or_else(String::new, |state| hidden("state", state));
    let hidden = [
        hidden("response_type", "code"),
        hidden("client_id", client),
        hidden("redirect_uri", redirect.as_str()),
        state,
        hidden("scope", scope),
        hidden("code_challenge", challenge),
        hidden("code_challenge_method", "S256"),
        hidden("form", proof),
    ];
    // After an error, the next thing to type is the password.
    let [name_focus, password_focus] = if login.is_empty() { ["autofocus", ""] } else { ["", "autofocus"] };
    let registration = match registers {
        true => r#"<p class="quiet small">A new name creates an account with this password.</p>"#,
        false => "",
    };
    let described = if problem.is_some() { r#"aria-describedby="problem""# } else { "" };
    let content = format!(
        r#"<h1>Log in</h1>
<p class="quiet">to use this lobby with the client that opened this page.</p>
{alert}
<form method="post" action="/oauth2/auth">
{}
<label for="login">Name</label>
<input id="login" name="login" value="{}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="100" required {described} {name_focus}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1000" required {described} {password_focus}>
{registration}
<button>Log in</button>
</form>
<p class="quiet small">Your browser then returns to <b>{}</b>, where the client calls itself <b>{}</b>. If you did not start a
client, close this page.</p>"#,
        hidden.concat(),
        escape(login),
        escape(redirect.shown()),
        escape(client),
    );
    let status = problem.map_or(StatusCode::OK, Problem::status);
    respond(status, "Log in", &content, &format!("'self' {}", redirect.for_policy()))
}

/// Returns a page with an error that the client cannot be told.
pub(super) fn error(problem: &str) -> Response {
    let content = format!(
        r#"<h1>The client's request is not valid</h1>
<p class="problem" id="problem" role="alert">{}</p>
<p class="quiet">You cannot log in with it. This is a problem of the client that opened this page, or of the link that you
followed.</p>"#,
        escape(problem)
    );
    respond(StatusCode::BAD_REQUEST, "Request not valid", &content, "'none'")
}

fn respond(status: StatusCode, title: &str, content: &str, form_action: &str) -> Response {
    let policy = format!(
        "default-src 'none'; style-src '{}'; img-src data:; form-action {form_action}; base-uri 'none'; \
         frame-ancestors 'none'",
        *STYLE
    );
    let headers: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, &policy),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    // The title is ours, and the content comes last, so nothing in it is taken for a placeholder.
    let page = PAGE.replacen("{title}", title, 1).replacen("{content}", content, 1);
    (status, headers, page).into_response()
}

fn hidden(name: &str, value: &str) -> String {
    format!(r#"<input type="hidden" name="{name}" value="{}">"#, escape(value))
}

/// Returns a text as it is written in HTML, in an element or in the value of an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::super::authorization::testing::authorization;
    use super::*;

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn texts_of_clients_are_not_html() {
        let hostile = r#""><script>alert('1')</script>&{content}{title}"#;
        let request = Authorization {
            client: hostile.to_owned(),
            state: Some(hostile.to_owned()),
            scope: hostile.to_owned(),
            ..authorization()
        };
        let shown = Shown { login: hostile, problem: Some(Problem::Wrong), ..Shown::default() };
        let page = text(login(&request, &shown)).await;
        assert!(!page.contains("<script") && !page.contains("'1'"), "{page}");
        let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;{content}{title}";
        assert_eq!(page.matches(escaped).count(), 5, "client twice, state, scope, name: {page}");
        assert!(!text(error(hostile)).await.contains("<script"));
    }

    #[test]
    fn the_policy_allows_the_style_and_the_way_back_only() {
        let response = login(&authorization(), &Shown::default());
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("form-action 'self' http://127.0.0.1:1234;"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()[X_FRAME_OPTIONS], "DENY");
        let policy = error("x").headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.contains("form-action 'none'"), "{policy}");
        for wrong in ["style=", "<script", "http:", "https:"] {
            assert!(!PAGE.replace("http://www.w3.org/2000/svg", "").contains(wrong), "{wrong}");
        }
        assert_eq!(PAGE.matches("{content}").count(), 1);
    }
}
