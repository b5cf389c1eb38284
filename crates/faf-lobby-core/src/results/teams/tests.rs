use proptest::prelude::*;

use super::*;
use crate::results::Report;

use Outcome::{Conflicting, Defeat, Draw, Unknown, Victory};

/// A player whose army has the number of their id.
fn participant(player: u32, team: Option<i64>) -> Participant {
    Participant { player: PlayerId(player), army: Some(player.into()), team }
}

/// Reports that give the armies 1, 2, ... these outcomes.
fn reports(outcomes: &[Outcome]) -> Reports {
    let mut reports = Reports::default();
    for (army, outcome) in (1..).zip(outcomes) {
        let texts: &[&str] = match outcome {
            Victory => &["victory 10"],
            Defeat => &["defeat -10"],
            Draw => &["draw 0"],
            Unknown => &[],
            Conflicting => &["victory 10", "defeat -10"],
        };
        for (reporter, text) in (1..).zip(texts) {
            reports.add(Report::read(PlayerId(reporter), army, text).unwrap());
        }
        assert_eq!(reports.verdict(army).outcome, *outcome);
    }
    reports
}

/// The rule and the outcomes of the teams, if the players of teams 2 and 3 have these outcomes.
fn two_teams(one: &[Outcome], other: &[Outcome]) -> (TeamRule, [Outcome; 2]) {
    let teams = one.iter().map(|_| 2).chain(other.iter().map(|_| 3));
    let participants: Vec<_> =
        (1..).zip(teams).map(|(player, team)| participant(player, Some(team))).collect();
    let resolution = resolve_teams(&participants, &reports(&[one, other].concat()));
    let [one, other] = &resolution.teams[..] else { panic!("{resolution:?}") };
    assert_eq!(resolution.is_resolved(), one.outcome != Unknown);
    (resolution.rule, [one.outcome, other.outcome])
}

#[test]
fn every_rule_has_its_outcome() {
    for (one, other, rule, outcomes) in [
        // Row 2 of the table in game-results.md section 3.
        (&[Victory][..], &[Victory][..], TeamRule::BothWon, [Unknown, Unknown]),
        (&[Victory, Defeat], &[Defeat, Victory], TeamRule::BothWon, [Unknown, Unknown]),
        // Row 3.
        (&[Victory], &[Defeat], TeamRule::OneWon, [Victory, Defeat]),
        (&[Defeat], &[Victory], TeamRule::OneWon, [Defeat, Victory]),
        (&[Victory], &[Unknown], TeamRule::OneWon, [Victory, Defeat]),
        (&[Draw], &[Victory], TeamRule::OneWon, [Defeat, Victory]),
        (&[Victory, Draw, Unknown, Conflicting], &[Draw], TeamRule::OneWon, [Victory, Defeat]),
        // Row 4.
        (&[Draw], &[Draw], TeamRule::BothDrew, [Draw, Draw]),
        (&[Draw, Unknown], &[Defeat, Draw], TeamRule::BothDrew, [Draw, Draw]),
        // Row 5.
        (&[Draw], &[Defeat], TeamRule::OneDrew, [Unknown, Unknown]),
        (&[Unknown], &[Draw], TeamRule::OneDrew, [Unknown, Unknown]),
        // Row 6.
        (&[Unknown], &[Defeat], TeamRule::Unclear, [Unknown, Unknown]),
        (&[Defeat, Defeat], &[Conflicting, Defeat], TeamRule::Unclear, [Unknown, Unknown]),
        (&[Unknown], &[Unknown], TeamRule::Unclear, [Unknown, Unknown]),
        // Row 7.
        (&[Defeat], &[Defeat], TeamRule::AllLost, [Draw, Draw]),
        (&[Defeat, Defeat], &[Defeat, Defeat], TeamRule::AllLost, [Draw, Draw]),
    ] {
        assert_eq!(two_teams(one, other), (rule, outcomes), "{one:?} against {other:?}");
    }
}

#[test]
fn games_without_exactly_two_teams_are_unresolved() {
    for teams in [&[][..], &[2], &[1], &[2, 2], &[2, 3, 4], &[1, 1, 1], &[1, 2, 3], &[1, 1, 2]] {
        let participants: Vec<_> =
            (1..).zip(teams).map(|(player, team)| participant(player, Some(*team))).collect();
        let resolution = resolve_teams(&participants, &reports(&[Victory, Defeat, Defeat]));
        assert_eq!(resolution.rule, TeamRule::NotTwoTeams, "{teams:?}");
        assert!(resolution.teams.iter().all(|team| team.outcome == Unknown), "{teams:?}");
    }
}

#[test]
fn team_1_means_no_team() {
    let resolution =
        resolve_teams(&[participant(2, Some(1)), participant(1, Some(1))], &reports(&[Victory, Defeat]));
    assert_eq!(resolution.rule, TeamRule::OneWon);
    assert_eq!(
        resolution.teams,
        [
            ResolvedTeam { outcome: Victory, players: vec![PlayerId(1)] },
            ResolvedTeam { outcome: Defeat, players: vec![PlayerId(2)] },
        ]
    );
}

