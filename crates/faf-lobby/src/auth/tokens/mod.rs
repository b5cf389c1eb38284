//! Tokens (JWT) instead of passwords: their signature, their lifetime, and their player (ops.md
//! section 9).

mod keys;
mod own;
mod own_key;
mod rs256;

use std::fmt;
use std::sync::Arc;

use faf_lobby_core::TokenFault;
use faf_protocol::PlayerId;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, get_current_timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config::Settings;
use keys::Keys;
pub(crate) use keys::try_keys;
pub(crate) use own::{Checked, OwnTokenError, OwnTokens};

/// The permission a token must carry.
const SCOPE: &str = "lobby";

/// Checks tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    keys: Keys,
    validation: Validation,
}

/// Difference in seconds that the clocks of the issuer and of this machine may have, as of clocks
/// that are synchronized occasionally.
const LEEWAY: u64 = 30;

#[derive(Debug, Deserialize)]
struct Claims {
    /// A player's number; some issuers write it as a string.
    sub: Box<RawValue>,
    scp: Scopes,
    iat: Option<f64>,
}

/// A list, or one string with spaces (RFC 8693 section 4.2).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scopes {
    List(Vec<String>),
    Text(String),
}

impl Tokens {
    pub(crate) fn new(settings: &Settings) -> Self {
        rs256::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.validate_aud = !settings.token_audience.is_empty();
        if validation.validate_aud {
            validation.set_audience(&[&settings.token_audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if !settings.token_issuer.is_empty() {
            validation.set_issuer(&[&settings.token_issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        Self { keys: Keys::new(&settings.jwks), validation }
    }

    /// Reads the keys, now and periodically.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        self.keys.keep_fresh().await;
    }

    /// Returns whether tokens of other issuers can be accepted at all.
    pub(crate) fn has_issuer(&self) -> bool {
        self.keys.has_source()
    }

    /// Returns the player whose token this is, or `None` if it names a number that no account
    /// can have.
    pub(crate) async fn check(&self, token: &str) -> Result<Option<PlayerId>, TokenFault> {
        if !self.keys.has_source() {
            return Err(TokenFault::NotTaken);
        }
        if !self.keys.any_known().await {
            return Err(TokenFault::NoKeys);
        }
        let invalid = |reason: &dyn fmt::Display| TokenFault::Invalid(reason.to_string());
        let header = decode_header(token).map_err(|error| invalid(&in_words(error.kind())))?;
        // The issuer demands that servers reject the token if they do not understand these (RFC
        // 7515 section 4.1.11).
        if let Some(critical) = header.crit {
            return Err(invalid(&format_args!(
                "`crit` requires unknown extensions: {}",
                critical.join(", ")
            )));
        }
        let Some(kid) = header.kid else { return Err(invalid(&"it does not name its key (`kid`)")) };
        let Some(key) = self.keys.find(&kid).await else {
            return Err(invalid(&format_args!("there is no key called `{kid}`")));
        };
        let decoded = decode::<Claims>(token, &key, &self.validation);
        let claims = decoded.map_err(|error| invalid(&in_words(error.kind())))?.claims;
        if claims.iat.is_some_and(|issued| issued.floor() > (get_current_timestamp() + LEEWAY) as f64) {
            return Err(invalid(&"it was issued in the future (`iat`); are the clocks right?"));
        }
        let is_permitted = match &claims.scp {
            Scopes::List(scopes) => scopes.iter().any(|scope| scope == SCOPE),
            Scopes::Text(scopes) => scopes.split_whitespace().any(|scope| scope == SCOPE),
        };
        if !is_permitted {
            return Err(TokenFault::NoPermission);
        }
        player(claims.sub.get()).map_err(|()| invalid(&"`sub` is not an account number in decimal digits"))
    }
}

/// Returns the player with this number, a JSON integer or string; `None` if no account can have it.
fn player(subject: &str) -> Result<Option<PlayerId>, ()> {
    let text = subject.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(subject);
    let digits = text.strip_prefix('-').unwrap_or(text);
    match !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.parse().ok().map(PlayerId)),
        false => Err(()),
    }
}

/// Describes a problem with a token to operators.
fn in_words(error: &ErrorKind) -> String {
    match error {
        ErrorKind::InvalidToken => "it is not a JSON Web Token".to_owned(),
        ErrorKind::InvalidSignature => "its signature is not that of the key it names".to_owned(),
        ErrorKind::InvalidAlgorithm => "it is not signed with RS256".to_owned(),
        ErrorKind::ExpiredSignature => "it has expired (`exp`)".to_owned(),
        ErrorKind::ImmatureSignature => "it is not valid yet (`nbf`)".to_owned(),
        ErrorKind::InvalidIssuer => "it comes from another issuer (`iss`) than token_issuer".to_owned(),
        ErrorKind::InvalidAudience => "it is for another audience (`aud`) than token_audience".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no `{claim}`"),
        ErrorKind::InvalidClaimFormat(claim) => format!("`{claim}` has the wrong type"),
        ErrorKind::Base64(error) => format!("it is not valid Base64: {error}"),
        ErrorKind::Json(error) => format!("a member is wrong: {error}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use faf_testkit::token::{JWKS, sign, sign_with};
    use serde_json::{Value, json};

    use super::*;

    async fn tokens(jwks: &str, change: impl FnOnce(&mut Settings)) -> (Tokens, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), jwks).unwrap();
        let mut settings = Settings { jwks: file.path().to_str().unwrap().to_owned(), ..Settings::default() };
        change(&mut settings);
        let tokens = Tokens::new(&settings);
        tokens.keys.refresh().await;
        (tokens, file)
    }

    fn claims(change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({"sub": "3", "scp": ["lobby"], "exp": 4_102_444_800_u64});
        change(&mut claims);
        sign(&claims.to_string())
    }

    fn assert_invalid(checked: Result<Option<PlayerId>, TokenFault>, why: &str) {
        match checked {
            Err(TokenFault::Invalid(reason)) => assert!(reason.contains(why), "{why}: {reason}"),
            other => panic!("{why}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_good_token_names_its_player() {
        let (tokens, _file) = tokens(JWKS, |_| {}).await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(Some(PlayerId(3))));
        assert_eq!(tokens.check(&claims(|claims| claims["sub"] = json!(4))).await, Ok(Some(PlayerId(4))));
        assert_eq!(
            tokens.check(&claims(|claims| claims["scp"] = json!("openid lobby"))).await,
            Ok(Some(PlayerId(3)))
        );
    }

    #[tokio::test]
    async fn other_tokens_are_refused_and_the_log_says_why() {
        let (tokens, _file) = tokens(JWKS, |_| {}).await;
        let without = |member: &str| claims(|claims| drop(claims.as_object_mut().unwrap().remove(member)));
        let with = |member: &str, value: Value| claims(|claims| claims[member] = value);
        for (wrong, why) in [
            (with("exp", json!(1_500_000_000)), "expired"),
            (without("exp"), "it has no `exp`"),
            (with("nbf", json!(4_000_000_000_u64)), "not valid yet"),
            (with("iat", json!(4_000_000_000_u64)), "issued in the future"),
            (with("iat", json!("now")), "a member is wrong"),
            (without("scp"), "missing field `scp`"),
            (without("sub"), "missing field `sub`"),
            (claims(|_| {}).replace("eyJ", "eyK"), "a member is wrong"),
            (claims(|_| {})[..100].to_owned(), "not a JSON Web Token"),
            (format!("{}AAAA", claims(|_| {})), "signature"),
            (sign_with(&json!({"alg": "RS256"}).to_string(), "{}"), "does not name its key"),
            (
                sign_with(&json!({"alg": "RS256", "kid": "other"}).to_string(), "{}"),
                "there is no key called `other`",
            ),
            (sign_with(&json!({"alg": "HS256", "kid": "test"}).to_string(), "{}"), "not signed with RS256"),
            (sign_with(&json!({"alg": "none", "kid": "test"}).to_string(), "{}"), ""),
            (
                sign_with(&json!({"alg": "RS256", "kid": "test", "crit": ["b64", "x"]}).to_string(), "{}"),
                "`crit` requires unknown extensions: b64, x",
            ),
            (sign_with(&json!({"alg": "RS256", "kid": "test", "crit": []}).to_string(), "{}"), "crit"),
            (
                sign_with(&json!({"alg": "RS256", "kid": "test", "crit": "b64"}).to_string(), "{}"),
                "a member is wrong",
            ),
            (String::new(), "not a JSON Web Token"),
        ] {
            assert_invalid(tokens.check(&wrong).await, why);
        }
        let other = claims(|claims| claims["scp"] = json!(["offline"]));
        assert_eq!(tokens.check(&other).await, Err(TokenFault::NoPermission));
    }

    #[tokio::test]
    async fn clocks_may_differ_by_some_seconds() {
        let (tokens, _file) = tokens(JWKS, |_| {}).await;
        let now = i64::try_from(get_current_timestamp()).unwrap();
        let check = async |member: &str, seconds: i64| {
            tokens.check(&claims(|claims| claims[member] = json!(now + seconds))).await.is_ok()
        };
        for member in ["iat", "nbf"] {
            assert!(check(member, 5).await && check(member, -5).await && !check(member, 300).await);
        }
        assert!(check("exp", -5).await && !check("exp", -300).await);
    }

    #[test]
    fn players_are_named_in_decimal_digits() {
        for (subject, number) in [("3", 3), ("\"3\"", 3), ("0", 0), ("\"2147483648\"", 2_147_483_648)] {
            assert_eq!(player(subject), Ok(Some(PlayerId(number))), "{subject}");
        }
        for nobody in ["-1", "\"-1\"", "4294967296", "\"4294967296\"", "99999999999999999999999"] {
            assert_eq!(player(nobody), Ok(None), "{nobody}");
        }
        for wrong in [
            "\"+3\"", "\" 3\"", "\"\"", "-", "3.0", "\"3.0\"", "1e2", "\"0x3\"", "\"3_0\"", "null", "true",
            "[3]", "\"٣\"", "{}",
        ] {
            assert_eq!(player(wrong), Err(()), "{wrong}");
        }
    }

    #[tokio::test]
    async fn impossible_account_numbers_name_no_player() {
        let (tokens, _file) = tokens(JWKS, |_| {}).await;
        for nobody in [json!(-1), json!("-1"), json!(1_u64 << 32), json!("4294967296")] {
            assert_eq!(tokens.check(&claims(|claims| claims["sub"] = nobody)).await, Ok(None));
        }
        for wrong in [json!("abc"), json!("+3"), json!(3.5), json!(null)] {
            let fault = tokens.check(&claims(|claims| claims["sub"] = wrong)).await;
            assert!(
                matches!(&fault, Err(TokenFault::Invalid(reason)) if reason.contains("`sub`")),
                "{fault:?}"
            );
        }
    }

    #[tokio::test]
    async fn issuer_and_audience_can_be_required() {
        let (tokens, _file) = tokens(JWKS, |settings| {
            settings.token_issuer = "https://issuer.example.org".to_owned();
            settings.token_audience = "lobby".to_owned();
        })
        .await;
        let good = claims(|claims| {
            claims["iss"] = json!("https://issuer.example.org");
            claims["aud"] = json!(["lobby", "api"]);
        });
        assert_eq!(tokens.check(&good).await, Ok(Some(PlayerId(3))));
        assert_invalid(tokens.check(&claims(|_| {})).await, "it has no `");
        let other = claims(|claims| claims["iss"] = json!("https://issuer.example.org"));
        assert_invalid(tokens.check(&other).await, "`aud`");
    }

    #[tokio::test(start_paused = true)]
    async fn new_keys_are_read_but_not_all_the_time() {
        let (tokens, file) = tokens("{\"keys\": []}", |_| {}).await;
        std::fs::write(file.path(), JWKS).unwrap();
        assert_eq!(tokens.check(&claims(|_| {})).await, Err(TokenFault::NoKeys));
        tokio::time::advance(keys::LEAST_PAUSE).await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(Some(PlayerId(3))));

        // The key gets another name, as when the issuer begins to use a new one.
        let renamed = claims(|_| {}).replace(
            "eyJhbGciOiJSUzI1NiIsImtpZCI6InRlc3QiLCJ0eXAiOiJKV1QifQ",
            "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5ldyJ9",
        );
        std::fs::write(file.path(), JWKS.replace("\"test\"", "\"new\"")).unwrap();
        tokio::time::advance(keys::LEAST_PAUSE).await;
        assert_invalid(tokens.check(&renamed).await, "signature");
        assert_invalid(tokens.check(&claims(|_| {})).await, "no key called `test`");
    }

    #[tokio::test]
    async fn a_server_without_source_of_keys_accepts_no_tokens() {
        assert_eq!(Tokens::new(&Settings::default()).check(&claims(|_| {})).await, Err(TokenFault::NotTaken));
    }

    #[tokio::test]
    async fn without_keys_nothing_can_be_checked() {
        let (tokens, file) = tokens("{\"keys\": []}", |_| {}).await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Err(TokenFault::NoKeys));
        std::fs::write(file.path(), JWKS).unwrap();
        tokens.keys.refresh().await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(Some(PlayerId(3))));
        std::fs::write(file.path(), "damaged").unwrap();
        tokens.keys.refresh().await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(Some(PlayerId(3))));
    }
}
