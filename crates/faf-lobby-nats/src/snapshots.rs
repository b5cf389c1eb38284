//! Stores snapshots.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::object_store::{Config, GetErrorKind, ObjectMetadata, ObjectStore};
use async_nats::jetstream::stream::StorageType;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use crate::connection::{Connection, during};
use crate::link::Link;

/// Beginning of the name of an object; 20 digits follow.
const PREFIX: &str = "snapshot-";

/// Size of the pieces of an object.
const CHUNK: usize = 128 * 1024;

/// Most bytes that are reserved before any have come.
const RESERVED: usize = 64 << 20;

/// The snapshots of a cluster, each named by the sequence number of the entry up to which it goes.
#[derive(Debug, Clone)]
pub struct Snapshots {
    connection: Connection,
    name: String,
}

/// A snapshot that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Sequence number that it was stored with.
    pub sequence: u64,
    /// Size in bytes.
    pub size: usize,
}

/// Reason why a snapshot cannot be stored or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// There is no connection, or NATS does not reply; another attempt may succeed.
    #[error("NATS {0}")]
    Away(String),
    /// There is no snapshot with this sequence number.
    #[error("there is no snapshot {0}")]
    Missing(u64),
    /// NATS has something else than what was stored: its digest or its size differs.
    #[error("snapshot {sequence} is damaged: {problem}")]
    Damaged {
        /// Sequence number that it was stored with.
        sequence: u64,
        /// The difference.
        problem: String,
    },
    /// NATS refuses the request, for example because its disk is full.
    #[error("NATS refuses the request: {0}")]
    Refused(String),
}

impl Snapshots {
    /// Opens the bucket, and creates it if there is none, with a bound for all snapshots together,
    /// in bytes on disk; `None` for what the server allows. The bound of an existing bucket stays.
    ///
    /// # Errors
    /// If there is neither.
    pub async fn open_or_create(
        connection: &Connection,
        max_bytes: Option<u64>,
    ) -> Result<Self, SnapshotError> {
        let shared = connection.shared();
        let snapshots = Self { connection: connection.clone(), name: shared.names.bucket() };
        let link = snapshots.link()?;
        match snapshots.bucket(&link).await {
            Err(SnapshotError::Refused(_)) => {}
            opened => return opened.map(|_| snapshots),
        }
        let config = Config {
            bucket: snapshots.name.clone(),
            max_bytes: max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            storage: StorageType::File,
            num_replicas: shared.settings.replicas,
            ..Config::default()
        };
        let created = during(&link, link.jetstream.create_object_store(config)).await;
        match created.ok_or_else(|| snapshots.away())? {
            Ok(_) => Ok(snapshots),
            // Another server may have been faster.
            Err(error) => match snapshots.bucket(&link).await {
                Ok(_) => Ok(snapshots),
                Err(_) => Err(SnapshotError::Refused(error.to_string())),
            },
        }
    }

    /// Stores a snapshot, and replaces the one with the same sequence number. Readers see it when
    /// all of it is stored.
    ///
    /// # Errors
    /// If it is not stored.
    pub async fn put(&self, sequence: u64, content: Bytes) -> Result<(), SnapshotError> {
        let link = self.link()?;
        let bucket = self.bucket(&link).await?;
        self.connection.shared().counters.count_out(content.len());
        let name =
            ObjectMetadata { name: object(sequence), chunk_size: Some(CHUNK), ..ObjectMetadata::default() };
        let mut content = content.as_ref();
        let put = during(&link, bucket.put(name, &mut content)).await.ok_or_else(|| self.away())?;
        put.map(drop).map_err(|error| SnapshotError::Refused(error.to_string()))
    }

