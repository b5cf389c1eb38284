//! Password hashes.
//!
//! Clients send the SHA-256 digest of a password in lower-case hexadecimal, never the password
//! itself. The server stores an Argon2id hash of that text, so that neither a stolen database nor
//! data recorded from it opens an account. FAF's database has the digests themselves, with which
//! its other services compare the passwords.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub use faf_protocol::password_digest as digest;

/// Hashes a digest that clients send, with a salt of its own. This takes tens of milliseconds and
/// 19 MiB.
///
/// # Errors
/// A description, if the system provides no random numbers for the salt.
pub fn hash(digest: &str) -> Result<String, String> {
    Memory::default().hash(digest)
}

/// Returns whether a hash belongs to this digest; an invalid hash belongs to none. This takes as
/// long as [`hash`].
#[must_use]
pub fn verify(digest: &str, hash: &str) -> bool {
    Memory::default().verify(digest, hash)
}

/// Memory for hashing one password after another: 19 MiB, allocated once.
///
/// If every password allocated its own memory, it would come from the heap, where small objects
/// settle in the gaps that it leaves, and the process would grow to a multiple of its size.
#[derive(Default)]
struct Memory(Vec<Block>);

impl Memory {
    fn hash(&mut self, digest: &str) -> Result<String, String> {
        let mut salt = [0; argon2::RECOMMENDED_SALT_LEN];
        getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
        let (argon2, mut output) = (Argon2::default(), [0; Params::DEFAULT_OUTPUT_LEN]);
        self.fill(&argon2, digest, &salt, &mut output).map_err(|error| error.to_string())?;
        let hash = (|| {
            Ok::<_, argon2::password_hash::Error>(PasswordHash {
                algorithm: Algorithm::default().ident(),
                version: Some(Version::default().into()),
                params: ParamsString::try_from(argon2.params())?,
                salt: Some(Salt::new(&salt)?),
                hash: Some(Output::new(&output)?),
            })
        })();
        hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
    }

    fn verify(&mut self, digest: &str, hash: &str) -> bool {
        self.computes(digest, hash).unwrap_or(false)
    }

    /// Returns whether the digest gives this hash, with the algorithm and the costs that the
    /// hash names.
    fn computes(&mut self, digest: &str, hash: &str) -> Option<bool> {
        let hash = PasswordHash::new(hash).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..expected.len())?;
        self.fill(&argon2, digest, &salt, output).ok()?;
        // In constant time.
        Some(Output::new(output).ok()? == expected)
    }

    fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        digest: &str,
        salt: &[u8],
        output: &mut [u8],
    ) -> argon2::Result<()> {
        let (needed, usual) = (argon2.params().block_count(), Params::DEFAULT.block_count());
        if needed > usual {
            // A hash that an operator has imported. The additional memory it needs is not kept.
            return argon2.hash_password_into(digest.as_bytes(), salt, output);
        }
        self.0.resize(usual, Block::new());
        argon2.hash_password_into_with_memory(digest.as_bytes(), salt, output, &mut self.0[..needed])
    }
}