#[test]
fn teams_come_before_players_without_one() {
    let participants = [(4, Some(1)), (6, Some(3)), (1, Some(1)), (5, Some(2)), (2, None), (3, Some(3))]
        .map(|(player, team)| participant(player, team));
    let resolution = resolve_teams(&participants, &Reports::default());
    let players: Vec<Vec<u32>> =
        resolution.teams.iter().map(|team| team.players.iter().map(|player| player.0).collect()).collect();
    assert_eq!(players, [vec![5], vec![3, 6], vec![1], vec![2], vec![4]]);
}

#[test]
fn a_player_whose_team_is_missing_leaves_the_game_unresolved() {
    let resolution =
        resolve_teams(&[participant(1, Some(2)), participant(2, None)], &reports(&[Victory, Defeat]));
    assert_eq!(resolution.rule, TeamRule::PlayerWithoutTeam);
    assert!(!resolution.is_resolved());
    assert_eq!(resolution.teams.len(), 2);
    assert!(resolution.teams.iter().all(|team| team.outcome == Unknown));
}

#[test]
fn a_player_without_army_is_unknown() {
    let without_army = Participant { army: None, ..participant(2, Some(3)) };
    let resolve =
        |outcome| resolve_teams(&[participant(1, Some(2)), without_army], &reports(&[outcome, Victory]));
    assert_eq!(resolve(Defeat).rule, TeamRule::Unclear);
    assert_eq!(resolve(Victory).rule, TeamRule::OneWon);
}

#[test]
fn a_resolution_survives_serialisation() {
    let resolution =
        resolve_teams(&[participant(1, Some(2)), participant(2, Some(3))], &reports(&[Victory, Defeat]));
    let text = serde_json::to_string(&resolution).unwrap();
    assert_eq!(
        text,
        r#"{"teams":[{"outcome":"VICTORY","players":[1]},{"outcome":"DEFEAT","players":[2]}],"rule":"one_won"}"#
    );
    assert_eq!(serde_json::from_str::<Resolution>(&text).unwrap(), resolution);
}

#[test]
fn rules_are_sentences_for_operators() {
    assert_eq!(TeamRule::AllLost.to_string(), "all players lost, so it is a draw");
    for rule in [
        TeamRule::PlayerWithoutTeam,
        TeamRule::NotTwoTeams,
        TeamRule::BothWon,
        TeamRule::OneWon,
        TeamRule::BothDrew,
        TeamRule::OneDrew,
        TeamRule::Unclear,
        TeamRule::AllLost,
    ] {
        assert_eq!(rule.to_string().starts_with("unresolved: "), !rule.is_resolved(), "{rule}");
    }
}

fn any_game() -> impl Strategy<Value = (Vec<Participant>, Vec<Outcome>)> {
    let army = prop_oneof![8 => Just(true), 1 => Just(false)];
    // Mostly two teams, so that every rule is reached.
    let team = prop_oneof![10 => (2..4_i64).prop_map(Some), 1 => (-1..5_i64).prop_map(Some), 1 => Just(None)];
    let outcome = prop::sample::select(vec![Victory, Defeat, Draw, Unknown, Conflicting]);
    prop::collection::vec((army, team, outcome), 0..7).prop_map(|players| {
        let participants = (1..).zip(&players).map(|(player, &(has_army, team, _))| Participant {
            player: PlayerId(player),
            army: has_army.then_some(player.into()),
            team,
        });
        (participants.collect(), players.iter().map(|&(_, _, outcome)| outcome).collect())
    })
}

proptest! {
    #[test]
    fn at_most_one_team_wins((participants, outcomes) in any_game()) {
        let resolution = resolve_teams(&participants, &reports(&outcomes));
        let with = |outcome| resolution.teams.iter().filter(|team| team.outcome == outcome).count();
        prop_assert_eq!(with(Conflicting), 0);
        if resolution.is_resolved() {
            prop_assert_eq!(resolution.teams.len(), 2);
            prop_assert!((with(Victory), with(Defeat)) == (1, 1) || with(Draw) == 2);
        } else {
            prop_assert_eq!(with(Unknown), resolution.teams.len());
        }
    }

    #[test]
    fn each_player_is_in_one_team_in_any_order(
        ((participants, outcomes), shuffled) in any_game().prop_flat_map(|game| {
            let shuffled = Just(game.0.clone()).prop_shuffle();
            (Just(game), shuffled)
        }),
    ) {
        let resolution = resolve_teams(&participants, &reports(&outcomes));
        let mut players: Vec<_> = resolution.teams.iter().flat_map(|team| &team.players).copied().collect();
        players.sort();
        let expected: Vec<_> = participants.iter().map(|participant| participant.player).collect();
        prop_assert_eq!(players, expected);
        prop_assert_eq!(resolve_teams(&shuffled, &reports(&outcomes)), resolution);
    }
}
