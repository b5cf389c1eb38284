//! The keys that sign tokens: a JSON Web Key Set (RFC 7517), from a file or over HTTP.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use faf_lobby_core::escaped;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// Time between two reads of the keys; issuers announce new keys hours before they use them.
const KEYS_REFRESH: Duration = Duration::from_secs(600);

/// Least time between two reads when there are no keys or a token names an unknown one: anybody can
/// name unknown keys.
pub(super) const LEAST_PAUSE: Duration = Duration::from_secs(5);

/// Time limit for the issuer's response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Size of keys that `rs256.rs` accepts, in bits.
const KEY_BITS: RangeInclusive<usize> = 2048..=8192;

/// Largest key set that is read, in bytes; real ones have a few thousand.
const SIZE_LIMIT: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Keys {
    source: Source,
    known: RwLock<HashMap<String, DecodingKey>>,
    last_read: Mutex<Option<Instant>>,
    /// Warnings about unusable keys that were logged, so that they are not logged again at
    /// every read.
    logged: RwLock<Vec<String>>,
}

#[derive(Debug, Clone)]
enum Source {
    Nowhere,
    File(PathBuf),
    Url(String),
}

#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    pub(super) fn new(source: &str) -> Self {
        let source = match source {
            "" => Source::Nowhere,
            url if url.starts_with("http://") || url.starts_with("https://") => Source::Url(url.to_owned()),
            path => Source::File(path.into()),
        };
        Self { source, known: RwLock::default(), last_read: Mutex::default(), logged: RwLock::default() }
    }

    /// Returns whether a source of keys is configured.
    pub(super) fn has_source(&self) -> bool {
        !matches!(self.source, Source::Nowhere)
    }

    /// Returns whether any keys are known, now or after another attempt to read them.
    pub(super) async fn any_known(&self) -> bool {
        if self.count() == 0 {
            self.refresh_if_due().await;
        }
        self.count() > 0
    }

    /// Returns the key with this name.
    pub(super) async fn find(&self, kid: &str) -> Option<DecodingKey> {
        if let Some(key) = self.find_known(kid) {
            return Some(key);
        }
        self.refresh_if_due().await;
        self.find_known(kid)
    }

    /// Reads the keys, now and periodically.
    pub(super) async fn keep_fresh(&self) {
        if !self.has_source() {
            return;
        }
        loop {
            self.refresh().await;
            sleep(KEYS_REFRESH).await;
        }
    }

    /// Reads the keys again; the known ones stay if that fails.
    pub(super) async fn refresh(&self) {
        self.read(&mut *self.last_read.lock().await).await;
    }

    async fn refresh_if_due(&self) {
        let mut last_read = self.last_read.lock().await;
        if last_read.is_none_or(|last| last.elapsed() >= LEAST_PAUSE) {
            self.read(&mut last_read).await;
        }
    }

    async fn read(&self, last_read: &mut Option<Instant>) {
        let source = self.source.clone();
        let fetched = tokio::task::spawn_blocking(move || fetch(&source)).await;
        // The pause begins when the issuer has responded or timed out, so that requests that waited
        // do not ask again.
        *last_read = Some(Instant::now());
        let text = match fetched {
            Ok(Ok(Some(text))) => text,
            Ok(Ok(None)) | Err(_) => return,
            Ok(Err(error)) => {
                return tracing::warn!(%error, "keys for tokens cannot be read; the known ones stay");
            }
        };
        match parse(&text) {
            Ok(Parsed { keys, useless }) => {
                tracing::debug!(keys = keys.len(), "keys for tokens have been read");
                self.warn_about(useless);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
            }
            Err(error) => tracing::warn!(%error, "keys for tokens are invalid; the known ones stay"),
        }
    }

    fn warn_about(&self, useless: Vec<String>) {
        let mut logged = self.logged.write().unwrap_or_else(PoisonError::into_inner);
        for key in useless.iter().filter(|key| !logged.contains(key)) {
            tracing::warn!("{key}, and no token that names it is accepted");
        }
        *logged = useless;
    }

    fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn find_known(&self, kid: &str) -> Option<DecodingKey> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }
}

/// Returns the number of usable keys that the source has now, and the problems with the others.
pub(crate) fn try_keys(source: &str) -> Result<(usize, Vec<String>), String> {
    let text = fetch(&Keys::new(source).source).map_err(|error| error.to_string())?.unwrap_or_default();
    parse(&text).map(|parsed| (parsed.keys.len(), parsed.useless)).map_err(|error| error.to_string())
}

fn fetch(source: &Source) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
    match source {
        Source::Nowhere => Ok(None),
        Source::File(path) => {
            let size = std::fs::metadata(path)?.len();
            if size > SIZE_LIMIT {
                return Err(format!("{size} bytes, but only {SIZE_LIMIT} are allowed").into());
            }
            Ok(Some(std::fs::read_to_string(path)?))
        }
        Source::Url(url) => {
            let agent: ureq::Agent =
                ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
            let mut response = agent.get(url).call()?;
            Ok(Some(response.body_mut().with_config().limit(SIZE_LIMIT).read_to_string()?))
        }
    }
}

