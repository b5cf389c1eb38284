//! Password hashes.
//!
//! Clients send the SHA-256 digest of a password in lower-case hexadecimal, never the password itself. What is stored is an
//! Argon2id hash of that text, so that neither a stolen database nor what was recorded from it opens an account.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// What clients send for a password.
#[must_use]
pub fn digest(password: &str) -> String {
    Sha256::digest(password.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hash of what clients send, with a salt of its own. Takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// A description, if the system has no randomness for the salt.
pub fn hash(digest: &str) -> Result<String, String> {
    Argon2::default()
        .hash_password(digest.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}

/// Whether a hash is of this. What is no hash is of nothing. Takes as long as [`hash`].
#[must_use]
pub fn verify(digest: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(digest.as_bytes(), &hash).is_ok())
}

/// Logins that may wait for their turn: some ten seconds' worth. More are told to come back later instead.
const WAITING: usize = 500;

/// So many wait for their turn already that one more would wait for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// Hashes on threads of their own, so many at a time that one processor is left for the lobby; more have to wait.
#[derive(Debug, Clone)]
pub(crate) struct PasswordThreads {
    processors: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl PasswordThreads {
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let processors = Arc::new(Semaphore::new((processors - 1).max(1)));
        Self { processors, queue: Arc::new(Semaphore::new(WAITING)) }
    }

    /// Whether this is the password of an account. Takes as long without an account, so that names cannot be probed.
    pub(crate) async fn verify(&self, digest: String, stored: Option<String>) -> Result<bool, Busy> {
        static NOBODYS: LazyLock<String> = LazyLock::new(|| hash("nobody's password").unwrap_or_default());

        self.run(move || verify(&digest, stored.as_deref().unwrap_or(&NOBODYS)) && stored.is_some()).await
    }

    pub(crate) async fn hash(&self, digest: String) -> Result<Result<String, String>, Busy> {
        self.run(move || hash(&digest)).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Busy)?;
        let processor = Arc::clone(&self.processors).acquire_owned().await.map_err(|_| Busy)?;
        let done = spawn_blocking(move || {
            let done = work();
            drop((processor, place));
            done
        });
        // It ends without an answer only if the server ends.
        done.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_send_lower_case_sha_256() {
        // FIPS 180-4, the message "abc".
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[tokio::test]
    async fn only_the_right_digest_verifies() {
        let stored = hash(&digest("secret")).unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert_ne!(stored, hash(&digest("secret")).unwrap());
        let threads = PasswordThreads::new();
        let verify =
            |digest: &str, stored: Option<&str>| threads.verify(digest.to_owned(), stored.map(str::to_owned));
        assert_eq!(verify(&digest("secret"), Some(&stored)).await, Ok(true));
        assert_eq!(verify(&digest("Secret"), Some(&stored)).await, Ok(false));
        assert_eq!(verify(&digest("secret").to_uppercase(), Some(&stored)).await, Ok(false));
        assert_eq!(verify(&digest("secret"), Some("no hash")).await, Ok(false));
        assert_eq!(verify("nobody's password", None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_long_queue_is_not_made_longer() {
        let threads = PasswordThreads::new();
        let queue = Arc::clone(&threads.queue).acquire_many_owned(WAITING as u32).await;
        assert_eq!(threads.verify(digest("secret"), None).await, Err(Busy));
        drop(queue);
        assert_eq!(threads.verify(digest("secret"), None).await, Ok(false));
    }
}
