use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::PlayerId;

use super::teams::resolve;
use super::{Outcome, Participant, Reports, group};

/// What one player's process has said of each army.
type Account = BTreeMap<i64, BTreeSet<Outcome>>;

/// Whether it is known how a game went, and it only waits for players who say nothing: losers who
/// watch on, or a process that hangs.
///
/// Nobody contradicts anybody; what was reported settles the game, or at least how every army
/// fared; everybody has ended the game or reported that very result, except for silent players of
/// one single team; and if there are such, somebody else has ended it. So nobody ends a game by a
/// lie that others still play: of two teams, the one that plays on must say nothing, and the other
/// must all have ended the game or lie alike.
#[must_use]
pub fn is_agreed(
    participants: &[Participant],
    reports: &Reports,
    has_ended: impl Fn(PlayerId) -> bool,
) -> bool {
    if reports.is_empty() {
        return false;
    }
    let mut by_all = Account::new();
    let mut by_reporter: BTreeMap<PlayerId, Account> = BTreeMap::new();
    for report in reports.iter() {
        by_all.entry(report.army).or_default().insert(report.outcome);
        let account = by_reporter.entry(report.reporter).or_default();
        account.entry(report.army).or_default().insert(report.outcome);
    }
    let is_disputed = by_all.values().any(|outcomes| outcomes.len() > 1);
    if is_disputed || !settles(participants, &by_all) {
        return false;
    }
    let result = resolve(participants, |participant| outcome_in(&by_all, participant));
    let agrees = |player: PlayerId| {
        by_reporter.get(&player).is_some_and(|account| {
            settles(participants, account)
                && resolve(participants, |participant| outcome_in(account, participant)) == result
        })
    };
    let (ended, others): (Vec<_>, Vec<_>) =
        participants.iter().map(|participant| participant.player).partition(|player| has_ended(*player));
    let silent: Vec<_> = others.into_iter().filter(|player| !agrees(*player)).collect();
    let is_of_one_team = group(participants)
        .iter()
        .any(|team| silent.iter().all(|player| team.iter().any(|member| member.player == *player)));
    silent.is_empty() || !ended.is_empty() && is_of_one_team
}

/// Whether it follows how the teams fared, or else, as with three teams, it is known how everybody
/// did.
fn settles(participants: &[Participant], account: &Account) -> bool {
    let outcome = |participant: &Participant| outcome_in(account, participant);
    let is_known = |participant: &Participant| outcome(participant) != Outcome::Unknown;
    resolve(participants, outcome).is_resolved() || participants.iter().all(is_known)
}

fn outcome_in(account: &Account, participant: &Participant) -> Outcome {
    let outcomes = participant.army.and_then(|army| account.get(&army));
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

    /// Players 1, 2, ... with the armies of these numbers, in these teams.
    fn players(teams: &[i64]) -> Vec<Participant> {
        let participant = |(number, team): (u32, &i64)| Participant {
            player: PlayerId(number),
            army: Some(number.into()),
            team: Some(*team),
        };
        (1..).zip(teams).map(participant).collect()
    }

    /// Who says what about which army, and who has ended the game.
    fn agreed(teams: &[i64], said: &[(u32, i64, &str)], ended: &[u32]) -> bool {
        let mut reports = Reports::default();
        for (reporter, army, word) in said {
            assert!(reports.add(Report::read(PlayerId(*reporter), *army, &format!("{word} 0")).unwrap()));
        }
        is_agreed(&players(teams), &reports, |player| ended.contains(&player.0))
    }

    const DUEL: [i64; 2] = [2, 3];
    const TWO_A_SIDE: [i64; 4] = [2, 3, 2, 3];

    #[test]
    fn a_silent_loser_holds_nothing_back() {
        let said = [(1, 1, "victory"), (1, 2, "defeat")];
        assert!(agreed(&DUEL, &said, &[1]));
        assert!(!agreed(&DUEL, &[], &[1]), "nobody knows the result");
        assert!(!agreed(&DUEL, &said, &[]), "both may still play");
        assert!(agreed(&DUEL, &[(1, 1, "victory"), (2, 1, "victory")], &[]), "both say the same");
        assert!(!agreed(&DUEL, &[(1, 1, "victory"), (2, 1, "defeat")], &[1]), "they say different things");
        assert!(!agreed(&DUEL, &[(1, 2, "defeat")], &[1]), "it does not follow who has won");
    }

    #[test]
    fn one_liar_does_not_end_the_game_of_others() {
        let lie = [(1, 1, "victory")];
        assert!(!agreed(&TWO_A_SIDE, &lie, &[1]));
        assert!(!agreed(&TWO_A_SIDE, &[(1, 1, "victory"), (3, 2, "defeat"), (2, 2, "defeat")], &[1, 2]));
        // The losers watch on, or one of them and nobody else.
        assert!(agreed(&TWO_A_SIDE, &lie, &[1, 3]));
        assert!(agreed(&TWO_A_SIDE, &lie, &[1, 2, 3]));
        assert!(agreed(&TWO_A_SIDE, &[(1, 1, "victory"), (3, 1, "victory"), (4, 1, "victory")], &[4]));
    }

    #[test]
    fn without_two_teams_all_armies_must_be_known() {
        let alone = [NO_TEAM; 3];
        let mut said = vec![(1, 1, "victory"), (1, 2, "defeat")];
        assert!(!agreed(&alone, &said, &[1, 2]));
        said.push((1, 3, "defeat"));
        assert!(agreed(&alone, &said, &[1, 2]));
        assert!(!agreed(&alone, &said, &[1]), "two of them may still fight");
    }
}
