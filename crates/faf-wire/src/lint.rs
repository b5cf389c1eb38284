//! `faf-wire lint`: carries bytes between clients and a server unchanged, and counts what in their
//! messages leaves the contract.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use faf_contract::{Checker, Conversation, Direction, Kind, Violation};
use faf_protocol::{DecodeError, Message};
use faf_sessions::recording::{RecordedConn, Side};
use serde_json::{Value, json};

use crate::carrier::{self, Observer, Opened, QUEUE_LIMIT, Queue, Route};
use crate::exit::Failure;
use crate::tap::{Keep, Scrubber};

/// Maximum number of problems that are counted by themselves: 1,000. A client can invent any number
/// of commands.
const PROBLEM_LIMIT: usize = 1_000;

/// Characters of names that a peer has chosen, where problems are told apart.
const NAME_LIMIT: usize = 100;

/// Characters of an example in the report for people.
const EXAMPLE_LIMIT: usize = 500;

/// Longest message that is kept as an example, in bytes. Of a longer one, the beginning is kept.
const KEPT_LIMIT: usize = 16 * 1024;

/// Time between two reports, if anything has changed.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    route: Route,
    /// Print each report as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { route, json } = arguments;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(anyhow::Error::from)?;
    let linter = Linter::new(&key, json);
    carrier::run(route, "lint", Queue::new(QUEUE_LIMIT), Box::new(linter)).await
}

/// Counts problems.
struct Linter {
    checker: Checker,
    scrubber: Scrubber,
    conversations: HashMap<RecordedConn, (Conversation, IpAddr)>,
    report: Report,
    is_json: bool,
    /// Time of the next report.
    next_report: Duration,
    /// Whether something has changed since the last one.
    has_changed: bool,
}

/// Everything that has been found.
#[derive(Debug, Default)]
struct Report {
    connections: u64,
    from_clients: u64,
    from_server: u64,
    /// Connections of which messages were not checked, because there were too many.
    incomplete: u64,
    problems: BTreeMap<Problem, Found>,
    /// Number of problems beyond [`PROBLEM_LIMIT`].
    others: u64,
}

/// A problem, as it is told from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    side: SideName,
    command: String,
    kind: &'static str,
    /// The member, without numbers of elements.
    place: String,
    /// The problem in words, where these are the same for all.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SideName {
    Client,
    Server,
}

/// How often a problem was found, and where first.
#[derive(Debug)]
struct Found {
    count: u64,
    text: String,
    conn: RecordedConn,
    at: Duration,
    /// The message, without secrets, or its beginning.
    message: String,
}

impl Linter {
    fn new(key: &[u8; 32], is_json: bool) -> Self {
        Self {
            checker: Checker::new(),
            scrubber: Scrubber::new(key, Keep::default()),
            conversations: HashMap::new(),
            report: Report::default(),
            is_json,
            next_report: REPORT_INTERVAL,
            has_changed: false,
        }
    }

    /// Prints a report. Clients are served even if nobody reads it.
    fn print(&mut self) {
        self.has_changed = false;
        let mut output = io::stdout().lock();
        let _ = match self.is_json {
            true => writeln!(output, "{}", self.report.json()),
            false => writeln!(output, "{}", self.report),
        };
        let _ = output.flush();
    }
}

impl Observer for Linter {
    fn opened(&mut self, _: Duration, conn: RecordedConn, opened: Opened) {
        self.report.connections += 1;
        let client = opened.client.ip().to_canonical();
        self.conversations.insert(conn, (Conversation::default(), client));
    }

    fn message(&mut self, at: Duration, conn: RecordedConn, side: Side, message: Message) {
        let Some((conversation, client)) = self.conversations.get_mut(&conn) else { return };
        self.has_changed = true;
        let direction = match side {
            Side::Client => {
                self.report.from_clients += 1;
                Direction::ToServer
            }
            Side::Server => {
                self.report.from_server += 1;
                Direction::ToClient
            }
        };
        let mut violations = self.checker.check(direction, &message);
        violations.extend(conversation.observe(direction, &message));
        if violations.is_empty() {
            return;
        }
        let command = message.command().map_or_else(String::new, |command| shortened(&command, NAME_LIMIT));
        let client = *client;
        // The message is only needed once for each problem.
        let mut shown = None;
        for violation in violations {
            let text = match self.scrubber.is_secret_path(&violation.path) {
                true => "has a secret value that is not allowed".to_owned(),
                false => violation.text.clone(),
            };
            let problem = Problem::new(side, &command, &violation);
            let shown = shown.get_or_insert_with(|| self.scrubber.message(message.clone(), client));
            // A message that cannot be made free of secrets is not shown.
            let message = shown.as_ref().map_or("", Message::as_str);
            self.report.count(problem, text, at, conn, message);
        }
    }