/// Returns whether a stored password is a digest that clients send, not a hash of one.
fn is_digest(stored: &str) -> bool {
    stored.len() == 64 && stored.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Compares two digests. The time that this takes depends on their own digests only, of which
/// nobody can tell anything.
fn is_same(one: &str, other: &str) -> bool {
    digest(one) == digest(other)
}

/// Number of logins that may wait for hashing: some ten seconds' worth. Further ones are told to
/// come back later.
const QUEUE_LIMIT: usize = 500;

/// The hashing queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// Hashes on separate threads; their number leaves one processor for the lobby, and further
/// requests wait.
#[derive(Clone)]
pub(crate) struct PasswordThreads {
    processors: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Memory that is not in use; at most one for each processor that was busy at the same time.
    memories: Arc<Mutex<Vec<Memory>>>,
}

impl fmt::Debug for PasswordThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordThreads").field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl PasswordThreads {
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let processors = Arc::new(Semaphore::new((processors - 1).max(1)));
        Self { processors, queue: Arc::new(Semaphore::new(QUEUE_LIMIT)), memories: Arc::default() }
    }

    /// Returns whether this is the password of an account. Where hashes are stored, this takes as
    /// long without an account, so that names cannot be probed.
    pub(crate) async fn verify(&self, digest: String, stored: Option<String>) -> Result<bool, Busy> {
        if let Some(stored) = stored.as_deref().filter(|stored| is_digest(stored)) {
            return Ok(is_same(&digest, stored));
        }
        static NOBODYS: LazyLock<String> = LazyLock::new(|| hash("nobody's password").unwrap_or_default());

        self.run(move |memory| {
            let is_right = memory.verify(&digest, stored.as_deref().unwrap_or(&NOBODYS));
            is_right && stored.is_some()
        })
        .await
    }

    pub(crate) async fn hash(&self, digest: String) -> Result<Result<String, String>, Busy> {
        self.run(move |memory| memory.hash(&digest)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Busy)?;
        let processor = Arc::clone(&self.processors).acquire_owned().await.map_err(|_| Busy)?;
        let memories = Arc::clone(&self.memories);
        let done = spawn_blocking(move || {
            // No code that holds the lock leaves it half changed.
            let lock = || memories.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = lock().pop().unwrap_or_default();
            let done = work(&mut memory);
            lock().push(memory);
            drop((processor, place));
            done
        });
        // It ends without a result only if the server ends.
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
    async fn stored_digest_verifies_as_it_is() {
        let threads = PasswordThreads::new();
        // Nothing is hashed for it.
        threads.queue.close();
        let verify = async |digest: &str, stored: &str| {
            threads.verify(digest.to_owned(), Some(stored.to_owned())).await
        };
        let stored = digest("secret");
        assert_eq!(verify(&stored, &stored).await, Ok(true));
        assert_eq!(verify(&digest("Secret"), &stored).await, Ok(false));
        assert_eq!(verify(&stored.to_uppercase(), &stored).await, Ok(false));
        assert_eq!(verify(&stored, &stored[1..]).await, Err(Busy));
    }

    #[test]
    fn every_kind_of_hash_verifies() {
        use argon2::PasswordHasher;

        let mut memory = Memory::default();
        let kinds = [Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id];
        let costs = [Params::new(64, 1, 1, Some(16)).unwrap(), Params::new(24 * 1024, 1, 2, None).unwrap()];
        for (kind, costs) in kinds.iter().flat_map(|kind| costs.iter().map(move |costs| (kind, costs))) {
            let hasher = Argon2::new(*kind, Version::V0x13, costs.clone());
            let stored = hasher.hash_password(b"secret").unwrap().to_string();
            assert!(memory.verify("secret", &stored) && !memory.verify("Secret", &stored), "{stored}");
        }
        for wrong in
            ["", "$argon2id$", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4", "x"]
        {
            assert!(!memory.verify("secret", wrong), "{wrong}");
        }
    }

    #[tokio::test]
    async fn every_password_is_hashed_in_the_same_memory() {
        let threads = PasswordThreads::new();
        let memories = || -> Vec<_> {
            let memories = threads.memories.lock().unwrap();
            memories.iter().map(|memory| (memory.0.as_ptr() as usize, memory.0.capacity())).collect()
        };
        threads.verify(digest("first"), None).await.unwrap();
        let before = memories();
        assert_eq!(before.len(), 1);
        for _ in 0..5 {
            threads.verify(digest("wrong"), None).await.unwrap();
            threads.hash(digest("new")).await.unwrap().unwrap();
        }
        assert_eq!(memories(), before);
        let places = threads.processors.available_permits();
        let mut many = tokio::task::JoinSet::new();
        for _ in 0..2 * places + 2 {
            let threads = threads.clone();
            many.spawn(async move { threads.verify(digest("wrong"), None).await });
        }
        many.join_all().await;
        assert!(memories().len() <= places, "{:?}", memories());
    }

    #[tokio::test]
    async fn a_long_queue_is_not_made_longer() {
        let threads = PasswordThreads::new();
        let queue = Arc::clone(&threads.queue).acquire_many_owned(QUEUE_LIMIT as u32).await;
        assert_eq!(threads.verify(digest("secret"), None).await, Err(Busy));
        drop(queue);
        assert_eq!(threads.verify(digest("secret"), None).await, Ok(false));
    }
}
