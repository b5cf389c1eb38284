//! The part of the recording that comes next: entries wait here until their turn, so that their
//! answers are known when something asks for them.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::{Country, GameId, Message, PlayerId, SessionNumber, WireFormat};
use faf_sessions::recording::Side;
use serde_json::Value;

use super::heard::Heard;

/// Recorded time that is looked ahead. The last guest of a match is sent its game within
/// 60 s + 10 s for each guest.
pub(super) const SPAN: Duration = Duration::from_secs(150);

/// Number of entries that wait at most; of a busier evening, less time is looked ahead.
const MOST: usize = 1_000_000;

/// An entry whose turn has not come.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) at: Duration,
    pub(super) what: What,
    /// Number of the entry.
    pub(super) number: u64,
}

/// An event in the recording.
#[derive(Debug)]
pub(super) enum What {
    Opened { conn: u64, format: WireFormat, address: Option<IpAddr> },
    Sent { conn: u64, message: Message },
    SentBytes { conn: u64, bytes: Vec<u8> },
    Heard { conn: u64, heard: Arc<Heard> },
    Closed { conn: u64, by: Side },
    Incomplete { conn: u64 },
    Clock { utc: i64 },
}

/// Something in the recording that tells what chance or another service has decided.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// The client asks for a game of its own: what follows answers it.
    Hosts,
    /// The number of the session.
    Session(SessionNumber),
    /// The login was accepted.
    Accepted { player: PlayerId, login: String, country: Country },
    /// The credentials were not accepted, with this text.
    Refused(String),
    /// The login ended with a notice.
    EndedByNotice,
    /// The server could not handle the login, or the message.
    Invalid,
    /// A match was found in this queue.
    Found { queue: String },
    /// A game process was launched.
    Launched(Arc<Value>),
    /// A match was cancelled.
    Cancelled(GameId),
    /// The connection ended.
    Ended,
}

/// An answer in the recording, and whether it has been given.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) at: Duration,
    pub(super) number: u64,
    pub(super) answer: Answer,
    pub(super) is_given: bool,
}

/// The entries that come next, and their answers by connection.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    entries: VecDeque<Next>,
    answers: HashMap<u64, VecDeque<Known>>,
    added: u64,
}

impl Ahead {
    /// Adds an entry after all others.
    pub(super) fn add(&mut self, at: Duration, what: What) {
        self.added += 1;
        let number = self.added;
        // A clock that goes back would let an entry wait for ever.
        let at = self.entries.back().map_or(at, |last| last.at.max(at));
        if let Some((conn, answer)) = answer(&what) {
            let known = Known { at, number, answer, is_given: false };
            self.answers.entry(conn).or_default().push_back(known);
        }
        self.entries.push_back(Next { at, what, number });
    }

    /// Takes the next entry if enough of what follows it is known.
    pub(super) fn take_due(&mut self) -> Option<Next> {
        let (first, last) = (self.entries.front()?, self.entries.back()?);
        let is_due = last.at.saturating_sub(first.at) > SPAN || self.entries.len() > MOST;
        if is_due { self.take() } else { None }
    }

    /// Takes the next entry. Its answer stays until the next entry of its connection is taken.
    pub(super) fn take(&mut self) -> Option<Next> {
        let next = self.entries.pop_front()?;
        if let Some(conn) = conn(&next.what)
            && let Some(known) = self.answers.get_mut(&conn)
        {
            while known.front().is_some_and(|first| first.number < next.number) {
                known.pop_front();
            }
            if known.is_empty() {
                self.answers.remove(&conn);
            }
        }
        Some(next)
    }

    /// Returns the answers of a connection that come next.
    pub(super) fn of(&mut self, conn: u64) -> impl Iterator<Item = &mut Known> {
        self.answers.get_mut(&conn).into_iter().flatten()
    }

    /// Returns whether the answer in this entry has been given.
    pub(super) fn is_given(&self, conn: u64, number: u64) -> bool {
        let mut known = self.answers.get(&conn).into_iter().flatten();
        known.any(|known| known.number == number && known.is_given)
    }

    /// Returns the connections that have answers, in any order.
    pub(super) fn conns(&self) -> impl Iterator<Item = (u64, &VecDeque<Known>)> {
        self.answers.iter().map(|(conn, known)| (*conn, known))
    }
}

fn conn(what: &What) -> Option<u64> {
    match what {
        What::Opened { conn, .. }
        | What::Sent { conn, .. }
        | What::SentBytes { conn, .. }
        | What::Heard { conn, .. }
        | What::Closed { conn, .. }
        | What::Incomplete { conn } => Some(*conn),
        What::Clock { .. } => None,
    }
}

/// Returns the answer in an entry.
fn answer(what: &What) -> Option<(u64, Answer)> {
    match what {
        What::Heard { conn, heard } => match &**heard {
            Heard::Direct(message) => Some((*conn, answer_of(message)?)),
            _ => None,
        },
        What::Sent { conn, message } if message.command().as_deref() == Some("game_host") => {
            Some((*conn, Answer::Hosts))
        }
        What::Closed { conn, .. } | What::Incomplete { conn } => Some((*conn, Answer::Ended)),
        _ => None,
    }
}

/// Returns the answer in a message. Those with a number that cannot be one have none.
pub(super) fn answer_of(message: &Arc<Value>) -> Option<Answer> {
    let text = |member: &str| message[member].as_str().map(str::to_owned);
    let number = |member: &str| message[member].as_u64().and_then(|number| u32::try_from(number).ok());
    Some(match message["command"].as_str()? {
        "session" => Answer::Session(SessionNumber(number("session")?)),
        "welcome" => {
            let country = message["me"]["country"].as_str().and_then(|country| country.parse().ok());
            Answer::Accepted {
                player: PlayerId(number("id")?),
                login: text("login")?,
                country: country.unwrap_or_default(),
            }
        }
        "authentication_failed" => Answer::Refused(text("text")?),
        "notice" if message["style"] == "error" => Answer::EndedByNotice,
        "invalid" => Answer::Invalid,
        "match_found" => Answer::Found { queue: text("queue_name")? },
        "game_launch" => Answer::Launched(Arc::clone(message)),
        "match_cancelled" => Answer::Cancelled(GameId(number("game_id")?)),
        _ => return None,
    })
}