    fn malformed(&mut self, at: Duration, conn: RecordedConn, side: Side, _: &[u8], error: &DecodeError) {
        self.has_changed = true;
        let text = error.to_string();
        let problem = Problem {
            side: side.into(),
            command: String::new(),
            kind: "not a message",
            place: String::new(),
            text: String::new(),
        };
        // The bytes may contain a secret anywhere.
        self.report.count(problem, text, at, conn, "");
    }

    fn incomplete(&mut self, _: Duration, _: RecordedConn) {
        self.has_changed = true;
        self.report.incomplete += 1;
    }

    fn closed(&mut self, _: Duration, conn: RecordedConn, _: Side) {
        self.conversations.remove(&conn);
    }

    fn tick(&mut self, now: Duration) {
        if now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            if self.has_changed {
                self.print();
            }
        }
    }

    fn finish(&mut self, _: Duration) {
        self.print();
    }
}

impl Problem {
    fn new(side: Side, command: &str, violation: &Violation) -> Self {
        let is_wrong_time = violation.kind == Kind::WrongTime;
        Self {
            side: side.into(),
            command: command.to_owned(),
            kind: violation.kind.name(),
            place: shortened(&violation.place, NAME_LIMIT),
            text: if is_wrong_time { shortened(&violation.text, NAME_LIMIT) } else { String::new() },
        }
    }
}

impl Report {
    fn count(&mut self, problem: Problem, text: String, at: Duration, conn: RecordedConn, message: &str) {
        if let Some(found) = self.problems.get_mut(&problem) {
            found.count += 1;
        } else if self.problems.len() < PROBLEM_LIMIT {
            let message = shortened(message, KEPT_LIMIT);
            self.problems.insert(problem, Found { count: 1, text, conn, at, message });
        } else {
            self.others += 1;
        }
    }

    /// Returns all problems, those found most often first.
    fn sorted(&self) -> Vec<(&Problem, &Found)> {
        let mut problems: Vec<_> = self.problems.iter().collect();
        problems.sort_by_key(|(_, found)| std::cmp::Reverse(found.count));
        problems
    }

    fn json(&self) -> Value {
        let problem = |(problem, found): (&Problem, &Found)| {
            // Of a message that was shortened, the text.
            let message = match found.message.parse::<Message>() {
                Ok(message) => serde_json::to_value(message).unwrap_or_default(),
                Err(_) => Value::from(found.message.as_str()),
            };
            json!({
                "count": found.count,
                "from": problem.side.to_string(),
                "command": problem.command,
                "kind": problem.kind,
                "place": problem.place,
                "text": found.text,
                "first": {"connection": found.conn.0, "seconds": found.at.as_secs_f64(), "message": message},
            })
        };
        json!({
            "connections": self.connections,
            "messages": {"client": self.from_clients, "server": self.from_server},
            "not_checked": self.incomplete,
            "problems": self.sorted().into_iter().map(problem).collect::<Vec<_>>(),
            "others": self.others,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, from_clients, from_server, incomplete, problems, others } = self;
        write!(
            f,
            "{connections} connections, {from_clients} messages of clients, {from_server} of the server: "
        )?;
        match problems.len() {
            0 => write!(f, "no problems")?,
            count => write!(f, "{count} problems")?,
        }
        if *incomplete > 0 {
            write!(f, "\n{incomplete} connections were not checked to their end: they sent too much")?;
        }
        for (problem, found) in self.sorted() {
            let Problem { side, command, kind, place, .. } = problem;
            let Found { count, text, conn, at, message } = found;
            write!(f, "\n{count:>6} x {side}")?;
            if !command.is_empty() {
                write!(f, " `{}`", visible(command))?;
            }
            write!(f, ": {kind}:")?;
            if !place.is_empty() {
                write!(f, " `{}`", visible(place))?;
            }
            write!(f, " {}", visible(text))?;
            write!(f, "\n         first in connection {} after {:.1} s", conn.0, at.as_secs_f64())?;
            if !message.is_empty() {
                write!(f, ": {}", visible(&shortened(message, EXAMPLE_LIMIT)))?;
            }
        }
        if *others > 0 {
            write!(f, "\n{others} more problems, of more than {PROBLEM_LIMIT} kinds")?;
        }
        Ok(())
    }
}

impl From<Side> for SideName {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

impl fmt::Display for SideName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// Returns the beginning of a text.
fn shortened(text: &str, limit: usize) -> String {
    let end = text.floor_char_boundary(limit);
    let mark = if end < text.len() { "..." } else { "" };
    format!("{}{mark}", &text[..end])
}

/// A peer must not control the terminal.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => visible.extend(character.escape_default()),
            false => visible.push(character),
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linter() -> Linter {
        let mut linter = Linter::new(&[1; 32], false);
        let client = "192.0.2.1:5".parse().unwrap();
        let opened = Opened { format: faf_protocol::WireFormat::SimpleJson, client };
        linter.opened(Duration::ZERO, RecordedConn(1), opened);
        linter
    }

