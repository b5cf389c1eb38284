//! Tokens (JWT) in place of passwords: who signed them, for how long they hold, and whose they are (ops.md section 9).

mod keys;
mod own;
mod rs256;

use std::sync::Arc;

use faf_lobby_core::TokenFault;
use faf_protocol::PlayerId;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, get_current_timestamp};
use serde::Deserialize;

use crate::settings::Settings;
use keys::Keys;
pub(crate) use keys::try_keys;
pub(crate) use own::{check as check_own, mint};

/// The permission a token must carry.
const SCOPE: &str = "lobby";

/// Checks tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    keys: Keys,
    validation: Validation,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: Subject,
    scp: Scopes,
    iat: Option<f64>,
}

/// A player's number; some issuers write it as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Subject {
    Number(u32),
    Text(String),
}

/// A list, or one text with blanks between (RFC 8693 section 4.2).
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
        validation.leeway = 0;
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

    /// Reads the keys, now and from time to time.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        self.keys.keep_fresh().await;
    }

    /// Whose token this is.
    pub(crate) async fn check(&self, token: &str) -> Result<PlayerId, TokenFault> {
        if !self.keys.have_source() {
            return Err(TokenFault::NotTaken);
        }
        if !self.keys.are_known().await {
            return Err(TokenFault::NoKeys);
        }
        let header = decode_header(token).map_err(|_| TokenFault::Invalid)?;
        let key = match header.kid {
            Some(kid) => self.keys.find(&kid).await.ok_or(TokenFault::Invalid)?,
            None => return Err(TokenFault::Invalid),
        };
        let claims = decode::<Claims>(token, &key, &self.validation).map_err(|_| TokenFault::Invalid)?.claims;
        if claims.iat.is_some_and(|issued| issued.floor() > get_current_timestamp() as f64) {
            return Err(TokenFault::Invalid);
        }
        let is_permitted = match &claims.scp {
            Scopes::List(scopes) => scopes.iter().any(|scope| scope == SCOPE),
            Scopes::Text(scopes) => scopes.split_whitespace().any(|scope| scope == SCOPE),
        };
        if !is_permitted {
            return Err(TokenFault::NoPermission);
        }
        match claims.sub {
            Subject::Number(number) => Ok(PlayerId(number)),
            Subject::Text(text) => text.parse().map(PlayerId).map_err(|_| TokenFault::Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use faf_testkit::token::{JWKS, sign};
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

    #[tokio::test]
    async fn a_good_token_names_its_player() {
        let (tokens, _file) = tokens(JWKS, |_| {}).await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(PlayerId(3)));
        assert_eq!(tokens.check(&claims(|claims| claims["sub"] = json!(4))).await, Ok(PlayerId(4)));
        assert_eq!(
            tokens.check(&claims(|claims| claims["scp"] = json!("openid lobby"))).await,
            Ok(PlayerId(3))
        );
    }

    #[tokio::test]
    async fn everything_else_proves_nothing() {
        let (tokens, _file) = tokens(JWKS, |_| {}).await;
        for wrong in [
            claims(|claims| claims["exp"] = json!(1_500_000_000)),
            claims(|claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
            claims(|claims| claims["nbf"] = json!(4_000_000_000_u64)),
            claims(|claims| claims["iat"] = json!(4_000_000_000_u64)),
            claims(|claims| claims["sub"] = json!("abc")),
            claims(|claims| drop(claims.as_object_mut().unwrap().remove("scp"))),
            claims(|_| {}).replace("eyJ", "eyK"),
            claims(|_| {})[..100].to_owned(),
            format!("{}AAAA", claims(|_| {})),
            String::new(),
        ] {
            assert_eq!(tokens.check(&wrong).await, Err(TokenFault::Invalid), "{wrong}");
        }
        let other = claims(|claims| claims["scp"] = json!(["offline"]));
        assert_eq!(tokens.check(&other).await, Err(TokenFault::NoPermission));
    }

    #[tokio::test]
    async fn issuer_and_audience_can_be_demanded() {
        let (tokens, _file) = tokens(JWKS, |settings| {
            settings.token_issuer = "https://issuer.example.org".to_owned();
            settings.token_audience = "lobby".to_owned();
        })
        .await;
        let good = claims(|claims| {
            claims["iss"] = json!("https://issuer.example.org");
            claims["aud"] = json!(["lobby", "api"]);
        });
        assert_eq!(tokens.check(&good).await, Ok(PlayerId(3)));
        assert_eq!(tokens.check(&claims(|_| {})).await, Err(TokenFault::Invalid));
        let other = claims(|claims| claims["iss"] = json!("https://issuer.example.org"));
        assert_eq!(tokens.check(&other).await, Err(TokenFault::Invalid));
    }

    #[tokio::test(start_paused = true)]
    async fn new_keys_are_looked_for_but_not_all_the_time() {
        let (tokens, file) = tokens("{\"keys\": []}", |_| {}).await;
        std::fs::write(file.path(), JWKS).unwrap();
        assert_eq!(tokens.check(&claims(|_| {})).await, Err(TokenFault::NoKeys));
        tokio::time::advance(keys::LEAST_PAUSE).await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(PlayerId(3)));

        // The key gets another name, as when the issuer begins to use a new one.
        let renamed = claims(|_| {}).replace(
            "eyJhbGciOiJSUzI1NiIsImtpZCI6InRlc3QiLCJ0eXAiOiJKV1QifQ",
            "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5ldyJ9",
        );
        std::fs::write(file.path(), JWKS.replace("\"test\"", "\"new\"")).unwrap();
        tokio::time::advance(keys::LEAST_PAUSE).await;
        assert_eq!(
            tokens.check(&renamed).await,
            Err(TokenFault::Invalid),
            "the signature is of the old header"
        );
        assert_eq!(
            tokens.check(&claims(|_| {})).await,
            Err(TokenFault::Invalid),
            "the old name is not known any more"
        );
    }

    #[tokio::test]
    async fn a_server_without_source_of_keys_takes_no_tokens() {
        assert_eq!(Tokens::new(&Settings::default()).check(&claims(|_| {})).await, Err(TokenFault::NotTaken));
    }

    #[tokio::test]
    async fn without_keys_nothing_can_be_checked() {
        let (tokens, file) = tokens("{\"keys\": []}", |_| {}).await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Err(TokenFault::NoKeys));
        std::fs::write(file.path(), JWKS).unwrap();
        tokens.keys.refresh().await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(PlayerId(3)));
        std::fs::write(file.path(), "damaged").unwrap();
        tokens.keys.refresh().await;
        assert_eq!(tokens.check(&claims(|_| {})).await, Ok(PlayerId(3)));
    }
}
