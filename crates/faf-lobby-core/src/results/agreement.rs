use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::PlayerId;

use super::teams::resolve;
use super::{Outcome, Participant, Reports, group};

/// The outcomes that reports give each army. More than one for an army is a conflict.
type OutcomesByArmy = BTreeMap<i64, BTreeSet<Outcome>>;

/// Returns whether the result is known and the game waits only for players who report nothing:
/// losers who keep watching, or a process that hangs.
///
/// All of these must hold:
/// - No two reports contradict each other.
/// - The reports settle the game, or at least the outcome of every army.
/// - Everyone has ended the game or reported that same result, except for silent players of
///   one team.
/// - If there are silent players, at least one other player has ended the game.
///
/// So a false report cannot end a game that others still play: of two teams, the one that plays on
/// would have to send nothing, and every player of the other would have to end the game or send the
/// same false report.
#[must_use]
pub fn is_agreed(
    participants: &[Participant],
    reports: &Reports,
    has_ended: impl Fn(PlayerId) -> bool,
) -> bool {
    if reports.is_empty() {
        return false;
    }
    let mut by_all = OutcomesByArmy::new();
    let mut by_reporter: BTreeMap<PlayerId, OutcomesByArmy> = BTreeMap::new();
    for report in reports.iter() {
        by_all.entry(report.army).or_default().insert(report.outcome);
        let own = by_reporter.entry(report.reporter).or_default();
        own.entry(report.army).or_default().insert(report.outcome);
    }
    // The reports must agree with each other and settle the game.
    let is_disputed = by_all.values().any(|outcomes| outcomes.len() > 1);
    if is_disputed || !settles(participants, &by_all) {
        return false;
    }
    let result = resolve(participants, |participant| outcome_in(&by_all, participant));
    // A player agrees whose own reports alone lead to the same result.
    let agrees = |player: PlayerId| {
        by_reporter.get(&player).is_some_and(|own| {
            settles(participants, own)
                && resolve(participants, |participant| outcome_in(own, participant)) == result
        })
    };
    let (ended, others): (Vec<_>, Vec<_>) =
        participants.iter().map(|participant| participant.player).partition(|player| has_ended(*player));
    let silent: Vec<_> = others.into_iter().filter(|player| !agrees(*player)).collect();
    // Silent players are tolerated in one team only, and only after somebody has ended the game.
    let is_of_one_team = group(participants)
        .iter()
        .any(|team| silent.iter().all(|player| team.iter().any(|member| member.player == *player)));
    silent.is_empty() || !ended.is_empty() && is_of_one_team
}

/// Returns whether the reports decide the teams' outcomes or, for example with three teams, at
/// least give every player an outcome.
fn settles(participants: &[Participant], by_army: &OutcomesByArmy) -> bool {
    let outcome = |participant: &Participant| outcome_in(by_army, participant);
    let is_known = |participant: &Participant| outcome(participant) != Outcome::Unknown;
    resolve(participants, outcome).is_resolved() || participants.iter().all(is_known)
}

fn outcome_in(by_army: &OutcomesByArmy, participant: &Participant) -> Outcome {
    let outcomes = participant.army.and_then(|army| by_army.get(&army));
    match outcomes.map(|outcomes| outcomes.iter().collect::<Vec<_>>()).as_deref() {
        None | Some([]) => Outcome::Unknown,
        Some([only]) => **only,
        Some(_) => Outcome::Conflicting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{NO_TEAM, Report};

    /// Players 1, 2, ... in these teams; each has the army of the same number.
    fn players(teams: &[i64]) -> Vec<Participant> {
        let participant = |(number, team): (u32, &i64)| Participant {
            player: PlayerId(number),
            army: Some(number.into()),
            team: Some(*team),
        };
        (1..).zip(teams).map(participant).collect()
    }

    /// Runs [`is_agreed`] on reports given as (reporter, army, outcome) and on the players who have
    /// ended the game.
    fn agreed(teams: &[i64], reported: &[(u32, i64, &str)], ended: &[u32]) -> bool {
        let mut reports = Reports::default();
        for (reporter, army, outcome) in reported {
            assert!(reports.add(Report::read(PlayerId(*reporter), *army, &format!("{outcome} 0")).unwrap()));
        }
        is_agreed(&players(teams), &reports, |player| ended.contains(&player.0))
    }

    const DUEL: [i64; 2] = [2, 3];
    const TWO_A_SIDE: [i64; 4] = [2, 3, 2, 3];

    #[test]
    fn a_silent_loser_does_not_hold_up_the_result() {
        let reported = [(1, 1, "victory"), (1, 2, "defeat")];
        assert!(agreed(&DUEL, &reported, &[1]));
        assert!(!agreed(&DUEL, &[], &[1]), "no result is known");
        assert!(!agreed(&DUEL, &reported, &[]), "both may still play");
        assert!(agreed(&DUEL, &[(1, 1, "victory"), (2, 1, "victory")], &[]), "both report the same");
        assert!(!agreed(&DUEL, &[(1, 1, "victory"), (2, 1, "defeat")], &[1]), "their reports differ");
        assert!(!agreed(&DUEL, &[(1, 2, "defeat")], &[1]), "the winner does not follow");
    }

    #[test]
    fn one_liar_does_not_end_the_game_of_others() {
        let lie = [(1, 1, "victory")];
        assert!(!agreed(&TWO_A_SIDE, &lie, &[1]));
        assert!(!agreed(&TWO_A_SIDE, &[(1, 1, "victory"), (3, 2, "defeat"), (2, 2, "defeat")], &[1, 2]));
        // Both losers keep watching, or only one of them.
        assert!(agreed(&TWO_A_SIDE, &lie, &[1, 3]));
        assert!(agreed(&TWO_A_SIDE, &lie, &[1, 2, 3]));
        assert!(agreed(&TWO_A_SIDE, &[(1, 1, "victory"), (3, 1, "victory"), (4, 1, "victory")], &[4]));
    }

    #[test]
    fn without_two_teams_all_armies_must_be_known() {
        let alone = [NO_TEAM; 3];
        let mut reported = vec![(1, 1, "victory"), (1, 2, "defeat")];
        assert!(!agreed(&alone, &reported, &[1, 2]));
        reported.push((1, 3, "defeat"));
        assert!(agreed(&alone, &reported, &[1, 2]));
        assert!(!agreed(&alone, &reported, &[1]), "two of them may still fight");
    }
}
