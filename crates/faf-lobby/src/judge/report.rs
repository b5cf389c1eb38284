//! The outcome of a judged recording.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use serde::Serialize;

/// Number of kinds of differences that are told apart; the others are counted together.
const KINDS: usize = 500;

/// Maximum number of characters of a kind.
const KIND: usize = 160;

/// The outcome of a judged recording.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Recorded time that was judged, in seconds.
    pub seconds: f64,
    /// Number of connections.
    pub connections: u64,
    /// Number of messages of clients that were passed to the lobby.
    pub from_clients: u64,
    /// Messages to clients, by command.
    pub commands: BTreeMap<String, Messages>,
    /// Differences by kind, the first ones first.
    pub kinds: Vec<Kind>,
    /// Entries of the list of differences that have explained nothing, with their reasons.
    pub unused: Vec<String>,
    /// Rounds of queues.
    pub rounds: RoundCounts,
    /// Things that were brought to the recorded state after a difference, or could not be judged.
    pub remarks: BTreeMap<String, u64>,
    /// Why the judge has stopped before the end of the recording.
    pub stopped: Option<String>,
}

/// Numbers of messages to clients with one command.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Messages {
    /// In the recording.
    pub recorded: u64,
    /// From this lobby.
    pub ours: u64,
    /// Differences that the list of differences explains.
    pub listed: u64,
    /// Differences that it does not explain.
    pub unexplained: u64,
}

/// Differences of one kind: the same but for names and numbers.
#[derive(Debug, Serialize)]
pub struct Kind {
    /// The differences, without names and numbers.
    pub what: String,
    /// Why they are deliberate; `None` if nothing explains them.
    pub reason: Option<String>,
    /// Number of differences.
    pub count: u64,
    /// The first of them.
    pub example: Example,
}

/// A difference, with what came before it.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Number of the example, from 1.
    pub number: usize,
    /// Number of the connection in the recording.
    pub connection: u64,
    /// Name of the player, if one has logged in on it.
    pub player: Option<String>,
    /// Time since the recording began, in seconds.
    pub at: f64,
    /// The difference.
    pub what: String,
    /// The last messages on the connection until then, each with its time and direction.
    pub before: Vec<String>,
    /// Direct messages that the client was sent in the recording, in the piece with the difference.
    pub recorded: Vec<String>,
    /// Direct messages that it would have been sent.
    pub ours: Vec<String>,
}

/// Numbers of rounds and matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RoundCounts {
    /// Rounds that the recording shows.
    pub played: u64,
    /// Recorded matches.
    pub matches: u64,
    /// Those that this lobby would have made, too, in the same round.
    pub same: u64,
    /// Those that it could not make, because a player does not search in this queue.
    pub impossible: u64,
}

impl Report {
    /// Returns the number of differences that nothing explains.
    #[must_use]
    pub fn unexplained(&self) -> u64 {
        self.commands.values().map(|messages| messages.unexplained).sum()
    }

    /// Returns the number of differences that the list explains.
    #[must_use]
    pub fn listed(&self) -> u64 {
        self.commands.values().map(|messages| messages.listed).sum()
    }

    /// Returns the number of recorded messages to clients.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.commands.values().map(|messages| messages.recorded).sum()
    }

    /// Returns whether nothing is unexplained and everything was judged.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.unexplained() == 0 && self.stopped.is_none()
    }

    pub(super) fn remark(&mut self, what: &str) {
        *self.remarks.entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn count(&mut self, command: &str, count: impl FnOnce(&mut Messages)) {
        match self.commands.get_mut(command) {
            Some(messages) => count(messages),
            None => count(self.commands.entry(bounded(command)).or_default()),
        }
    }

    /// Adds a difference. `example` is called for the first one of a kind.
    pub(super) fn add(&mut self, what: &str, reason: Option<&str>, example: impl FnOnce() -> Example) {
        self.count(command(what), |messages| match reason {
            Some(_) => messages.listed += 1,
            None => messages.unexplained += 1,
        });
        let mut kind = kind(what);
        let is_known = |one: &&mut Kind| one.what == kind && one.reason.as_deref() == reason;
        if let Some(known) = self.kinds.iter_mut().find(is_known) {
            known.count += 1;
            return;
        }
        if self.kinds.len() >= KINDS {
            "others".clone_into(&mut kind);
            let is_other = |one: &&mut Kind| one.what == kind && one.reason.is_some() == reason.is_some();
            if let Some(known) = self.kinds.iter_mut().find(is_other) {
                known.count += 1;
                return;
            }
        }
        let example = Example { number: self.kinds.len() + 1, ..example() };
        self.kinds.push(Kind { what: kind, reason: reason.map(str::to_owned), count: 1, example });
    }
}

