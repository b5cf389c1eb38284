//! The request with which a client opens the login page (RFC 6749 section 4.1.1, RFC 7636).

use axum::http::Uri;
use axum::http::uri::Authority;

use super::form::{Form, Repeated};

/// The permission that a client needs.
pub(super) const LOBBY: &str = "lobby";

/// The permissions that stand for a refresh token: that of FAF's clients, and that of OpenID.
const OFFLINE: [&str; 2] = ["offline", "offline_access"];

/// Longest name of a client, address to return to, state, and list of permissions, in bytes.
const CLIENT_LIMIT: usize = 128;
const REDIRECT_LIMIT: usize = 512;
const STATE_LIMIT: usize = 1024;
const SCOPE_LIMIT: usize = 1024;

/// Length of a challenge: a SHA-256 digest in Base64.
const CHALLENGE: usize = 43;

/// A valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    /// The name by which the client calls itself. Clients need not be registered, since the server
    /// returns only to programs on the user's own machine.
    pub(super) client: String,
    pub(super) redirect: Redirect,
    pub(super) state: Option<String>,
    /// The permissions, as the client wrote them.
    pub(super) scope: String,
    pub(super) challenge: String,
}

/// The reason a request is not valid.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody can be told but the user: nothing says that the address belongs to the client.
    Page(String),
    /// The client is told.
    Redirect { redirect: Redirect, error: &'static str, description: String, state: Option<String> },
}

impl Authorization {
    /// Reads the parameters of a request.
    pub(super) fn read(form: &Form) -> Result<Self, Refusal> {
        // Until these two are known to be valid, nothing is sent anywhere.
        let page = |problem: &str| Refusal::Page(problem.to_owned());
        let once = |name| form.get(name).map_err(|Repeated(name)| page(&format!("It repeats {name}.")));
        let redirect = once("redirect_uri")?.ok_or_else(|| page("It has no redirect_uri."))?;
        let redirect = Redirect::read(redirect).map_err(|problem| Refusal::Page(problem.to_owned()))?;
        let client = once("client_id")?.ok_or_else(|| page("It has no client_id."))?;
        if client.len() > CLIENT_LIMIT || !client.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
            return Err(page("Its client_id is not up to 128 printable ASCII characters."));
        }
        let state = once("state")?;
        if state.is_some_and(|state| state.len() > STATE_LIMIT) {
            return Err(page("Its state is longer than 1024 bytes."));
        }
        let state = state.map(str::to_owned);
        match read_rest(form) {
            Ok((scope, challenge)) => {
                Ok(Self { client: client.to_owned(), redirect, state, scope, challenge })
            }
            Err((error, description)) => Err(Refusal::Redirect { redirect, error, description, state }),
        }
    }

    /// Returns whether the client wants a refresh token.
    pub(super) fn is_offline(&self) -> bool {
        self.scope.split(' ').any(|word| OFFLINE.contains(&word))
    }
}

/// Returns the permissions of a client, which may have asked for more.
pub(super) fn granted(is_offline: bool) -> &'static str {
    if is_offline { "lobby offline" } else { LOBBY }
}

/// Reads the permissions and the challenge; returns the error and its description for the client.
fn read_rest(form: &Form) -> Result<(String, String), (&'static str, String)> {
    let invalid = |problem: &str| ("invalid_request", problem.to_owned());
    let once = |name| form.get(name).map_err(|Repeated(name)| invalid(&format!("{name} is repeated")));
    match once("response_type")? {
        Some("code") => {}
        None => return Err(invalid("response_type is missing")),
        Some(_) => {
            return Err(("unsupported_response_type", "only the response_type code is supported".into()));
        }
    }
    let scope = once("scope")?.unwrap_or(LOBBY);
    if scope.len() > SCOPE_LIMIT || !scope.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
        return Err(("invalid_scope", "scope is not up to 1024 printable ASCII characters".into()));
    }
    if !scope.split(' ').any(|word| word == LOBBY) {
        return Err(("invalid_scope", "scope does not contain lobby, the only permission there is".into()));
    }
    // The method that applies if none is given, plain, is not supported.
    let method = once("code_challenge_method")?;
    match once("code_challenge")? {
        None => Err(invalid("code_challenge is missing: this server requires PKCE (RFC 7636)")),
        Some(_) if method != Some("S256") => Err(invalid("code_challenge_method is not S256")),
        Some(challenge) if is_challenge(challenge) => Ok((scope.to_owned(), challenge.to_owned())),
        Some(_) => Err(invalid("code_challenge is not a SHA-256 digest in Base64 for URLs")),
    }
}

fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// An address at which a program on the user's own machine listens (RFC 8252 section 7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    text: String,
    authority: Authority,
}

impl Redirect {
    fn read(text: &str) -> Result<Self, &'static str> {
        let problem =
            "Its redirect_uri is not an address on this machine, such as http://127.0.0.1:53124/callback.";
        // The library refuses spaces, control characters and user names with odd characters, but
        // drops fragments.
        if text.len() > REDIRECT_LIMIT || text.contains(['#', '\\', '@', '<', '>', '"', '\'']) {
            return Err(problem);
        }
        let uri: Uri = text.parse().map_err(|_| problem)?;
        let Some(authority) = uri.authority().filter(|_| uri.scheme_str() == Some("http")) else {
            return Err(problem);
        };
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let is_port =
            port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
        match is_loopback(authority.host()) && is_port {
            true => Ok(Self { text: text.to_owned(), authority: authority.clone() }),
            false => Err(problem),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the address with these parameters added.
    pub(super) fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let separator = if self.text.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.text, query.finish())
    }

    /// Returns the target that a policy must allow for a form that leads to this address. Policies
    /// cannot name an IPv6 address, so all of `http:` is allowed then.
    pub(super) fn for_policy(&self) -> String {
        match self.authority.host().starts_with('[') {
            true => "http:".to_owned(),
            false => format!("http://{}", self.authority),
        }
    }

    /// Returns host and port, for people.
    pub(super) fn shown(&self) -> &str {
        self.authority.as_str()
    }
}

