//! The server's own tokens: for clients without password logins, where no other service
//! issues tokens.
//!
//! They are JWTs with RS256, as those of FAF's identity service, so that other programs can verify
//! them with the server's key set. The key is stored only in the database. A token that names
//! another key is never one of them, so that no token of one kind can pass for one of the other.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faf_lobby_core::TokenFault;
use faf_protocol::PlayerId;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::own_key::{KeyError, NAME_PREFIX, OwnKey, generate};
use super::{SCOPE, rs256};
use crate::store::{Store, StoreError};

/// The issuer of these tokens (`iss`). It is not a URL: `faf-lobby user token` knows none.
const ISSUER: &str = "faf-lobby";

/// The audience of these tokens (`aud`).
const AUDIENCE: &str = "faf-lobby";

/// Issues and checks the server's own tokens.
pub(crate) struct OwnTokens {
    store: Store,
    /// The key as it was last read, with the bytes in the database that it was read from.
    known: Mutex<Option<(Vec<u8>, Arc<OwnKey>)>>,
    /// Held while a key is generated, so that many requests at once generate one.
    generating: tokio::sync::Mutex<()>,
    validation: Validation,
}

/// The kinds of tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// One of the server's own, of this player unless it is not valid.
    Own(Result<PlayerId, TokenFault>),
    /// One of another lobby server, or one that was signed with an earlier key.
    OtherLobby,
    /// One of another issuer, or not a token at all.
    Other,
}

/// Reason why no token was issued or checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnTokenError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no usable key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
}

impl OwnTokens {
    pub(crate) fn new(store: Store) -> Self {
        rs256::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // `check` compares the time with that of its caller.
        validation.validate_exp = false;
        Self { store, known: Mutex::default(), generating: tokio::sync::Mutex::default(), validation }
    }

    /// Creates a token for an account that is valid until the given time, in Unix seconds.
    pub(crate) async fn mint(
        &self,
        player: PlayerId,
        login: &str,
        now: i64,
        until: i64,
    ) -> Result<String, OwnTokenError> {
        let key = self.key_or_new().await?;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": key.name()});
        // Clients show the name of the account in their token.
        let claims = json!({
            "iss": ISSUER, "aud": [AUDIENCE], "sub": player.0.to_string(), "iat": now, "exp": until, "scp": [SCOPE],
            "ext": {"username": login, "roles": []},
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        run(move || {
            let signature = key.sign(signed.as_bytes())?;
            Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
        })
        .await
    }

    /// Returns what a token is. `now` is in Unix seconds.
    pub(crate) async fn check(&self, token: &str, now: i64) -> Result<Checked, OwnTokenError> {
        let Some(kid) = decode_header(token).ok().and_then(|header| header.kid) else {
            return Ok(Checked::Other);
        };
        if !kid.starts_with(NAME_PREFIX) {
            return Ok(Checked::Other);
        }
        let Some(key) = self.key().await?.filter(|key| key.name() == kid) else {
            return Ok(Checked::OtherLobby);
        };
        let decoded = decode::<Claims>(token, &key.verifying(), &self.validation);
        Ok(Checked::Own(match decoded {
            Err(error) => Err(TokenFault::Invalid(super::in_words(error.kind()))),
            Ok(decoded) if decoded.claims.exp <= now => {
                Err(TokenFault::Invalid("it has expired (`exp`)".to_owned()))
            }
            Ok(decoded) => {
                let subject = decoded.claims.sub.parse().map(PlayerId);
                subject.map_err(|_| TokenFault::Invalid("`sub` is not the number of an account".to_owned()))
            }
        }))
    }

    /// Returns the key set with which others verify these tokens, and creates the key if there is
    /// none yet.
    pub(crate) async fn jwks(&self) -> Result<Value, OwnTokenError> {
        Ok(json!({"keys": [self.key_or_new().await?.jwk()]}))
    }

    /// Creates the key if there is none, so that the first token does not wait for it.
    pub(crate) async fn prepare(&self) -> Result<(), OwnTokenError> {
        self.key_or_new().await.map(|_| ())
    }

    /// Returns the key in the database, if there is one. Operators may remove it at any time.
    async fn key(&self) -> Result<Option<Arc<OwnKey>>, OwnTokenError> {
        match self.store.own_key().await? {
            Some(bytes) => Ok(Some(self.read(bytes)?)),
            None => Ok(None),
        }
    }

    async fn key_or_new(&self) -> Result<Arc<OwnKey>, OwnTokenError> {
        let _guard = self.generating.lock().await;
        if let Some(key) = self.key().await? {
            return Ok(key);
        }
        let new = run(generate).await?;
        // Another program may have been faster; then its key is returned.
        Ok(self.read(self.store.own_key_or(new).await?)?)
    }

    fn read(&self, bytes: Vec<u8>) -> Result<Arc<OwnKey>, KeyError> {
        // No code that holds the lock leaves it half changed.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.as_ref().filter(|(read, _)| *read == bytes) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(OwnKey::read(&bytes)?);
        *known = Some((bytes, Arc::clone(&key)));
        Ok(key)
    }
}

impl fmt::Debug for OwnTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnTokens").finish_non_exhaustive()
    }
}

