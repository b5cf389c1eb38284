//! Deliberate differences from the sessions.

mod history;
mod pattern;
mod stream;

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::compare::Finding;

use history::Condition;
pub use history::{BROKER, History, TOO_LONG, Verb};
use pattern::Pattern;
pub use stream::{Explained, Explanation};

/// The deliberate differences of this repository's server from the original.
pub static OWN: LazyLock<Differences> =
    LazyLock::new(|| Differences::read(include_str!("differences.toml")).expect("tests read the list"));

/// A list of deliberate differences; the head of `differences.toml` describes the format.
#[derive(Debug)]
pub struct Differences(Vec<Difference>);

/// A list of differences that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDifferences(String);

/// Findings that are allowed under certain conditions, for one reason.
#[derive(Debug)]
struct Difference {
    reason: String,
    /// Conditions on the recording.
    when: Vec<Condition>,
    /// Findings that must all occur where the conditions hold.
    shows: Vec<Line>,
    /// Other findings that are allowed there.
    found: Vec<Line>,
    /// Findings that are allowed anywhere from then on.
    then: Vec<Line>,
    /// Whether the difference does not occur in the repository's own sessions.
    is_elsewhere: bool,
}

/// A line of the file, which explains findings.
#[derive(Debug)]
struct Line {
    text: String,
    pattern: Pattern,
}

/// The lines that have explained a finding: the number of the difference and the text.
pub type Used = BTreeSet<(usize, String)>;