/// A parsed key set.
struct Parsed {
    keys: HashMap<String, DecodingKey>,
    /// Keys for signatures that cannot be used, with the reason.
    useless: Vec<String>,
}

fn parse(text: &str) -> Result<Parsed, serde_json::Error> {
    let set: KeySet = serde_json::from_str(text)?;
    let mut parsed = Parsed { keys: HashMap::new(), useless: Vec::new() };
    for value in set.keys {
        // Keys of other kinds, and for other uses, are skipped.
        let Ok(Jwk { common, algorithm: AlgorithmParameters::RSA(key) }) = serde_json::from_value(value)
        else {
            continue;
        };
        let (Some(kid), None | Some(PublicKeyUse::Signature)) = (common.key_id, common.public_key_use) else {
            continue;
        };
        let Ok(key) = DecodingKey::from_rsa_components(&key.n, &key.e) else {
            parsed.useless.push(format!("the key `{}` of the JWKS is not valid Base64", escaped(&kid)));
            continue;
        };
        let bits = bits(&key);
        if KEY_BITS.contains(&bits) {
            parsed.keys.insert(kid, key);
        } else {
            let (least, most) = (KEY_BITS.start(), KEY_BITS.end());
            parsed.useless.push(format!(
                "the key `{}` of the JWKS has {bits} bits, but must have {least} to {most}",
                escaped(&kid)
            ));
        }
    }
    Ok(parsed)
}

/// Returns the length of a key, in bits.
fn bits(key: &DecodingKey) -> usize {
    let DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind() else { return 0 };
    let zeros = n.iter().take_while(|byte| **byte == 0).count();
    n.get(zeros).map_or(0, |first| (n.len() - zeros) * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn keys_are_fetched_over_http() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let issuer = std::thread::spawn(move || {
            for response in
                ["HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"keys\": []}", "HTTP/1.1 500 Oh\r\n\r\n"]
            {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).unwrap();
                assert!(request[..length].starts_with(b"GET /keys "));
                stream.write_all(response.as_bytes()).unwrap();
            }
        });
        let source = Source::Url(url);
        assert_eq!(fetch(&source).unwrap().as_deref(), Some("{\"keys\": []}"));
        assert!(fetch(&source).is_err());
        issuer.join().unwrap();
    }

    #[test]
    fn keys_of_other_kinds_are_skipped() {
        let n = modulus(2048);
        let parsed = parse(&format!(
            r#"{{"keys": [
                {{"kty": "RSA", "kid": "one", "n": "{n}", "e": "AQAB", "alg": "RS256"}},
                {{"kty": "RSA", "kid": "two", "n": "{n}", "e": "AQAB", "use": "sig"}},
                {{"kty": "RSA", "kid": "encryption", "n": "{n}", "e": "AQAB", "use": "enc"}},
                {{"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AQAB", "y": "AQAB"}},
                {{"kty": "RSA", "n": "{n}", "e": "AQAB"}}, 5]}}"#
        ))
        .unwrap();
        let mut names: Vec<_> = parsed.keys.into_keys().collect();
        names.sort();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(parsed.useless, [""; 0]);
        assert!(parse("[]").is_err());
    }

    #[test]
    fn unusable_keys_are_reported() {
        let set: Vec<String> = [1024, 2047, 2048, 4096, 8192, 8200]
            .into_iter()
            .map(|bits| {
                format!(r#"{{"kty": "RSA", "kid": "k{bits}", "n": "{}", "e": "AQAB"}}"#, modulus(bits))
            })
            .chain([r#"{"kty": "RSA", "kid": "odd", "n": "!", "e": "AQAB"}"#.to_owned()])
            .collect();
        let parsed = parse(&format!(r#"{{"keys": [{}]}}"#, set.join(","))).unwrap();
        let mut names: Vec<_> = parsed.keys.into_keys().collect();
        names.sort();
        assert_eq!(names, ["k2048", "k4096", "k8192"]);
        assert_eq!(
            parsed.useless,
            [
                "the key `k1024` of the JWKS has 1024 bits, but must have 2048 to 8192",
                "the key `k2047` of the JWKS has 2047 bits, but must have 2048 to 8192",
                "the key `k8200` of the JWKS has 8200 bits, but must have 2048 to 8192",
                "the key `odd` of the JWKS is not valid Base64",
            ]
        );
    }

    /// Returns a number of this many bits, after a zero byte.
    fn modulus(bits: usize) -> String {
        let mut bytes = vec![0xFF_u8; bits.div_ceil(8) + 1];
        bytes[0] = 0;
        bytes[1] >>= bytes.len().saturating_sub(1) * 8 - bits;
        URL_SAFE_NO_PAD.encode(bytes)
    }
}
