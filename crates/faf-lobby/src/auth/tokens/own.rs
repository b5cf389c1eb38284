//! The server's own tokens: for clients without password logins, where no other service
//! issues tokens.
//!
//! They are JWTs with HMAC-SHA-256, whose key is stored only in the database. A token that names
//! another key is never one of them, so that no token of one kind can pass for one of the other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faf_lobby_core::TokenFault;
use faf_protocol::PlayerId;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::SCOPE;
use crate::store::{Store, StoreError};

/// Name of the key in these tokens.
const KEY_NAME: &str = "faf-lobby-own";

/// The only accepted signature algorithm.
const ALGORITHM: &str = "HS256";

/// Length of the key, in bytes.
const KEY: usize = 32;

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
}

/// Reason why no token was issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MintError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no key.
    #[error("the system provides no random numbers: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// Creates a token for an account that is valid until the given time, in Unix seconds.
pub(crate) async fn mint(
    store: &Store,
    player: PlayerId,
    login: &str,
    now: i64,
    until: i64,
) -> Result<String, MintError> {
    let mut new = vec![0; KEY];
    getrandom::fill(&mut new)?;
    let key = store.own_key_or(new).await?;
    let header = json!({"alg": ALGORITHM, "typ": "JWT", "kid": KEY_NAME});
    // Clients show the name of the account in their token.
    let claims = json!({
        "sub": player.0.to_string(), "iss": "faf-lobby", "iat": now, "exp": until, "scp": [SCOPE],
        "ext": {"username": login, "roles": []},
    });
    let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Returns the player whose token this is, or `None` if it is not one of the server's own. `now` is
/// in Unix seconds.
pub(crate) async fn check(
    store: &Store,
    token: &str,
    now: i64,
) -> Result<Option<Result<PlayerId, TokenFault>>, StoreError> {
    let Some((signed, signature)) = token.rsplit_once('.') else { return Ok(None) };
    let Some((header, claims)) = signed.split_once('.') else { return Ok(None) };
    if !read::<Header>(header)
        .is_some_and(|header| header.kid.as_deref() == Some(KEY_NAME) && header.alg == ALGORITHM)
    {
        return Ok(None);
    }
    let Some(key) = store.own_key().await? else {
        return Ok(Some(Err(invalid("this server has issued no tokens"))));
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let is_right = URL_SAFE_NO_PAD
        .decode(signature)
        .is_ok_and(|signature| hmac::verify(&key, signed.as_bytes(), &signature).is_ok());
    if !is_right {
        return Ok(Some(Err(invalid("its signature is not that of this server"))));
    }
    // Everything that is signed with this key was written here.
    let claims = read::<Claims>(claims);
    let player = claims.as_ref().and_then(|claims| claims.sub.parse().ok().map(PlayerId));
    Ok(Some(match (claims, player) {
        (Some(claims), Some(player)) if claims.exp > now => Ok(player),
        (Some(_), Some(_)) => Err(invalid("it has expired (`exp`)")),
        _ => Err(invalid("its claims cannot be read")),
    }))
}

fn invalid(reason: &str) -> TokenFault {
    TokenFault::Invalid(reason.to_owned())
}

fn read<T: for<'a> Deserialize<'a>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_own_unexpired_tokens_are_valid() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Store::open_file(&folder.path().join(name)).unwrap();
        let (store, other) = (open("a"), open("b"));
        let ada = PlayerId(7);
        let token = mint(&store, ada, "Ada", 1000, 2000).await.unwrap();
        let again = mint(&store, ada, "Ada", 1000, 2000).await.unwrap();
        assert_eq!(token, again, "the key stays");
        assert_eq!(check(&store, &token, 1999).await.unwrap(), Some(Ok(ada)));
        let refused = |checked| matches!(checked, Some(Err(TokenFault::Invalid(_))));
        assert!(refused(check(&store, &token, 2000).await.unwrap()));
        // Without a key, and with another one.
        assert!(refused(check(&other, &token, 1500).await.unwrap()));
        let theirs = mint(&other, ada, "Ada", 1000, 2000).await.unwrap();
        assert!(refused(check(&store, &theirs, 1500).await.unwrap()));
        // Somebody changes the number of the account, or leaves the signature out.
        let parts: Vec<&str> = token.split('.').collect();
        let forged = URL_SAFE_NO_PAD.encode(r#"{"sub":"8","exp":2000}"#);
        for token in [format!("{}.{forged}.{}", parts[0], parts[2]), format!("{}.{}.", parts[0], parts[1])] {
            assert!(refused(check(&store, &token, 1500).await.unwrap()));
        }
        let none = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","kid":"{KEY_NAME}"}}"#));
        for token in [format!("{none}.{}.{}", parts[1], parts[2]), "a.b".to_owned(), String::new()] {
            assert_eq!(check(&store, &token, 1500).await.unwrap(), None);
        }
    }
}
