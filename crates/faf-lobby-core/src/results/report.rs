use std::collections::BTreeSet;
use std::fmt;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

/// Maximum length of the text of a report, in bytes. An outcome, a score and the few tags that the
/// game knows take about fifty. Tags are stored and published, so their size must be bounded.
pub const REPORT_TEXT_MAX: usize = 128;

/// Maximum number of tags that are kept of a report; further ones are dropped. The game knows
/// very few.
const TAGS_MAX: usize = 8;

/// The outcome of an army or a team (game-results.md sections 2 and 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// It won.
    Victory,
    /// It lost.
    Defeat,
    /// Nobody won.
    Draw,
    /// Nobody reported it, or no rule decides it.
    Unknown,
    /// Reports contradict each other. Only armies have this outcome.
    Conflicting,
}

impl Outcome {
    /// The name in the database and in publications.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Victory => "VICTORY",
            Self::Defeat => "DEFEAT",
            Self::Draw => "DRAW",
            Self::Unknown => "UNKNOWN",
            Self::Conflicting => "CONFLICTING",
        }
    }

    /// The outcome named by a word of a report. `mutual_draw` is read as a draw, so that the two do
    /// not vote against each other (game-results.md R4).
    fn read(word: &str) -> Option<Self> {
        match word {
            "victory" => Some(Self::Victory),
            "defeat" => Some(Self::Defeat),
            "draw" | "mutual_draw" => Some(Self::Draw),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The report of one player's game on one army (game-results.md section 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Player whose game sent the report.
    pub reporter: PlayerId,
    /// Army that the report is about.
    pub army: i64,
    /// Outcome of the army: victory, defeat or draw.
    pub outcome: Outcome,
    /// Score of the army, for example 10 for a victory and -10 for a defeat.
    pub score: i64,
    /// Further words of the report, in lower case, for example `recall`.
    pub tags: BTreeSet<String>,
}

impl Report {
    /// Reads the text of a `GameResult`: zero or more tags, then the outcome, then the score, in
    /// upper or lower case.
    ///
    /// Returns `None` for any other text, for example `score 1`, and beyond [`REPORT_TEXT_MAX`].
    /// The caller checks whether a player of the game has this army (game-results.md section 1).
    #[must_use]
    pub fn read(reporter: PlayerId, army: i64, text: &str) -> Option<Self> {
        if text.len() > REPORT_TEXT_MAX {
            return None;
        }
        let text = text.to_lowercase();
        let mut words = text.split_whitespace();
        let score = words.next_back()?.parse().ok()?;
        let outcome = Outcome::read(words.next_back()?)?;
        Some(Self { reporter, army, outcome, score, tags: words.take(TAGS_MAX).map(str::to_owned).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<(Outcome, i64, Vec<String>)> {
        let report = Report::read(PlayerId(7), 3, text)?;
        assert_eq!((report.reporter, report.army), (PlayerId(7), 3));
        Some((report.outcome, report.score, report.tags.into_iter().collect()))
    }

    #[test]
    fn outcomes_have_their_names() {
        for (outcome, name) in [
            (Outcome::Victory, "VICTORY"),
            (Outcome::Defeat, "DEFEAT"),
            (Outcome::Draw, "DRAW"),
            (Outcome::Unknown, "UNKNOWN"),
            (Outcome::Conflicting, "CONFLICTING"),
        ] {
            assert_eq!(outcome.to_string(), name);
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("{name:?}"));
        }
    }

    #[test]
    fn a_report_is_tags_an_outcome_and_a_score() {
        let tags = |tags: &[&str]| tags.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (text, expected) in [
            ("victory 10", (Outcome::Victory, 10, tags(&[]))),
            ("defeat -10", (Outcome::Defeat, -10, tags(&[]))),
            ("draw 0", (Outcome::Draw, 0, tags(&[]))),
            ("mutual_draw 0", (Outcome::Draw, 0, tags(&[]))),
            ("recall defeat -10", (Outcome::Defeat, -10, tags(&["recall"]))),
            ("b A b VICTORY 1", (Outcome::Victory, 1, tags(&["a", "b"]))),
            ("defeat victory 1", (Outcome::Victory, 1, tags(&["defeat"]))),
            ("  Victory \t 10\n", (Outcome::Victory, 10, tags(&[]))),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_reports() {
        for text in [
            "",
            " ",
            "victory",
            "10",
            "score 1",
            "recall 1",
            "10 victory",
            "victory ten",
            "victory 1.5",
            "victory 10 recall",
            "unknown 0",
            "conflicting 0",
            "mutual draw_ 0",
            "victory 99999999999999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_length_of_a_report_is_limited() {
        let text = |length: usize| format!("{:>length$}", "victory 10");
        assert!(read(&text(REPORT_TEXT_MAX)).is_some());
        assert_eq!(read(&text(REPORT_TEXT_MAX + 1)), None);
    }

    #[test]
    fn only_the_first_tags_are_kept() {
        let tags = (0..50).map(|number| char::from(b'A' + number).to_string()).collect::<Vec<_>>();
        let (_, _, kept) = read(&format!("{} victory 10", tags.join(" "))).unwrap();
        assert_eq!(kept, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }

    #[test]
    fn a_report_survives_serialisation() {
        let report = Report::read(PlayerId(7), -1, "recall defeat -10").unwrap();
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(text, r#"{"reporter":7,"army":-1,"outcome":"DEFEAT","score":-10,"tags":["recall"]}"#);
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn nearly_valid_text_can_be_read(text in "(\\PC{0,3}[ \t\u{a0}]?(VICTORY|draw|İ|-)?[ 0-9-]{0,25}){0,3}") {
            if let Some((outcome, _, _)) = read(&text) {
                prop_assert!(!matches!(outcome, Outcome::Unknown | Outcome::Conflicting));
            }
        }
    }
}
