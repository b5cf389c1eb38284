use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use super::{Outcome, Participant, Report};

/// Maximum number of reports of one player in one game. With 16 armies that is four for each. A
/// game sends one per army, seldom two; but any player may report any army, so without a limit one
/// player could fill the memory.
pub const REPORTS_PER_REPORTER_MAX: usize = 64;

/// All reports of one game, in the order of arrival.
///
/// At most [`REPORTS_PER_REPORTER_MAX`] of each player; the game bounds the number of players.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reports(Vec<Report>);

/// The verdict of all reports on one army (game-results.md section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmyVerdict {
    /// Outcome that won the vote.
    pub outcome: Outcome,
    /// Number of players who reported each outcome. A player who reported several counts for each.
    pub votes: BTreeMap<Outcome, usize>,
    /// The most frequently reported score, the largest if several are equally frequent; 0 without
    /// reports. Any `i64`, as players choose it.
    pub score: i64,
    /// The tags that were most often reported together, sorted; empty if several sets are
    /// equally frequent.
    pub metadata: Vec<String>,
}

impl Reports {
    /// Adds a report. Returns `false` and adds nothing beyond [`REPORTS_PER_REPORTER_MAX`].
    pub fn add(&mut self, report: Report) -> bool {
        let count = self.0.iter().filter(|earlier| earlier.reporter == report.reporter).count();
        let has_room = count < REPORTS_PER_REPORTER_MAX;
        if has_room {
            self.0.push(report);
        }
        has_room
    }

    /// Returns the reports that count: those of players. Reports of observers count only if no
    /// player has reported anything, so they never change what players report, whether the players
    /// agree or not.
    #[must_use]
    pub fn counting(&self, plays: impl Fn(PlayerId) -> bool) -> Self {
        let of_players: Vec<_> = self.0.iter().filter(|report| plays(report.reporter)).cloned().collect();
        if of_players.is_empty() { self.clone() } else { Self(of_players) }
    }

    /// Returns whether there are no reports.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether any report is about this army.
    #[must_use]
    pub fn has(&self, army: i64) -> bool {
        self.about(army).next().is_some()
    }

    /// The reports in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = &Report> {
        self.0.iter()
    }

    /// Returns the verdict on an army; `UNKNOWN` without reports (game-results.md section 2).
    #[must_use]
    pub fn verdict(&self, army: i64) -> ArmyVerdict {
        let voters: BTreeSet<_> = self.about(army).map(|report| (report.outcome, report.reporter)).collect();
        let votes = frequencies(voters.into_iter().map(|(outcome, _)| outcome));
        let scores = frequencies(self.about(army).map(|report| report.score));
        ArmyVerdict {
            outcome: decide(&votes),
            votes,
            score: scores
                .into_iter()
                .max_by_key(|&(score, count)| (count, score))
                .map_or(0, |(score, _)| score),
            metadata: self.metadata(army),
        }
    }

    /// Returns the verdict on the player's army; `UNKNOWN` if the player has none.
    #[must_use]
    pub fn verdict_of(&self, participant: &Participant) -> ArmyVerdict {
        participant.army.map_or_else(ArmyVerdict::unknown, |army| self.verdict(army))
    }

    fn metadata(&self, army: i64) -> Vec<String> {
        let mut sets: Vec<_> = frequencies(self.about(army).map(|report| &report.tags)).into_iter().collect();
        sets.sort_by_key(|&(_, count)| Reverse(count));
        match sets[..] {
            [(_, first), (_, second), ..] if first == second => Vec::new(),
            [(tags, _), ..] => tags.iter().cloned().collect(),
            [] => Vec::new(),
        }
    }

    fn about(&self, army: i64) -> impl Iterator<Item = &Report> {
        self.0.iter().filter(move |report| report.army == army)
    }
}

impl ArmyVerdict {
    /// The score clamped to what the database can hold, -128 to 127, because a score out of this
    /// range would make the update of all players fail (game-results.md R9).
    #[must_use]
    pub fn stored_score(&self) -> i8 {
        let nearest = self.score.clamp(i8::MIN.into(), i8::MAX.into());
        i8::try_from(nearest).expect("the score is within the bounds of the type")
    }

    fn unknown() -> Self {
        Self { outcome: Outcome::Unknown, votes: BTreeMap::new(), score: 0, metadata: Vec::new() }
    }
}