    fn say(linter: &mut Linter, side: Side, text: &str) {
        linter.message(Duration::from_secs(1), RecordedConn(1), side, text.parse().unwrap());
    }

    #[test]
    fn problems_are_counted_with_the_first_example() {
        let mut linter = linter();
        say(&mut linter, Side::Client, r#"{"command":"ask_session","user_agent":"x","version":"1"}"#);
        assert!(linter.report.to_string().ends_with(" no problems"), "{}", linter.report);
        say(&mut linter, Side::Client, r#"{"command":"of_tomorrow","password":"hunter2"}"#);
        say(&mut linter, Side::Client, r#"{"command":"of_tomorrow"}"#);
        say(&mut linter, Side::Client, r#"{"command":"game_join","uid":1}"#);
        let json = linter.report.json();
        assert_eq!(
            (&json["problems"][0]["count"], &json["problems"][0]["kind"]),
            (&2.into(), &"unknown command".into())
        );
        assert_eq!(json["problems"][0]["first"]["message"]["command"], "of_tomorrow");
        assert_eq!(json["problems"][1]["kind"], "wrong time");
        let text = linter.report.to_string();
        assert!(text.contains("2 x client `of_tomorrow`: unknown command:"), "{text}");
        assert!(!text.contains("hunter2") && !json.to_string().contains("hunter2"), "{text}");
    }

    #[test]
    fn no_secret_is_in_a_report() {
        let mut linter = linter();
        for text in [
            r#"{"command":"hello","login":"Ada","password":"hunter2","unique_id":5}"#,
            r#"{"command":"hello","login":"Ada","password":["hunter2"],"unique_id":"hunter2"}"#,
            r#"{"command":"auth","token":{"hunter2":5},"unique_id":["hunter2"]}"#,
            r#"{"command":"game_host","visibility":"hm","password":"hunter2"}"#,
        ] {
            say(&mut linter, Side::Client, text);
        }
        let report = format!("{} {}", linter.report, linter.report.json());
        assert!(!report.contains("hunter2") && report.contains("secret:"), "{report}");
    }

    /// A client invents commands, and fills the terminal.
    #[test]
    fn a_report_is_bounded() {
        let mut linter = linter();
        for number in 0..PROBLEM_LIMIT + 50 {
            let text = format!(r#"{{"command":"{number}\u001b[2J{}"}}"#, "x".repeat(10_000));
            say(&mut linter, Side::Client, &text);
        }
        assert_eq!((linter.report.problems.len(), linter.report.others), (PROBLEM_LIMIT, 50));
        let text = linter.report.to_string();
        assert!(text.len() < PROBLEM_LIMIT * 1_500 && !text.contains('\u{1b}'), "{}", text.len());
        let kept: usize = linter.report.problems.values().map(|found| found.message.len()).sum();
        assert!(kept <= PROBLEM_LIMIT * (KEPT_LIMIT + 3), "{kept}");
    }

    #[test]
    fn bytes_that_are_no_message_are_a_problem() {
        let mut linter = linter();
        let error = DecodeError::TooLarge { limit: 1, size: 2 };
        linter.malformed(Duration::ZERO, RecordedConn(1), Side::Server, b"hunter2", &error);
        let text = linter.report.to_string();
        assert!(text.contains("1 x server: not a message: message of 2 bytes"), "{text}");
        assert!(!text.contains("hunter2"));
    }
}
