//! Objects that have a key twice, handled with memory and time linear in the text.
//!
//! ```text
//! {"a":1,"b":2,"a":3,"c":4}        first pass: notes edits
//!      ^       ^^^^^^^ drop
//!      move: the value of the last "a"
//! {"a":3,"b":2,"c":4}              second pass: writes the text once
//! ```
//!
//! Positions are those of keys in the source, opening quote included.

use std::cmp::Ordering;
use std::ops::Range;

use super::scan::scan_value;

/// In objects with at most this many keys, each key is compared with each; in others they
/// are sorted.
const FEW: usize = 32;

/// Number of keys of an object at which the repeated ones are removed for the first time. It is
/// done again whenever the object has twice as many keys as were left.
const MANY: usize = 1024;

/// Flag in the position of a key: the key is repeated.
const REPEATED: u32 = 1 << 31;

/// Flag in the second number of an edit: the edit is a move.
const MOVE: u32 = 1 << 31;

/// Lists grow by one part in this many. They take most of the memory of a hostile message, so they
/// are not doubled.
const GROWTH: usize = 8;

/// An edit of a member in the second pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    /// Everything is dropped up to the next key that stays, or the end of the object.
    Drop {
        /// Position of that key or end.
        end: usize,
    },
    /// The member gets the value of another member.
    Move {
        /// Position of the key of that member.
        from: usize,
    },
}

/// Keys of the open objects, and the edits found in the objects before.
#[derive(Debug, Default)]
pub(super) struct RepeatedKeys {
    /// Keys of all open objects; those of the innermost come last.
    keys: Vec<Key>,
    edits: Vec<RawEdit>,
}

/// A key of an open object.
#[derive(Debug, Clone, Copy)]
struct Key {
    start: u32,
    hash: u32,
}

/// Position of an edit, and its operation, as a position with the flag [`MOVE`].
type RawEdit = (u32, u32);

/// An object whose end has not been reached.
#[derive(Debug)]
pub(super) struct OpenObject {
    /// Index of its first key.
    first: usize,
    /// Index of the first key noted since the repeated ones were removed.
    fresh: usize,
    /// Number of its keys at which the repeated ones are removed.
    full: usize,
}

impl RepeatedKeys {
    pub(super) fn open_object(&self) -> OpenObject {
        let first = self.keys.len();
        OpenObject { first, fresh: first, full: MANY }
    }

    /// Returns whether the memory for keys may become so large that no other should be in use.
    #[inline]
    pub(super) fn are_costly(&self) -> bool {
        self.keys.len() >= MANY || !self.edits.is_empty()
    }

    /// Notes the next key of an object.
    #[inline]
    pub(super) fn note(&mut self, text: &str, object: &mut OpenObject, place: Range<usize>) {
        let key = Key { start: place.start as u32, hash: hash(text, place.clone()) };
        // The simplest way of repeating a key a million times, and the only one in which no other
        // key stays between the repetitions.
        if let Some(last) = self.keys.get_mut(object.fresh..).and_then(<[Key]>::last_mut)
            && last.hash == key.hash
            && compare(text, last.start, key.start).is_eq()
        {
            let before = std::mem::replace(&mut last.start, key.start);
            self.push_drop(before, key.start);
            return;
        }
        if self.keys.len() - object.first >= object.full {
            self.take_out_repeated(text, object, place.start);
        }
        push(&mut self.keys, key);
    }

    /// Removes the keys of the innermost object, which ends at `end`.
    pub(super) fn close_object(&mut self, text: &str, object: &OpenObject, end: usize) {
        let own = &self.keys[object.first..];
        let may_repeat = own.len() > FEW
            || own
                .iter()
                .enumerate()
                .any(|(index, key)| own[..index].iter().any(|other| other.hash == key.hash));
        if may_repeat {
            let object = &mut OpenObject { ..*object };
            self.take_out_repeated(text, object, end);
        }
        self.keys.truncate(object.first);
    }