    /// Returns the snapshots, the newest first.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn newest(&self) -> Result<Vec<Snapshot>, SnapshotError> {
        let link = self.link()?;
        let bucket = self.bucket(&link).await?;
        let limit = self.connection.shared().limits.respond;
        let listing = async {
            let mut list = bucket.list().await.map_err(|error| error.to_string())?;
            let mut found = Vec::new();
            while let Some(info) = timeout(limit, list.next()).await.map_err(|_| silent(limit))? {
                let info = info.map_err(|error| error.to_string())?;
                // Others may have put something else there.
                if let Some(sequence) = sequence(&info.name) {
                    found.push(Snapshot { sequence, size: info.size });
                }
            }
            Ok::<_, String>(found)
        };
        let listed = during(&link, listing).await.ok_or_else(|| self.away())?;
        let mut found = listed.map_err(SnapshotError::Away)?;
        found.sort_unstable_by_key(|snapshot| std::cmp::Reverse(snapshot.sequence));
        Ok(found)
    }

    /// Reads a snapshot, and checks that it is what was stored.
    ///
    /// # Errors
    /// If it is not there or damaged.
    pub async fn get(&self, sequence: u64) -> Result<Bytes, SnapshotError> {
        let link = self.link()?;
        let bucket = self.bucket(&link).await?;
        let got = during(&link, self.read(&link, &bucket, sequence)).await;
        got.ok_or_else(|| self.away())?
    }

    /// Removes all snapshots but the newest ones.
    ///
    /// # Errors
    /// If one cannot be removed; older ones may have been.
    pub async fn keep_newest(&self, number: usize) -> Result<(), SnapshotError> {
        let old = self.newest().await?.into_iter().skip(number);
        let link = self.link()?;
        let bucket = self.bucket(&link).await?;
        for snapshot in old {
            let deleted = during(&link, bucket.delete(object(snapshot.sequence))).await;
            deleted.ok_or_else(|| self.away())?.map_err(|error| SnapshotError::Refused(error.to_string()))?;
        }
        Ok(())
    }

    async fn read(&self, link: &Link, bucket: &ObjectStore, sequence: u64) -> Result<Bytes, SnapshotError> {
        let limit = self.connection.shared().limits.respond;
        let away =
            |problem: &dyn std::fmt::Display| SnapshotError::Away(format!("does not reply: {problem}"));
        let damaged = |problem: String| SnapshotError::Damaged { sequence, problem };
        let mut object = bucket.get(object(sequence)).await.map_err(|error| match error.kind() {
            GetErrorKind::NotFound => SnapshotError::Missing(sequence),
            _ => away(&error),
        })?;
        let (size, chunks) = (object.info.size, object.info.chunks);
        // The library would wait for pieces that are not there.
        let subject = format!("$O.{}.C.{}", self.name, object.info.nuid);
        let stream =
            link.jetstream.get_stream(format!("OBJ_{}", self.name)).await.map_err(|error| away(&error))?;
        let mut subjects = stream.info_with_subjects(&subject).await.map_err(|error| away(&error))?;
        let found = match subjects.next().await {
            Some(counted) => counted.map_err(|error| away(&error))?.1,
            None => 0,
        };
        if found != chunks {
            return Err(damaged(format!("it has {found} pieces instead of {chunks}")));
        }
        let mut content = Vec::with_capacity(size.min(RESERVED));
        loop {
            let read =
                timeout(limit, object.read_buf(&mut content)).await.map_err(|_| away(&silent(limit)))?;
            match read {
                Ok(0) => break,
                Ok(_) if content.len() > size => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return Err(damaged(error.to_string()));
                }
                Err(error) => return Err(away(&error)),
            }
        }
        if content.len() == size {
            Ok(content.into())
        } else {
            Err(damaged(format!("it has not {size} bytes")))
        }
    }

    async fn bucket(&self, link: &Arc<Link>) -> Result<ObjectStore, SnapshotError> {
        let got =
            during(link, link.jetstream.get_object_store(&self.name)).await.ok_or_else(|| self.away())?;
        got.map_err(|error| {
            if is_missing(&error) {
                SnapshotError::Refused(format!("there is no bucket {}", self.name))
            } else {
                SnapshotError::Away(format!("does not reply: {error}"))
            }
        })
    }

    fn link(&self) -> Result<Arc<Link>, SnapshotError> {
        self.connection.shared().link().ok_or_else(|| self.away())
    }

    fn away(&self) -> SnapshotError {
        SnapshotError::Away(self.connection.shared().away())
    }
}

/// Returns whether an error says that there is no such stream.
fn is_missing(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<jetstream::context::GetStreamError>() {
            return matches!(
                error.kind(),
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND
            );
        }
        next = error.source();
    }
    false
}

fn silent(limit: Duration) -> String {
    format!("it was silent for {limit:?}")
}

fn object(sequence: u64) -> String {
    format!("{PREFIX}{sequence:020}")
}

fn sequence(object: &str) -> Option<u64> {
    object.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_is_in_the_name() {
        for number in [0, 1, u64::MAX] {
            assert_eq!(sequence(&object(number)), Some(number));
        }
        assert_eq!(sequence("something"), None);
    }
}