/// Returns whether a host of a URL is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The example of RFC 7636 appendix B.
    pub(in super::super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    pub(in super::super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    pub(in super::super) fn authorization() -> Authorization {
        Authorization {
            client: "test".to_owned(),
            redirect: Redirect::read("http://127.0.0.1:1234/").unwrap(),
            state: Some("a state".to_owned()),
            scope: "openid offline lobby".to_owned(),
            challenge: CHALLENGE.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{CHALLENGE, authorization};
    use super::*;

    /// Returns a valid request with one parameter changed, or left out.
    fn request(name: &str, value: Option<&str>) -> Result<Authorization, Refusal> {
        let valid = [
            ("response_type", "code"),
            ("client_id", "test"),
            ("redirect_uri", "http://127.0.0.1:1234/"),
            ("state", "a state"),
            ("scope", "openid offline lobby"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(valid.iter().filter(|(known, _)| *known != name));
        form.extend_pairs(value.map(|value| (name, value)));
        Authorization::read(&Form::parse(form.finish().as_bytes()))
    }

    #[test]
    fn valid_requests_are_read() {
        assert_eq!(request("", None), Ok(authorization()));
        assert!(authorization().is_offline());
        let without_scope = request("scope", None).unwrap();
        assert_eq!((without_scope.scope.as_str(), without_scope.is_offline()), ("lobby", false));
        assert_eq!(request("state", None).unwrap().state, None);
    }

    #[test]
    fn only_this_machine_is_an_address_to_return_to() {
        for right in [
            "http://127.0.0.1",
            "http://127.0.0.1:1/",
            "http://localhost:5/callback?a=b",
            "http://[::1]:65535/x",
            "http://127.1.2.3/",
        ] {
            assert_eq!(request("redirect_uri", Some(right)).unwrap().redirect.as_str(), right);
        }
        let long = format!("http://127.0.0.1/{}", "a".repeat(REDIRECT_LIMIT));
        for wrong in [
            "https://example.org/",
            "http://example.org/",
            "http://10.0.0.1/",
            "https://127.0.0.1/",
            "http://127.0.0.1@example.org/",
            "http://example.org#@127.0.0.1/",
            "http://127.0.0.1\\@example.org/",
            "http://127.0.0.1.example.org/",
            "http://localhost.example.org/",
            "http://127.0.0.1/#a",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:/",
            "http://127.0.0.1:x/",
            "http://127.0.0.1/\r\nSet-Cookie: a=b",
            "javascript:alert(1)",
            "/callback",
            "127.0.0.1",
            "urn:ietf:wg:oauth:2.0:oob",
            &long,
        ] {
            let refused = request("redirect_uri", Some(wrong));
            assert!(matches!(refused, Err(Refusal::Page(_))), "{wrong}: {refused:?}");
        }
        assert!(matches!(request("redirect_uri", None), Err(Refusal::Page(_))));
    }

    #[test]
    fn users_are_told_of_requests_without_a_trusted_address() {
        let long = "a".repeat(2000);
        for (name, value) in [
            ("client_id", None),
            ("client_id", Some("a\nb")),
            ("client_id", Some(&*long)),
            ("state", Some(&*long)),
        ] {
            assert!(matches!(request(name, value), Err(Refusal::Page(_))), "{name}");
        }
        for repeated in ["redirect_uri", "client_id", "state"] {
            let form = format!("redirect_uri=http://localhost&client_id=a&state=b&{repeated}=c");
            let refused = Authorization::read(&Form::parse(form.as_bytes()));
            assert!(matches!(refused, Err(Refusal::Page(_))), "{repeated}");
        }
    }

    #[test]
    fn clients_are_told_of_all_other_problems() {
        let long = format!("lobby {}", "a".repeat(2000));
        for (name, value, expected) in [
            ("response_type", None, "invalid_request"),
            ("response_type", Some("token"), "unsupported_response_type"),
            ("scope", Some("openid"), "invalid_scope"),
            ("scope", Some("lobbyist"), "invalid_scope"),
            ("scope", Some("lobby\n"), "invalid_scope"),
            ("scope", Some(&*long), "invalid_scope"),
            ("code_challenge", None, "invalid_request"),
            ("code_challenge", Some("short"), "invalid_request"),
            ("code_challenge", Some("!9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), "invalid_request"),
            ("code_challenge_method", None, "invalid_request"),
            ("code_challenge_method", Some("plain"), "invalid_request"),
        ] {
            match request(name, value) {
                Err(Refusal::Redirect { error, state, .. }) => {
                    assert_eq!((error, state.as_deref()), (expected, Some("a state")), "{name} {value:?}");
                }
                other => panic!("{name} {value:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn parameters_are_added_to_the_address() {
        let with =
            |address: &str| Redirect::read(address).unwrap().with(&[("code", "1.a"), ("state", "a &#\r\n")]);
        assert_eq!(with("http://127.0.0.1:5/"), "http://127.0.0.1:5/?code=1.a&state=a+%26%23%0D%0A");
        assert_eq!(with("http://[::1]/x?a=b"), "http://[::1]/x?a=b&code=1.a&state=a+%26%23%0D%0A");
        let policy = |address: &str| Redirect::read(address).unwrap().for_policy();
        assert_eq!(policy("http://127.0.0.1:5/x"), "http://127.0.0.1:5");
        assert_eq!(policy("http://[::1]:5/x"), "http:");
    }
}
