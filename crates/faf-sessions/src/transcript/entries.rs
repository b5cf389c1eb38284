//! A transcript as a recording.

use std::collections::HashMap;
use std::time::Duration;

use faf_protocol::Message;

use super::{Record, Sent, Transcript};
use crate::recording::{Entry, Recorded, RecordedConn, Side};

/// Time after the end of a session in which nothing comes.
const SETTLED: Duration = Duration::from_secs(5);

impl Transcript {
    /// Returns the entries that a recording of the session has, and the names of its connections in
    /// the order of their numbers. Records that are not about a connection are left out.
    ///
    /// # Panics
    /// If a message of the transcript has no JSON text, which a value always has.
    ///
    /// The recording goes on for some seconds after the last record, in which nothing comes but the
    /// time of day.
    #[must_use]
    pub fn entries(&self) -> (Vec<Recorded>, Vec<String>) {
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        let mut entries = Vec::new();
        for (record, at) in self.records.iter().zip(&self.times) {
            let numbered = |name: &str| numbers.get(name).copied();
            let entry = match record {
                Record::Connect(connect) => {
                    names.push(connect.conn.clone());
                    let conn = RecordedConn(names.len() as u64);
                    numbers.insert(connect.conn.clone(), conn);
                    let source = connect.source.as_ref().and_then(|source| source.parse().ok());
                    Some(Entry::Opened { conn, format: connect.format, address: source })
                }
                Record::Send(name, Sent::Message(message)) => {
                    numbered(name).map(|conn| Entry::FromClient { conn, message: message.clone() })
                }
                Record::Send(name, Sent::Raw(bytes)) => {
                    numbered(name).map(|conn| Entry::BytesFromClient { conn, bytes: bytes.clone() })
                }
                Record::Receive(name, message) => {
                    let message = Message::from_value(message).expect("a message is a JSON object");
                    numbered(name).map(|conn| Entry::FromServer { conn, message })
                }
                Record::ClosedByServer(name) => {
                    numbered(name).map(|conn| Entry::Closed { conn, by: Side::Server })
                }
                Record::ClosedByClient(name) => {
                    numbered(name).map(|conn| Entry::Closed { conn, by: Side::Client })
                }
                _ => None,
            };
            entries.extend(entry.map(|entry| Recorded { at: *at, entry }));
        }
        // A session ends when everything has settled.
        let (began, utc) = self.welcomed().unwrap_or_default();
        let at = self.times.last().copied().unwrap_or_default() + SETTLED;
        let passed = i64::try_from(at.saturating_sub(began).as_micros()).unwrap_or(i64::MAX);
        entries.push(Recorded { at, entry: Entry::Clock { utc: utc.saturating_add(passed) } });
        (entries, names)
    }

    /// Returns the time of the first `welcome`, and the time of day in it, in microseconds
    /// since 1970.
    fn welcomed(&self) -> Option<(Duration, i64)> {
        let mut records = self.records.iter().zip(&self.times);
        records.find_map(|(record, at)| match record {
            Record::Receive(_, message) if message["command"] == "welcome" => {
                Some((*at, microseconds(message["current_time"].as_str()?)?))
            }
            _ => None,
        })
    }
}

/// Reads a time of day such as `2026-07-01T12:00:00.250000+00:00`.
fn microseconds(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix("+00:00")?.split_once('T')?;
    let numbers = |text: &str, between: char| -> Option<Vec<i64>> {
        text.split(between).map(|number| number.parse().ok()).collect()
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let [hour, minute, second] = numbers(clock, ':')?[..] else { return None };
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days of a calendar whose year begins in March, so that leap days come last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000_000 + format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?)
}

#[test]
fn the_time_of_day_is_read() {
    assert_eq!(microseconds("2026-07-01T12:00:00.250000+00:00"), Some(1_782_907_200_250_000));
    assert_eq!(microseconds("2020-02-29T00:00:00+00:00"), Some(1_582_934_400_000_000));
    assert_eq!(microseconds("1970-01-01T00:00:01.5+00:00"), Some(1_500_000));
    for invalid in
        ["", "2026-07-01", "2026-07-01T12:00:00", "x-07-01T12:00:00+00:00", "2026-13-01T12:00:00+00:00"]
    {
        assert_eq!(microseconds(invalid), None, "{invalid}");
    }
}