/// Runs long computations on a thread without other work.
async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, OwnTokenError> {
    let done = spawn_blocking(work).await;
    Ok(done.map_err(|error| KeyError::Generation(error.to_string()))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: PlayerId = PlayerId(7);

    fn own_tokens() -> OwnTokens {
        OwnTokens::new(Store::in_memory())
    }

    fn is_refused(checked: &Checked, why: &str) -> bool {
        matches!(checked, Checked::Own(Err(TokenFault::Invalid(reason))) if reason.contains(why))
    }

    #[tokio::test]
    async fn only_own_unexpired_tokens_are_valid() {
        let (tokens, other) = (own_tokens(), own_tokens());
        let token = tokens.mint(ADA, "Ada", 1000, 2000).await.unwrap();
        let again = tokens.mint(ADA, "Ada", 1000, 2000).await.unwrap();
        assert_eq!(token, again, "the key stays");
        assert_eq!(tokens.check(&token, 1999).await.unwrap(), Checked::Own(Ok(ADA)));
        assert!(is_refused(&tokens.check(&token, 2000).await.unwrap(), "expired"));
        // Without a key, and with another one.
        assert_eq!(other.check(&token, 1500).await.unwrap(), Checked::OtherLobby);
        let theirs = other.mint(ADA, "Ada", 1000, 2000).await.unwrap();
        assert_eq!(tokens.check(&theirs, 1500).await.unwrap(), Checked::OtherLobby);
        // Somebody changes the number of the account, or leaves the signature out.
        let parts: Vec<&str> = token.split('.').collect();
        let forged = URL_SAFE_NO_PAD
            .encode(r#"{"iss":"faf-lobby","aud":"faf-lobby","sub":"8","exp":2000,"scp":["lobby"]}"#);
        for token in [format!("{}.{forged}.{}", parts[0], parts[2]), format!("{}.{}.", parts[0], parts[1])] {
            assert!(is_refused(&tokens.check(&token, 1500).await.unwrap(), "signature"), "{token}");
        }
        // A token without signature, or with another kind of it, is not valid.
        let name = tokens.key().await.unwrap().unwrap().name().to_owned();
        for algorithm in ["none", "HS256", "PS256"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","kid":"{name}"}}"#));
            let checked = tokens.check(&format!("{header}.{}.{}", parts[1], parts[2]), 1500).await.unwrap();
            assert!(!matches!(checked, Checked::Own(Ok(_))), "{algorithm}");
        }
        for other in ["a.b", "", "a.b.c"] {
            assert_eq!(tokens.check(other, 1500).await.unwrap(), Checked::Other);
        }
    }

    #[tokio::test]
    async fn tokens_have_the_claims_of_fafs_and_name_a_key_of_the_key_set() {
        let tokens = own_tokens();
        let token = tokens.mint(ADA, "Ada", 1000, 2000).await.unwrap();
        let part = |number: usize| -> Value {
            let part = token.split('.').nth(number).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let claims = json!({
            "iss": "faf-lobby", "aud": ["faf-lobby"], "sub": "7", "iat": 1000, "exp": 2000, "scp": ["lobby"],
            "ext": {"username": "Ada", "roles": []},
        });
        assert_eq!(part(1), claims);
        let keys = tokens.jwks().await.unwrap();
        assert_eq!(part(0), json!({"alg": "RS256", "typ": "JWT", "kid": keys["keys"][0]["kid"]}));
        let (n, e) = (keys["keys"][0]["n"].as_str().unwrap(), keys["keys"][0]["e"].as_str().unwrap());
        let key = jsonwebtoken::DecodingKey::from_rsa_components(n, e).unwrap();
        decode::<Claims>(&token, &key, &tokens.validation).unwrap();
        // Nothing of the private key is in it.
        let members: Vec<_> = keys["keys"][0].as_object().unwrap().keys().collect();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    }

    #[tokio::test]
    async fn a_removed_key_revokes_all_tokens() {
        let tokens = own_tokens();
        let token = tokens.mint(ADA, "Ada", 1000, 2000).await.unwrap();
        let without_key = OwnTokens { store: Store::in_memory(), ..tokens };
        assert_eq!(without_key.check(&token, 1500).await.unwrap(), Checked::OtherLobby);
        let new = without_key.mint(ADA, "Ada", 1000, 2000).await.unwrap();
        assert_ne!(token, new);
        assert_eq!(without_key.check(&token, 1500).await.unwrap(), Checked::OtherLobby);
    }

    #[tokio::test]
    async fn many_first_tokens_share_one_key() {
        let tokens = Arc::new(own_tokens());
        let mut minting = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let tokens = Arc::clone(&tokens);
            minting.spawn(async move { tokens.mint(ADA, "Ada", 1000, 2000).await.unwrap() });
        }
        let mut minted = minting.join_all().await;
        minted.dedup();
        assert_eq!(minted.len(), 1);
    }

    #[tokio::test]
    async fn an_unusable_key_is_reported_and_not_replaced() {
        let tokens = own_tokens();
        tokens.store.own_key_or(vec![7; 32]).await.unwrap();
        let error = tokens.mint(ADA, "Ada", 1000, 2000).await.unwrap_err();
        assert!(error.to_string().contains("own_key"), "{error}");
        assert_eq!(tokens.store.own_key().await.unwrap(), Some(vec![7; 32]));
    }
}
