//! Tokens signed with a test key that is public.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

const PRIVATE_KEY: &[u8] = include_bytes!("token-key.pk8");

/// Key set that verifies the tokens of [`sign`].
pub const JWKS: &str = r#"{"keys": [{"kty": "RSA", "kid": "test", "use": "sig", "alg": "RS256", "e": "AQAB", "n": "lACnBYXsIkhYCQ0uNL0vKiLYHct1sqgx-hI9n7rgU73um08nYittcsLLF_7X1IWl_JkrzfR7R0T9HuelKROegY9i19HVNINKXWC5EYpMLJfMRyVSlDP7nqyf5VwdYlBwXlKIyoTj2CtqdMwLC22NeCDT2c47ehj22FqmRSL15TrhRL4PPYRTU9TDdgJT1dl9F6mNdHdXuiFbTGl8_J91BAoubSg5zCt0-Ytxm05H2SEzHht7RtlNpLdpS9H_scKscUvqVPjHt8QmqLQzyIbCi5BqB6MpfjQcl6Dt9P3Uk7-t-5v73V2JFMsHqH84OMbDLm7IzQRTS-7SXrm1FNrN2w"}]}"#;

/// Returns a token with these claims, a JSON object.
///
/// # Panics
/// Never: the key is valid.
#[must_use]
pub fn sign(claims: &str) -> String {
    sign_with(r#"{"alg":"RS256","kid":"test","typ":"JWT"}"#, claims)
}

/// Like [`sign`], with another header.
///
/// # Panics
/// Never: the key is valid.
#[must_use]
pub fn sign_with(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = RsaKeyPair::from_pkcs8(PRIVATE_KEY).expect("the key is valid");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("the key signs");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Returns a token that lets this player log in and never expires.
#[must_use]
pub fn token_of(player: u32) -> String {
    sign(&format!(r#"{{"sub":"{player}","scp":["lobby"],"exp":4102444800}}"#))
}