/// An outcome wins if there is no other, if it has at least two votes and the runner-up at most
/// one, or if it leads by three.
fn decide(votes: &BTreeMap<Outcome, usize>) -> Outcome {
    let mut ranking: Vec<_> = votes.iter().map(|(&outcome, &count)| (outcome, count)).collect();
    ranking.sort_by_key(|&(_, count)| Reverse(count));
    match ranking[..] {
        [] => Outcome::Unknown,
        [(only, _)] => only,
        [(top, first), (_, second), ..] if (first >= 2 && second <= 1) || first >= second + 3 => top,
        _ => Outcome::Conflicting,
    }
}

fn frequencies<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ARMY: i64 = 1;

    fn report(reporter: u32, text: &str) -> Report {
        Report::read(PlayerId(reporter), ARMY, text).unwrap()
    }

    fn reports(all: impl IntoIterator<Item = Report>) -> Reports {
        let mut reports = Reports::default();
        for report in all {
            assert!(reports.add(report));
        }
        reports
    }

    /// The verdict if each text is reported by a different player.
    fn verdict(texts: &[&str]) -> ArmyVerdict {
        reports((1..).zip(texts).map(|(reporter, text)| report(reporter, text))).verdict(ARMY)
    }

    /// The outcome if this many players report victory, defeat and draw.
    fn vote(counts: [usize; 3]) -> Outcome {
        let texts = ["victory 1", "defeat 1", "draw 1"];
        verdict(
            &counts.into_iter().zip(texts).flat_map(|(count, text)| vec![text; count]).collect::<Vec<_>>(),
        )
        .outcome
    }

    #[test]
    fn players_vote() {
        for (counts, outcome) in [
            ([0, 0, 0], Outcome::Unknown),
            ([1, 0, 0], Outcome::Victory),
            ([0, 3, 0], Outcome::Defeat),
            ([0, 0, 2], Outcome::Draw),
            ([1, 1, 0], Outcome::Conflicting),
            ([2, 1, 0], Outcome::Victory),
            ([1, 2, 0], Outcome::Defeat),
            ([1, 1, 2], Outcome::Draw),
            ([2, 1, 1], Outcome::Victory),
            ([1, 1, 1], Outcome::Conflicting),
            ([2, 2, 0], Outcome::Conflicting),
            ([3, 2, 0], Outcome::Conflicting),
            ([4, 2, 0], Outcome::Conflicting),
            ([5, 2, 0], Outcome::Victory),
            ([2, 5, 2], Outcome::Defeat),
            ([5, 3, 0], Outcome::Conflicting),
            ([6, 3, 0], Outcome::Victory),
        ] {
            assert_eq!(vote(counts), outcome, "{counts:?}");
        }
    }

    #[test]
    fn a_reporter_votes_once_for_each_outcome() {
        let reports = reports([
            report(1, "victory 1"),
            report(1, "victory 1"),
            report(1, "victory 1"),
            report(1, "defeat 1"),
        ]);
        let verdict = reports.verdict(ARMY);
        assert_eq!(verdict.votes, BTreeMap::from([(Outcome::Victory, 1), (Outcome::Defeat, 1)]));
        assert_eq!(verdict.outcome, Outcome::Conflicting);
    }

    #[test]
    fn observers_do_not_outvote_players() {
        let plays = |player: PlayerId| player.0 <= 2;
        let observers = [report(7, "victory 1"), report(8, "victory 1"), report(9, "victory 1")];
        let counted = |of_players: &[Report]| {
            reports(observers.iter().chain(of_players).cloned()).counting(plays).verdict(ARMY).outcome
        };
        assert_eq!(counted(&[]), Outcome::Victory);
        assert_eq!(counted(&[report(1, "defeat 1")]), Outcome::Defeat);
        assert_eq!(counted(&[report(1, "victory 1"), report(2, "defeat 1")]), Outcome::Conflicting);
    }

    #[test]
    fn both_kinds_of_draw_are_one() {
        let verdict = verdict(&["draw 0", "mutual_draw 0"]);
        assert_eq!(verdict.outcome, Outcome::Draw);
        assert_eq!(verdict.votes, BTreeMap::from([(Outcome::Draw, 2)]));
    }

    #[test]
    fn the_most_frequent_score_counts() {
        assert_eq!(verdict(&[]).score, 0);
        assert_eq!(verdict(&["victory -3"]).score, -3);
        assert_eq!(verdict(&["victory 1", "victory 1", "victory 10"]).score, 1);
        assert_eq!(verdict(&["victory 10", "victory 1"]).score, 10);
        assert_eq!(verdict(&["defeat -10", "defeat -1", "defeat -10", "defeat -1", "defeat 5"]).score, -1);
    }

    #[test]
    fn the_most_frequent_tags_count() {
        assert_eq!(verdict(&[]).metadata, [""; 0]);
        assert_eq!(verdict(&["recall defeat 1"]).metadata, ["recall"]);
        assert_eq!(verdict(&["b a defeat 1", "A B defeat 1", "defeat 1"]).metadata, ["a", "b"]);
        assert_eq!(verdict(&["defeat 1", "a defeat 1", "defeat 1"]).metadata, [""; 0]);
        assert_eq!(verdict(&["a defeat 1", "b defeat 1"]).metadata, [""; 0], "a tie");
        assert_eq!(verdict(&["a defeat 1", "defeat 1"]).metadata, [""; 0], "a tie");
        assert_eq!(verdict(&["a defeat 1", "b defeat 1", "defeat 1", "b defeat 1"]).metadata, ["b"]);
    }

    #[test]
    fn scores_are_clamped_to_the_range_of_the_database() {
        for (score, stored) in [(0, 0), (127, 127), (128, 127), (-128, -128), (-129, -128), (i64::MIN, -128)]
        {
            assert_eq!(verdict(&[&format!("victory {score}")]).stored_score(), stored);
        }
    }

    #[test]
    fn a_player_has_the_verdict_of_their_army() {
        let reports = reports([report(1, "recall victory 10")]);
        let of = |army| reports.verdict_of(&Participant { player: PlayerId(1), army, team: Some(2) });
        assert_eq!(of(Some(ARMY)), reports.verdict(ARMY));
        assert_eq!(of(Some(ARMY)).outcome, Outcome::Victory);
        assert_eq!(of(None), Reports::default().verdict(ARMY));
    }

    #[test]
    fn the_number_of_reports_is_limited() {
        let mut reports = Reports::default();
        for _ in 0..REPORTS_PER_REPORTER_MAX {
            assert!(reports.add(report(1, "victory 1")));
        }
        assert!(!reports.add(report(1, "defeat 1")));
        assert!(reports.add(report(2, "defeat 1")));
        assert_eq!(reports.iter().count(), REPORTS_PER_REPORTER_MAX + 1);
    }

    #[test]
    fn reports_are_found_by_army() {
        let mut reports = Reports::default();
        assert!(reports.is_empty() && !reports.has(ARMY));
        assert!(reports.add(report(1, "victory 1")));
        assert!(!reports.is_empty() && reports.has(ARMY) && !reports.has(ARMY + 1));
        let text = serde_json::to_string(&reports).unwrap();
        assert_eq!(serde_json::from_str::<Reports>(&text).unwrap(), reports);
    }

    fn any_reports() -> impl Strategy<Value = Vec<Report>> {
        let word = prop::sample::select(vec![
            "victory",
            "defeat",
            "draw",
            "mutual_draw",
            "recall defeat",
            "a b draw",
        ]);
        let any_report = (0..6_u32, 1..4_i64, word, -2..3).prop_map(|(reporter, army, word, score)| {
            Report::read(PlayerId(reporter), army, &format!("{word} {score}")).unwrap()
        });
        // Long enough for reporters to reach their limit.
        prop::collection::vec(any_report, 0..2 * REPORTS_PER_REPORTER_MAX * 6)
    }

    fn verdicts(reports: &[Report]) -> Vec<ArmyVerdict> {
        let mut all = Reports::default();
        for report in reports {
            all.add(report.clone());
        }
        (0..5).map(|army| all.verdict(army)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_order_of_reporters_does_not_matter(
            reports in any_reports(),
            order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(),
        ) {
            let mut reordered = reports.clone();
            reordered.sort_by_key(|report| order[report.reporter.0 as usize]);
            prop_assert_eq!(verdicts(&reordered), verdicts(&reports));
        }

        #[test]
        fn armies_without_reports_are_unknown(reports in any_reports(), army: i64) {
            let mut all = Reports::default();
            for report in reports.into_iter().filter(|report| report.army != army) {
                all.add(report);
            }
            prop_assert!(!all.has(army));
            prop_assert_eq!(all.verdict(army), ArmyVerdict::unknown());
        }
    }
}