/// Commands come from a file, so their number and length are bounded.
fn bounded(command: &str) -> String {
    command.chars().take(40).collect()
}

/// Returns the command of the messages that a difference is about.
fn command(what: &str) -> &str {
    let about = ["missing ", "unexpected "].iter().find_map(|word| what.strip_prefix(word)).unwrap_or(what);
    let word = about.split([' ', '.', ':']).next().unwrap_or_default();
    match word {
        "player" | "broadcast" => "player_info",
        "game" => "game_info",
        "queue" => "matchmaker_info",
        "the" => "the end",
        word => word,
    }
}

/// Returns a difference without names and numbers.
fn kind(what: &str) -> String {
    let (mut kind, mut length) = (String::new(), 0);
    let mut rest = what.chars().peekable();
    while let Some(character) = rest.next() {
        if length >= KIND {
            kind.push('…');
            break;
        }
        length += 1;
        match character {
            '0'..='9' => {
                while rest.next_if(|next| next.is_ascii_digit() || *next == '.').is_some() {}
                kind.push('#');
            }
            other => kind.push(other),
        }
    }
    kind
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Duration::from_secs_f64(self.seconds.max(0.0)).as_secs();
        writeln!(
            f,
            "judged {}:{:02}:{:02}: {} connections, {} messages of clients, {} to them",
            time / 3600,
            time / 60 % 60,
            time % 60,
            self.connections,
            self.from_clients,
            self.recorded()
        )?;
        writeln!(
            f,
            "\n{:<28} {:>10} {:>10} {:>10} {:>12}",
            "command", "recorded", "ours", "listed", "unexplained"
        )?;
        for (command, Messages { recorded, ours, listed, unexplained }) in &self.commands {
            writeln!(f, "{command:<28} {recorded:>10} {ours:>10} {listed:>10} {unexplained:>12}")?;
        }
        let RoundCounts { played, matches, same, impossible } = self.rounds;
        if played > 0 {
            writeln!(
                f,
                "\nrounds of queues: {played}; matches: {matches}, of which this lobby would have made {same} in the same \
                 round, and cannot make {impossible}"
            )?;
        }
        for is_unexplained in [true, false] {
            let mut kinds =
                self.kinds.iter().filter(|kind| kind.reason.is_none() == is_unexplained).peekable();
            if kinds.peek().is_some() {
                f.write_str(if is_unexplained {
                    "\nunexplained differences:\n"
                } else {
                    "\nlisted differences:\n"
                })?;
            }
            for Kind { what, reason, count, example } in kinds {
                writeln!(f, "{count:>8}  {what}")?;
                match reason {
                    Some(reason) => writeln!(f, "          because: {}", one_line(reason))?,
                    None => writeln!(f, "          example {}: {example}", example.number)?,
                }
            }
        }
        for (remark, count) in &self.remarks {
            writeln!(f, "\n{count:>8}  {remark}")?;
        }
        if !self.unused.is_empty() {
            writeln!(f, "\n{} lines of the list of differences were not needed", self.unused.len())?;
        }
        if let Some(stopped) = &self.stopped {
            writeln!(f, "\nstopped: {stopped}")?;
        }
        match (self.unexplained(), self.listed()) {
            (0, 0) => writeln!(f, "\neverything is equal"),
            (0, listed) => writeln!(f, "\neverything is equal, but for {listed} listed differences"),
            (unexplained, listed) => {
                writeln!(f, "\n{unexplained} differences are unexplained, {listed} are listed")
            }
        }
    }
}

impl Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s, connection {}", self.at, self.connection)?;
        if let Some(player) = &self.player {
            write!(f, " ({player})")?;
        }
        let mut what: String = self.what.chars().take(400).collect();
        if what.len() < self.what.len() {
            let _ = what.write_str("...");
        }
        write!(f, ": {what}")
    }
}

/// Returns a text in one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn differences_have_a_command_and_a_kind() {
    for (what, of, like) in [
        ("missing player 7", "player_info", "missing player #"),
        (
            "game 12: game.title is \"1 v 1\", was \"x\"",
            "game_info",
            "game #: game.title is \"# v #\", was \"x\"",
        ),
        ("notice.text is additional", "notice", "notice.text is additional"),
        ("missing the end", "the end", "missing the end"),
        ("unexpected notice {\"a\":1.5}", "notice", "unexpected notice {\"a\":#}"),
        (
            "queue ladder1v1: queue.num_players is 1, was 2",
            "matchmaker_info",
            "queue ladder#v#: queue.num_players is #, was #",
        ),
    ] {
        assert_eq!((command(what), kind(what).as_str()), (of, like));
    }
}