    /// Removes repeated keys from the innermost object; `end` is after everything that has been
    /// noted of it.
    #[cold]
    fn take_out_repeated(&mut self, text: &str, object: &mut OpenObject, end: usize) {
        let own = &mut self.keys[object.first..];
        own.sort_unstable_by_key(|key| (key.hash, key.start));
        let mut is_any_repeated = false;
        for run in own.chunk_by_mut(|one, other| one.hash == other.hash).filter(|run| run.len() > 1) {
            run.sort_unstable_by(|one, other| {
                compare(text, one.start, other.start).then(one.start.cmp(&other.start))
            });
            let mut first = 0;
            while first < run.len() {
                let start = run[first].start;
                let others = &mut run[first + 1..];
                let count = others.iter().take_while(|key| compare(text, start, key.start).is_eq()).count();
                if let Some(last) = others[..count].last() {
                    push(&mut self.edits, (start, last.start | MOVE));
                    is_any_repeated = true;
                }
                others[..count].iter_mut().for_each(|key| key.start |= REPEATED);
                first += count + 1;
            }
        }
        own.sort_unstable_by_key(|key| key.start & !REPEATED);
        if is_any_repeated {
            let mut kept = object.first;
            for index in object.first..self.keys.len() {
                let key = self.keys[index];
                if key.start & REPEATED == 0 {
                    self.keys[kept] = key;
                    kept += 1;
                } else {
                    let next = self.keys.get(index + 1).map_or(end as u32, |next| next.start & !REPEATED);
                    self.push_drop(key.start & !REPEATED, next);
                }
            }
            self.keys.truncate(kept);
        }
        object.fresh = self.keys.len();
        object.full = MANY.max(2 * (self.keys.len() - object.first));
    }

    fn push_drop(&mut self, start: u32, end: u32) {
        match self.edits.last_mut() {
            Some((_, last_end)) if *last_end == start => *last_end = end,
            _ => push(&mut self.edits, (start, end)),
        }
    }

    /// Returns the edits for the second pass.
    pub(super) fn into_edits(mut self) -> Edits {
        self.keys = Vec::new();
        self.edits.sort_unstable();
        Edits { edits: self.edits, next: 0 }
    }
}

/// The edits for the second pass, in the order of the text.
#[derive(Debug)]
pub(super) struct Edits {
    edits: Vec<RawEdit>,
    /// Index of the edit that is usually looked up next.
    next: usize,
}

impl Edits {
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Returns the edit of the member whose key is at this position.
    #[inline]
    pub(super) fn at(&mut self, position: usize) -> Option<Edit> {
        let start = |index: usize| self.edits.get(index).map_or(u32::MAX, |(start, _)| *start);
        let position = position as u32;
        let is_next = start(self.next) >= position && (self.next == 0 || start(self.next - 1) < position);
        if !is_next {
            // Dropped members were skipped, or a value was read from another place.
            self.next = self.edits.partition_point(|(start, _)| *start < position);
        }
        let mut found = None;
        while let Some((start, what)) = self.edits.get(self.next)
            && *start == position
        {
            // Of several moves, the one from the last place was found last.
            found = Some(match what & MOVE {
                0 => Edit::Drop { end: *what as usize },
                _ => Edit::Move { from: (what & !MOVE) as usize },
            });
            self.next += 1;
        }
        found
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / GROWTH).max(16));
    }
    list.push(item);
}

/// Compares two keys of the source, given by their start.
fn compare(text: &str, one: u32, other: u32) -> Ordering {
    let quoted = |start: u32| {
        let start = start as usize;
        &text[start..super::compact::end_of_string(text.as_bytes(), start)]
    };
    let (one, other) = (quoted(one), quoted(other));
    match (compact_key(one), compact_key(other)) {
        (None, None) => one.cmp(other),
        (one_compact, other_compact) => {
            one_compact.as_deref().unwrap_or(one).cmp(other_compact.as_deref().unwrap_or(other))
        }
    }
}

/// Returns the compact form of a quoted key, if it differs.
fn compact_key(quoted: &str) -> Option<String> {
    memchr::memchr(b'\\', quoted.as_bytes())?;
    scan_value(quoted, 1).ok()?
}

/// Hash of a key, equal for equal keys whatever escapes they have. A peer that makes other keys
/// collide gains little, as they are sorted then.
#[inline]
fn hash(text: &str, place: Range<usize>) -> u32 {
    let quoted = &text[place];
    match compact_key(quoted) {
        None => hash_of_bytes(quoted.as_bytes()),
        Some(compact) => hash_of_bytes(compact.as_bytes()),
    }
}

#[inline]
fn hash_of_bytes(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(FACTOR);
        product as u64 ^ (product >> 64) as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash =
        words.iter().fold(bytes.len() as u64 ^ FACTOR, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = mix(hash, u64::from_le_bytes(last));
    (hash >> 32) as u32
}
