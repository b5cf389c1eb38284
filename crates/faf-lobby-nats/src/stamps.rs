//! Numbers of published messages, by which a subscription puts those of several subjects in order
//! and notices what it missed.
//!
//! NATS keeps the order of what one connection publishes, but the library hands each subject out
//! through a queue of its own, and drops messages when that is full. So each message carries its
//! stamp where a request has the subject for replies: `_FAF.<publisher>.<order>.<count>`.

use std::collections::HashMap;

use crate::names::Subject;

/// Most subjects with counts. Beyond that, all begin again with another name of the publisher.
const MOST_SUBJECTS: usize = 4096;

const PREFIX: &str = "_FAF.";

/// Counts of one publisher.
#[derive(Debug)]
pub(crate) struct Stamps {
    publisher: u64,
    order: u64,
    counts: HashMap<Subject, u64>,
}

/// The stamp of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// A random number of the publisher.
    pub(crate) publisher: u64,
    /// Number among all messages of the publisher, from 1.
    pub(crate) order: u64,
    /// Number among the messages of the publisher with this subject, from 1.
    pub(crate) count: u64,
}

impl Default for Stamps {
    fn default() -> Self {
        Self { publisher: rand::random(), order: 0, counts: HashMap::new() }
    }
}

impl Stamps {
    /// Returns the stamp of the next message. It counts once it is [`sent`](Self::sent).
    pub(crate) fn next(&mut self, subject: &Subject) -> Stamp {
        if self.counts.len() >= MOST_SUBJECTS && !self.counts.contains_key(subject) {
            *self = Self::default();
        }
        let count = self.counts.get(subject).copied().unwrap_or(0) + 1;
        Stamp { publisher: self.publisher, order: self.order + 1, count }
    }

    /// Notes that a message is on its way.
    pub(crate) fn sent(&mut self, subject: &Subject, stamp: Stamp) {
        self.order = stamp.order;
        match self.counts.get_mut(subject) {
            Some(count) => *count = stamp.count,
            None => drop(self.counts.insert(subject.clone(), stamp.count)),
        }
    }
}

impl Stamp {
    pub(crate) fn write(self) -> String {
        format!("{PREFIX}{:x}.{:x}.{:x}", self.publisher, self.order, self.count)
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut numbers =
            text.strip_prefix(PREFIX)?.split('.').map(|part| u64::from_str_radix(part, 16).ok());
        let mut next = || numbers.next().flatten();
        Some(Self { publisher: next()?, order: next()?, count: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Name;

    #[test]
    fn stamps_count_what_was_sent() {
        let mut stamps = Stamps::default();
        let gateway = Subject::Gateway(Name::new("g").unwrap());
        let first = stamps.next(&gateway);
        assert_eq!((first.order, first.count), (1, 1));
        // It could not be sent.
        assert_eq!(stamps.next(&gateway), first);
        stamps.sent(&gateway, first);
        let all = stamps.next(&Subject::All);
        assert_eq!((all.order, all.count), (2, 1));
        stamps.sent(&Subject::All, all);
        let second = stamps.next(&gateway);
        assert_eq!((second.order, second.count), (3, 2));
        assert_eq!(Stamp::read(&second.write()), Some(second));
        for foreign in ["", "_INBOX.a.b.c", "_FAF.1.2", "_FAF.x.1.2"] {
            assert_eq!(Stamp::read(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn number_of_subjects_is_bounded() {
        let mut stamps = Stamps::default();
        let publisher = stamps.publisher;
        for number in 0..=MOST_SUBJECTS {
            let subject = Subject::Gateway(Name::new(&number.to_string()).unwrap());
            let stamp = stamps.next(&subject);
            stamps.sent(&subject, stamp);
        }
        assert_ne!(stamps.publisher, publisher);
        assert_eq!(stamps.counts.len(), 1);
    }
}
