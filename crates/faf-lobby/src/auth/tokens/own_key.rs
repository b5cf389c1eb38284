//! The RSA key that signs the server's own tokens: generated once, stored as PKCS#8.
//!
//! `ring` signs but cannot generate such keys; `rsa` generates them and does nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Length of a new key, in bits: the shortest that today's servers and clients accept.
const BITS: usize = 2048;

/// Beginning of the names of these keys, by which another lobby server recognizes them.
pub(super) const NAME_PREFIX: &str = "faf-lobby-";

/// A problem with the key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The key cannot be generated.
    #[error("a key for tokens cannot be generated: {0}")]
    Generation(String),
    /// The bytes in the database are not a key.
    #[error(
        "the key for tokens in the database cannot be used ({0}); delete the row of the table own_key, \
         and the next token creates a new key"
    )]
    Unusable(String),
    /// The key does not sign.
    #[error("the key for tokens does not sign")]
    Signing,
}

/// A key that signs tokens, and what others need to verify them.
pub(super) struct OwnKey {
    pair: RsaKeyPair,
    public: RsaPublicKeyComponents<Vec<u8>>,
    name: String,
}

impl OwnKey {
    /// Reads a key as [`generate`] makes it.
    pub(super) fn read(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair =
            RsaKeyPair::from_pkcs8(pkcs8).map_err(|problem| KeyError::Unusable(problem.to_string()))?;
        let public = RsaPublicKeyComponents::from(pair.public());
        let name = format!("{NAME_PREFIX}{}", thumbprint(&public));
        Ok(Self { pair, public, name })
    }

    /// The name of the key in tokens and key sets (`kid`). Different keys have different names.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Signs bytes with RS256. This takes one to two milliseconds.
    pub(super) fn sign(&self, signed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let done = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature);
        done.map(|()| signature).map_err(|_| KeyError::Signing)
    }

    /// Returns the key that verifies signatures.
    pub(super) fn verifying(&self) -> DecodingKey {
        DecodingKey::from_rsa_raw_components(&self.public.n, &self.public.e)
    }

    /// Returns the public key as a JSON Web Key (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        let [n, e] = [&self.public.n, &self.public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.name, "n": n, "e": e})
    }
}

/// Generates a key, and returns it as PKCS#8 (RFC 5208). This takes about a tenth of a second of a
/// processor, in unlucky cases half a second: not for a thread with other work.
pub(super) fn generate() -> Result<Vec<u8>, KeyError> {
    let failed = |problem: &dyn std::fmt::Display| KeyError::Generation(problem.to_string());
    let key = rsa::PrivateKey::new(&mut getrandom::SysRng, BITS).map_err(|error| failed(&error))?;
    let ([p, q], Some(dp), Some(dq), Some(coefficient)) =
        (key.primes(), key.dp(), key.dq(), key.crt_coefficient())
    else {
        return Err(failed(&"it has not two primes"));
    };
    let numbers = [key.n().as_ref(), key.e(), key.d(), p.as_ref(), q.as_ref(), dp, dq, &coefficient];
    let numbers = numbers.map(|number| integer(&number.to_be_bytes())).concat();
    // RFC 8017 appendix A.1.2: the version 0, then the numbers in this order.
    let key = sequence(&[integer(&[0]), numbers].concat());
    Ok(sequence(&[integer(&[0]), sequence(RSA_ENCRYPTION), element(OCTET_STRING, &key)].concat()))
}

/// The algorithm `rsaEncryption`, 1.2.840.113549.1.1.1, without parameters, in DER.
const RSA_ENCRYPTION: &[u8] = &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0];

const INTEGER: u8 = 2;
const OCTET_STRING: u8 = 4;
const SEQUENCE: u8 = 0x30;

fn sequence(content: &[u8]) -> Vec<u8> {
    element(SEQUENCE, content)
}

/// Encodes a number that is not negative, given in big-endian order.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    // The first bit is the sign.
    let needs_zero = number.get(zeros).is_none_or(|first| first & 0x80 != 0);
    element(INTEGER, &[&[0][..usize::from(needs_zero)], &number[zeros..]].concat())
}

/// Encodes an element in DER: its kind, its length, its content.
fn element(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    match content.len() {
        0..128 => [&[kind, content.len() as u8], content].concat(),
        _ => [&[kind, 0x80 | digits.len() as u8], digits, content].concat(),
    }
}

/// Returns the name of a key that follows from the key (RFC 7638).
fn thumbprint(RsaPublicKeyComponents { n, e }: &RsaPublicKeyComponents<Vec<u8>>) -> String {
    let [n, e] = [n, e].map(|number| URL_SAFE_NO_PAD.encode(number));
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generated_key_can_be_read_and_signs() {
        let mut names = Vec::new();
        for _ in 0..5 {
            let key = OwnKey::read(&generate().unwrap()).unwrap();
            assert_eq!(key.public.n.len() * 8, BITS);
            let signature = key.sign(b"text").unwrap();
            key.public.verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, b"text", &signature).unwrap();
            names.push(key.name().to_owned());
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 5, "two keys have the same name");
    }

    #[test]
    fn the_name_follows_from_the_key() {
        // RFC 7638 section 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                 FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9\
                 c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF\
                 44-csFCur-kEgU8awapJzKnqDKgw";
        let public = RsaPublicKeyComponents {
            n: URL_SAFE_NO_PAD.decode(n).unwrap(),
            e: URL_SAFE_NO_PAD.decode("AQAB").unwrap(),
        };
        assert_eq!(thumbprint(&public), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn other_bytes_are_not_a_key() {
        let key = generate().unwrap();
        for wrong in [&[7; 32][..], &[], &key[..key.len() - 1]] {
            assert!(matches!(OwnKey::read(wrong), Err(KeyError::Unusable(_))));
        }
    }

    #[test]
    fn numbers_and_lengths_are_encoded_as_der_has_them() {
        assert_eq!(integer(&[0]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 127]), [2, 1, 127]);
        assert_eq!(integer(&[0, 128]), [2, 2, 0, 128]);
        assert_eq!(element(4, &[1; 127])[..3], [4, 127, 1]);
        assert_eq!(element(4, &[1; 128])[..4], [4, 0x81, 128, 1]);
        assert_eq!(element(4, &[1; 300])[..5], [4, 0x82, 1, 44, 1]);
    }
}
