//! Names of clusters, gateways and lanes, and the subjects and streams made of them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest name, in bytes.
const LONGEST: usize = 32;

/// A name that may be part of a subject: 1 to 32 letters and digits of ASCII, `-` and `_`. Copies
/// are cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

/// A text that is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: it must have 1 to 32 letters and digits of ASCII, - and _")]
pub struct NameError(String);

impl Name {
    /// Checks a text.
    ///
    /// # Errors
    /// If it is too long, empty, or has other characters.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.into()))
        } else {
            // A name may come from anywhere, and an error is printed.
            Err(NameError(text.chars().take(2 * LONGEST).collect()))
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Receivers of a message that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One gateway: `faf.<cluster>.out.<gateway>`.
    Gateway(Name),
    /// All gateways: `faf.<cluster>.all`.
    All,
    /// All cores: `faf.<cluster>.cores`.
    Cores,
}

/// The names of everything that a cluster has at NATS.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    cluster: Name,
}

impl Names {
    pub(crate) fn new(cluster: Name) -> Self {
        Self { cluster }
    }

    pub(crate) fn subject(&self, subject: &Subject) -> String {
        match subject {
            Subject::Gateway(gateway) => format!("faf.{}.out.{gateway}", self.cluster),
            Subject::All => format!("faf.{}.all", self.cluster),
            Subject::Cores => format!("faf.{}.cores", self.cluster),
        }
    }

    pub(crate) fn stream(&self) -> String {
        format!("FAF_LOBBY_{}", self.cluster)
    }

    /// The subjects of the stream.
    pub(crate) fn lanes(&self) -> String {
        format!("faf.{}.in.>", self.cluster)
    }

    pub(crate) fn lane(&self, lane: &Name) -> String {
        format!("faf.{}.in.{lane}", self.cluster)
    }

    /// Returns the lane in a subject of the stream.
    pub(crate) fn lane_of(&self, subject: &str) -> Option<Name> {
        let lane = subject.strip_prefix("faf.")?.strip_prefix(self.cluster.as_str())?.strip_prefix(".in.")?;
        Name::new(lane).ok()
    }

    pub(crate) fn bucket(&self) -> String {
        format!("FAF_LOBBY_{}_SNAPSHOTS", self.cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_subjects_of_nats() {
        for good in ["faf", "a", "Gate-way_7", &"x".repeat(LONGEST)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a.b", "a b", "*", ">", "ä", "a\r\n", &"x".repeat(LONGEST + 1)] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
        assert!(Name::new(&"x".repeat(1000)).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn names_of_two_clusters_differ() {
        let name = |text| Name::new(text).unwrap();
        let all = |names: &Names| {
            let subjects = [Subject::Gateway(name("g")), Subject::All, Subject::Cores];
            let mut all: Vec<_> = subjects.iter().map(|subject| names.subject(subject)).collect();
            all.extend([names.stream(), names.lanes(), names.lane(&name("g")), names.bucket()]);
            all
        };
        let (one, other) = (Names::new(name("one")), Names::new(name("other")));
        assert!(all(&one).iter().all(|name| !all(&other).contains(name)));
        assert_eq!(one.lane_of("faf.one.in.g"), Some(name("g")));
        for foreign in ["faf.other.in.g", "faf.one.out.g", "faf.one.in.a.b", "one.in.g"] {
            assert_eq!(one.lane_of(foreign), None, "{foreign}");
        }
    }
}