impl Differences {
    /// Returns an empty list: the original is expected.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads a list.
    ///
    /// # Errors
    /// If the text is not TOML of the described form, a condition is invalid, an entry has no
    /// reason, or one has `then` without `when` and `shows`.
    pub fn read(text: &str) -> Result<Self, InvalidDifferences> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            difference: Vec<Entry>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            reason: String,
            #[serde(default)]
            when: OneOrMore,
            #[serde(default)]
            shows: OneOrMore,
            #[serde(default)]
            found: OneOrMore,
            #[serde(default)]
            then: OneOrMore,
            #[serde(default)]
            elsewhere: bool,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMore {
            One(String),
            More(Vec<String>),
        }
        impl Default for OneOrMore {
            fn default() -> Self {
                Self::More(Vec::new())
            }
        }
        let list = |texts: OneOrMore| match texts {
            OneOrMore::One(text) => vec![text],
            OneOrMore::More(texts) => texts,
        };
        let lines = |texts: OneOrMore| {
            list(texts).into_iter().map(|text| Line { pattern: Pattern::new(&text), text }).collect()
        };
        let file: File = toml::from_str(text).map_err(|error| InvalidDifferences(error.to_string()))?;
        let read = |entry: Entry| {
            let reason = entry.reason.trim().to_owned();
            let invalid = |what: &str| Err(InvalidDifferences(format!("{what}: {reason}")));
            if reason.is_empty() {
                return invalid("a difference without a reason");
            }
            let conditions = list(entry.when).iter().map(|text| Condition::new(text)).collect();
            let when: Vec<Condition> = match conditions {
                Ok(when) => when,
                Err(text) => return invalid(&format!("an invalid condition, {text}")),
            };
            let (shows, then): (Vec<Line>, Vec<Line>) = (lines(entry.shows), lines(entry.then));
            if !then.is_empty() && when.is_empty() && shows.is_empty() {
                return invalid("`then` without `when` and `shows`");
            }
            let (found, is_elsewhere) = (lines(entry.found), entry.elsewhere);
            Ok(Difference { reason, when, shows, found, then, is_elsewhere })
        };
        Ok(Self(file.difference.into_iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Returns the findings of a session that no line explains, and notes the lines that explain
    /// the others.
    pub fn unexplained(&self, history: &History, findings: &[Finding], used: &mut Used) -> Vec<Finding> {
        self.explain(history, findings, used, &BTreeSet::new(), &mut Vec::new())
    }

    /// Returns the findings that no line explains, and notes the lines that explain the others. The
    /// consequences of the differences in `held` are allowed anywhere. `explaining` gets, for each
    /// finding, the number of the first difference that explains it.
    fn explain(
        &self,
        history: &History,
        findings: &[Finding],
        used: &mut Used,
        held: &BTreeSet<usize>,
        explaining: &mut Vec<Option<usize>>,
    ) -> Vec<Finding> {
        let mut explained = HashMap::new();
        let mut is_unexplained = |finding: &Finding| {
            let mut first = None;
            for (number, difference) in self.0.iter().enumerate() {
                let has_held = held.contains(&number);
                for line in difference.explaining(history, findings, finding, has_held) {
                    if let Some(limit) = difference.limit(history, finding, line) {
                        let place = (number, &line.text, finding.section, finding.client.clone());
                        let count = explained.entry(place).or_insert(0);
                        *count += 1;
                        if *count > limit {
                            continue;
                        }
                    }
                    first.get_or_insert(number);
                    used.insert((number, line.text.clone()));
                }
            }
            explaining.push(first);
            first.is_none()
        };
        findings.iter().filter(|finding| is_unexplained(finding)).cloned().collect()
    }

    /// Returns the lines that have explained nothing.
    pub fn unused(&self, used: &Used) -> Vec<String> {
        let own = self.0.iter().enumerate().filter(|(_, difference)| !difference.is_elsewhere);
        let all = own.flat_map(|(number, difference)| {
            let lines = difference.shows.iter().chain(&difference.found).chain(&difference.then);
            lines.map(move |line| ((number, line.text.clone()), &difference.reason))
        });
        all.filter(|(line, _)| !used.contains(line))
            .map(|((_, line), reason)| format!("{line} ({reason})"))
            .collect()
    }
}

impl Difference {
    /// Returns the lines that explain a finding. `has_held` says that the difference is known to
    /// have applied before.
    fn explaining(
        &self,
        history: &History,
        all: &[Finding],
        finding: &Finding,
        has_held: bool,
    ) -> Vec<&Line> {
        let Finding { section, client, what } = finding;
        // The broker receives the same broadcasts about players and games as clients, so any client
        // may explain it.
        if let Some(what) = what.strip_prefix("broker: ").filter(|what| is_broadcast(what)) {
            let everybody = history.clients().into_iter().map(|client| Some(client.to_owned()));
            let findings =
                everybody.map(|client| Finding { section: *section, client, what: what.to_owned() });
            return findings.flat_map(|finding| self.explaining(history, all, &finding, has_held)).collect();
        }
        // Lines that apply in the same place, then consequences of an earlier place.
        let here: Vec<_> =
            self.shows.iter().chain(&self.found).filter(|line| line.pattern.matches(what)).collect();
        let then: Vec<_> = self.then.iter().filter(|line| line.pattern.matches(what)).collect();
        let mut explaining = Vec::new();
        if !here.is_empty() && self.holds(history, all, *section, client.as_deref()) {
            explaining.extend(here);
        }
        if !then.is_empty() && (has_held || self.has_held(history, all, *section)) {
            explaining.extend(then);
        }
        explaining
    }

    /// Returns whether the conditions hold for a client in a section, and all findings in `shows`
    /// occur there.
    fn holds(&self, history: &History, all: &[Finding], section: usize, client: Option<&str>) -> bool {
        let is_shown = |line: &Line| {
            let here =
                all.iter().filter(|found| found.section == section && found.client.as_deref() == client);
            here.into_iter().any(|found| line.pattern.matches(&found.what))
        };
        self.when.iter().all(|condition| condition.count(history, section, client) > 0)
            && self.shows.iter().all(is_shown)
    }

    /// Returns how many findings a line may explain in one section of one client. For messages to
    /// the client, it is the number of times that it has met the first immediate condition.
    fn limit(&self, history: &History, finding: &Finding, line: &Line) -> Option<usize> {
        ["unexpected ", "missing "].iter().find_map(|word| finding.what.strip_prefix(word))?;
        if is_broadcast(&finding.what) || self.then.iter().any(|then| std::ptr::eq(then, line)) {
            return None;
        }
        let immediate = self.when.iter().find(|condition| condition.is_immediate())?;
        Some(immediate.count(history, finding.section, finding.client.as_deref()))
    }
}

/// Returns whether a finding is about a broadcast on a player or a game.
fn is_broadcast(what: &str) -> bool {
    let about = ["unexpected ", "missing "].iter().find_map(|word| what.strip_prefix(word)).unwrap_or(what);
    ["player ", "game "].iter().any(|kind| about.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::history::tests::history;
    use super::*;

    const FILE: &str = r#"
        [[difference]]
        reason = "Why a game cannot be joined is said."
        when = 'sends {"command":"game_join",*}'
        found = ['unexpected game_join_failed *', 'missing notice']
        then = ['game *: game.state is "open", was "closed"']

        [[difference]]
        reason = "Everywhere."
        found = 'welcome.x is additional'

        [[difference]]
        reason = "A mod must exist."
        shows = 'unexpected notice *no such mod*'
        found = 'missing game_launch'
        then = 'missing game *'

        [[difference]]
        reason = "Never seen here."
        elsewhere = true
        found = 'unexpected game *'
    "#;

    fn finding(section: usize, client: &str, what: &str) -> Finding {
        Finding { section, client: Some(client.to_owned()), what: what.to_owned() }
    }

    fn unexplained(findings: &[Finding]) -> (Vec<Finding>, Vec<String>) {
        let (differences, mut used) = (Differences::read(FILE).unwrap(), Used::new());
        let left = differences.unexplained(&history(), findings, &mut used);
        (left, differences.unused(&used))
    }

    #[test]
    fn findings_are_explained_where_their_conditions_hold() {
        let failed =
            |section: usize, client: &str| finding(section, client, "unexpected game_join_failed {}");
        assert!(unexplained(&[failed(2, "A")]).0.is_empty());
        assert_eq!(unexplained(&[failed(1, "A")]).0.len(), 1);
        assert_eq!(unexplained(&[failed(2, "B")]).0.len(), 1);
        // A third finding is too many for two requests.
        assert_eq!(unexplained(&[failed(2, "A"), failed(2, "A"), failed(2, "A")]).0, [failed(2, "A")]);
        assert!(unexplained(&[finding(9, "B", "welcome.x is additional")]).0.is_empty());
    }

    #[test]
    fn consequences_are_explained_everywhere_from_then_on() {
        let open = |section: usize| finding(section, "B", r#"game 7: game.state is "open", was "closed""#);
        assert!(unexplained(&[open(2), open(5)]).0.is_empty());
        assert_eq!(unexplained(&[open(1)]).0.len(), 1);
    }

    #[test]
    fn broadcasts_to_the_broker_are_explained_like_those_to_clients() {
        let finding = |section: usize, what: &str| Finding { section, client: None, what: what.to_owned() };
        let open = r#"broker: game 7: game.state is "open", was "closed""#;
        assert!(unexplained(&[finding(2, open)]).0.is_empty());
        assert_eq!(unexplained(&[finding(1, open)]).0.len(), 1);
        assert_eq!(unexplained(&[finding(2, "broker: welcome.x is additional")]).0.len(), 1);
    }

    #[test]
    fn findings_that_show_a_difference_must_occur() {
        let (launch, game) = (finding(2, "A", "missing game_launch"), finding(3, "B", "missing game 7"));
        let notice = |section: usize| finding(section, "A", "unexpected notice no such mod");
        assert_eq!(unexplained(&[launch.clone(), game.clone()]).0.len(), 2);
        assert_eq!(unexplained(&[launch.clone(), notice(1)]).0, std::slice::from_ref(&launch));
        assert!(unexplained(&[launch, notice(2), game]).0.is_empty());
    }

    #[test]
    fn lines_that_explain_nothing_are_listed() {
        let findings =
            [finding(2, "A", "unexpected game_join_failed {}"), finding(1, "A", "welcome.x is additional")];
        let unused = unexplained(&findings).1;
        assert_eq!(unused.len(), 5, "{unused:?}");
        assert!(unused[0].starts_with("missing notice (Why a game"), "{unused:?}");
    }
}
