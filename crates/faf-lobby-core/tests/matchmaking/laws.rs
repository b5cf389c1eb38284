//! Laws that hold in every round, whatever the ratings.

use std::collections::BTreeSet;

use faf_lobby_core::matchmaking::candidate::self_quality;
use faf_lobby_core::matchmaking::teams;
use faf_lobby_core::matchmaking::{
    Candidate, MatchQuality, MatchmakingSettings, Member, QueueRules, Round, Unmatched, UnmatchedReason,
    play_round,
};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;
use proptest::prelude::*;

use crate::straightforward::{self, Search};

proptest! {
    /// The counts of matched and unmatched searches partition the queue, parties stay together,
    /// and both teams are full.
    #[test]
    fn every_search_is_in_one_match_or_has_a_reason(
        searches in any_searches(any_rating()), queue in any_queue(), settings in any_settings(),
    ) {
        let round = play(&searches, queue, &settings);
        let mut seen: Vec<usize> = round.matches.iter().flat_map(|found| found.teams.iter().flatten().copied()).collect();
        for found in &round.matches {
            for team in &found.teams {
                let players: usize = team.iter().map(|&search| searches[search].members.len()).sum();
                prop_assert_eq!(players as u32, queue.team_size);
            }
        }
        let matched: BTreeSet<PlayerId> = seen.iter()
            .flat_map(|&search| searches[search].members.iter().map(|member| member.player))
            .collect();
        prop_assert_eq!(matched.len(), round.matches.len() * 2 * queue.team_size as usize);

        seen.extend(round.unmatched.iter().map(|unmatched| unmatched.candidate));
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..searches.len()).collect::<Vec<_>>());
    }

    #[test]
    fn matches_are_good_enough(
        searches in any_searches(usual_rating()), queue in any_queue(), settings in any_settings(),
    ) {
        for found in play(&searches, queue, &settings).matches {
            match found.quality {
                MatchQuality::Pair(pair) => {
                    prop_assert!(pair.thresholds.iter().all(|&threshold| pair.quality >= threshold), "{:?}", pair);
                }
                MatchQuality::Teams(game) => prop_assert!(game.quality >= settings.minimum_game_quality),
            }
        }
    }

    #[test]
    fn reasons_are_true(
        searches in any_searches(usual_rating()), queue in any_queue(), settings in any_settings(),
    ) {
        let round = play(&searches, queue, &settings);
        let matched: BTreeSet<usize> =
            round.matches.iter().flat_map(|found| found.teams.iter().flatten().copied()).collect();
        for unmatched in &round.unmatched {
            let search = unmatched.candidate;
            let pair = |other: usize| straightforward_pair(&searches, search, other, &settings);
            match unmatched.reason {
                UnmatchedReason::TooFewPlayers { waiting, needed } => prop_assert!(waiting < needed),
                UnmatchedReason::PartyTooLarge { size, team_size } => {
                    prop_assert!(size > team_size);
                    prop_assert_eq!(size as usize, searches[search].members.len());
                }
                UnmatchedReason::BelowThreshold { opponent, quality, threshold } => {
                    prop_assert_eq!((quality, threshold), (pair(opponent).0, pair(opponent).1));
                    prop_assert!(quality < threshold);
                }
                UnmatchedReason::RefusedByOpponents { opponent, quality, threshold } => {
                    let (expected, own, theirs) = pair(opponent);
                    prop_assert_eq!((quality, threshold), (expected, theirs));
                    prop_assert!(own <= quality && quality < threshold);
                }
                UnmatchedReason::OpponentsPlayOthers { opponent, quality } => {
                    let (expected, own, theirs) = pair(opponent);
                    prop_assert_eq!(quality, expected);
                    prop_assert!(own <= quality && theirs <= quality && matched.contains(&opponent));
                }
                UnmatchedReason::RoundEnded { opponent, quality } => {
                    let (expected, own, theirs) = pair(opponent);
                    prop_assert_eq!(quality, expected);
                    prop_assert!(own <= quality && theirs <= quality && !matched.contains(&opponent));
                }
                UnmatchedReason::GameTooPoor { quality, minimum } => prop_assert!(quality.quality < minimum),
                UnmatchedReason::OthersPlayBetterGames { quality } => {
                    prop_assert!(quality.quality >= settings.minimum_game_quality);
                    let best = round.matches.iter().map(|found| found.quality.value()).fold(f64::MIN, f64::max);
                    prop_assert!(quality.quality <= best);
                }
                UnmatchedReason::NoFullGame | UnmatchedReason::UnevenTeams => {}
            }
            prop_assert!(unmatched.reason.shortfall().is_none_or(|shortfall| shortfall > 0.0));
            prop_assert!(!unmatched.reason.to_string().is_empty());
        }
    }

    /// The lobby's fast way and the plain one give the same matches, qualities and order, to the
    /// last digit.
    #[test]
    fn the_straightforward_way_gives_the_same(
        searches in any_searches(usual_rating()), queue in any_queue(), settings in any_settings(),
    ) {
        let fitting: Vec<Search> =
            searches.into_iter().filter(|search| search.members.len() as u32 <= queue.team_size).collect();
        let round = play(&fitting, queue, &settings);
        prop_assert_eq!(simplified(&round), straightforward::play_round(&fitting, queue, &settings));
    }

    #[test]
    fn the_straightforward_participants_are_the_same(
        sizes in prop::collection::vec(1..6_u32, 1..40), index: prop::sample::Index, team_size in 1..6_u32,
    ) {
        let index = index.index(sizes.len());
        prop_assume!(sizes[index] <= 2 * team_size);
        let found = teams::participants(&sizes, index, team_size);
        prop_assert_eq!(found, straightforward::participants(&sizes, index, team_size));
    }

    #[test]
    fn the_same_queue_gives_the_same_round(
        searches in any_searches(any_rating()), queue in any_queue(), settings in any_settings(),
    ) {
        // As text, because NaN is not equal to itself.
        let round = || format!("{:?}", play(&searches, queue, &settings));
        prop_assert_eq!(round(), round());
    }

    /// Games of teams depend on the order of arrival only among equal averages.
    #[test]
    fn arrival_does_not_matter_among_different_averages(
        searches in any_searches(usual_rating()).prop_shuffle(), team_size in 2..5_u32,
    ) {
        let (queue, settings) = (QueueRules { team_size, rating_peak: 1000.0 }, MatchmakingSettings::default());
        let averages: BTreeSet<u64> = searches.iter()
            .map(|search| candidate(search, &settings).average_rating().to_bits())
            .collect();
        prop_assume!(averages.len() == searches.len());
        let mut by_arrival = searches.clone();
        by_arrival.sort_by_key(|search| search.members[0].player);
        let players = |searches: &[Search]| {
            let host = |search: &usize| searches[*search].members[0].player;
            let teams = |team: &Vec<usize>| team.iter().map(host).collect::<Vec<_>>();
            let round = play(searches, queue, &settings);
            round.matches.iter().map(|found| found.teams.each_ref().map(teams)).collect::<Vec<_>>()
        };
        prop_assert_eq!(players(&searches), players(&by_arrival));
    }

    /// Among equals the first in the queue is never the one who is left over, and proposes.
    #[test]
    fn the_first_among_equals_plays(count in 2..29_usize, rating in usual_rating(), games in 0..50_u32) {
        let settings = MatchmakingSettings::default();
        let equals: Vec<Search> = (1..=count as u32)
            .map(|id| Search::new(vec![Member { player: PlayerId(id), rating, games }], 0, &settings))
            .collect();
        let round = play(&equals, QueueRules { team_size: 1, rating_peak: 1000.0 }, &settings);
        prop_assert_eq!(round.matches[0].teams.clone(), [vec![0], vec![count - 1]]);
    }

    /// More settings than anyone would choose.
    #[test]
    fn nothing_panics_on_any_numbers(
        searches in any_searches(any_rating()),
        queue in (0..9_u32, prop::num::f64::ANY),
        numbers in prop::array::uniform8(prop::num::f64::ANY),
        self_quality in prop::num::f64::ANY,
    ) {
        let [a, b, c, d, e, f, g, h] = numbers;
        let settings = MatchmakingSettings {
            newbie_base_mean: a,
            minimum_game_quality: b,
            maximum_rating_imbalance: c,
            maximum_rating_deviation: d,
            time_bonus: e,
            minority_bonus: f,
            minority_bonus_rating_range: g,
            ladder_search_expansion_step: h,
            ..MatchmakingSettings::default()
        };
        let candidates: Vec<_> = searches
            .into_iter()
            .map(|search| Candidate::new(search.members, search.failed_attempts, self_quality, &settings))
            .collect();
        let queue = QueueRules { team_size: queue.0, rating_peak: queue.1 };
        let round = play_round(&candidates, queue, &settings);
        for unmatched in round.unmatched {
            prop_assert!(!unmatched.reason.to_string().is_empty());
        }
    }
}

/// M17: the number of turns is bounded, so that two who would play each other may stay alone. The
/// reason says so.
#[test]
fn a_round_may_end_before_all_are_asked() {
    let settings = MatchmakingSettings::default();
    // Mean, deviation, number of games, failed attempts.
    let searches: Vec<Search> = (1..)
        .zip([
            (884.4, 96.0, 1760, 1),
            (1100.0, 100.0, 887, 4),
            (1451.0533578438426, 269.03773390773966, 1799, 4),
            (2132.9, 60.0, 1287, 0),
            (1672.9662234894613, 316.34329322272646, 6, 4),
            (485.4, 87.6, 514, 8),
            (1100.0, 100.0, 0, 8),
            (2200.0, 100.0, 923, 2),
            (793.3, 107.9, 3, 5),
            (1500.0, 100.0, 2, 2),
        ])
        .map(|(id, (mean, deviation, games, failed_attempts))| {
            let member = Member { player: PlayerId(id), rating: Rating { mean, deviation }, games };
            Search::new(vec![member], failed_attempts, &settings)
        })
        .collect();
    let round = play(&searches, QueueRules { team_size: 1, rating_peak: 1000.0 }, &settings);
    let left: BTreeSet<usize> = round
        .unmatched
        .iter()
        .filter(|unmatched| matches!(unmatched.reason, UnmatchedReason::RoundEnded { .. }))
        .map(|unmatched| unmatched.candidate)
        .collect();
    assert!(left.len() >= 2, "{round:?}");
    for unmatched in &round.unmatched {
        if let UnmatchedReason::RoundEnded { opponent, .. } = unmatched.reason {
            assert!(left.contains(&opponent), "{round:?}");
        }
    }
}

/// The team size of a queue may be lowered while parties wait in it.
#[test]
fn a_party_larger_than_a_team_takes_no_part() {
    let settings = MatchmakingSettings::default();
    let rating = Rating { mean: 1500.0, deviation: 80.0 };
    let party = |ids: std::ops::Range<u32>| {
        let members = ids.map(|id| Member { player: PlayerId(id), rating, games: 100 }).collect();
        Search::new(members, 0, &settings)
    };
    for (team_size, searches) in
        [(1, vec![party(1..3), party(3..4), party(4..5)]), (2, vec![party(1..4), party(4..6), party(6..8)])]
    {
        let round = play(&searches, QueueRules { team_size, rating_peak: 1000.0 }, &settings);
        assert_eq!(round.matches.len(), 1, "{round:?}");
        let reason = UnmatchedReason::PartyTooLarge { size: team_size + 1, team_size };
        assert_eq!(round.unmatched, [Unmatched { candidate: 0, reason }]);
    }

    let searches = [party(1..4), party(4..6)];
    let round = play(&searches, QueueRules { team_size: 2, rating_peak: 1000.0 }, &settings);
    assert!(round.matches.is_empty(), "{round:?}");
    let too_few = UnmatchedReason::TooFewPlayers { waiting: 2, needed: 4 };
    assert_eq!(round.unmatched[0], Unmatched { candidate: 1, reason: too_few });
}

fn candidate(search: &Search, settings: &MatchmakingSettings) -> Candidate {
    let self_quality = self_quality(&search.members, settings);
    Candidate::new(search.members.clone(), search.failed_attempts, self_quality, settings)
}

fn play(searches: &[Search], queue: QueueRules, settings: &MatchmakingSettings) -> Round {
    let candidates: Vec<_> = searches.iter().map(|search| candidate(search, settings)).collect();
    play_round(&candidates, queue, settings)
}

fn simplified(round: &Round) -> straightforward::Round {
    straightforward::Round {
        matches: round.matches.iter().map(|found| (found.teams.clone(), found.quality.value())).collect(),
        unmatched: round.unmatched.iter().map(|unmatched| unmatched.candidate).collect(),
    }
}

/// Returns the quality of a match between two searches, and both thresholds.
fn straightforward_pair(
    searches: &[Search],
    one: usize,
    other: usize,
    settings: &MatchmakingSettings,
) -> (f64, f64, f64) {
    let ratings = |search: usize| -> Vec<Rating> {
        searches[search].members.iter().map(|member| member.quality_rating(settings)).collect()
    };
    let threshold = |search: usize| candidate(&searches[search], settings).threshold();
    (straightforward::quality(&ratings(one), &ratings(other)), threshold(one), threshold(other))
}

fn any_queue() -> impl Strategy<Value = QueueRules> {
    // Half of the queues are those of pairs.
    let team_size = prop_oneof![Just(1), 2..5_u32];
    (team_size, 500.0..1500.0).prop_map(|(team_size, rating_peak)| QueueRules { team_size, rating_peak })
}

/// Settings within reason.
fn any_settings() -> impl Strategy<Value = MatchmakingSettings> {
    let default = MatchmakingSettings::default();
    let other = (-1.0..1.0, 50.0..1000.0, 0.0..0.2, 0..20_u32).prop_map(
        move |(minimum_game_quality, maximum_rating_deviation, step, newbie_min_games)| MatchmakingSettings {
            minimum_game_quality,
            maximum_rating_deviation,
            ladder_search_expansion_step: step,
            newbie_min_games,
            ..default
        },
    );
    prop_oneof![Just(default), other]
}

/// Up to 100 searches, so that both graphs occur. Whether there are parties is the same for a
/// whole queue.
fn any_searches(
    rating: impl Strategy<Value = Rating> + Clone + 'static,
) -> impl Strategy<Value = Vec<Search>> {
    prop_oneof![Just(1), 1..5_usize].prop_flat_map(move |largest| {
        let player = (rating.clone(), prop_oneof![0..12_u32, 12..2000_u32]);
        let party = prop::collection::vec(player, 1..=largest);
        prop::collection::vec((party, 0..12_u32), 0..100).prop_map(|parties| {
            let settings = MatchmakingSettings::default();
            let mut ids = (1..).map(PlayerId);
            let mut member = |(rating, games)| Member { player: ids.next().unwrap(), rating, games };
            let search = |(party, failed_attempts): (Vec<(Rating, u32)>, u32)| {
                Search::new(party.into_iter().map(&mut member).collect(), failed_attempts, &settings)
            };
            parties.into_iter().map(search).collect()
        })
    })
}

/// Rounded, so that some are equal.
fn usual_rating() -> impl Strategy<Value = Rating> + Clone + 'static {
    let tenths = |value: f64| (value * 10.0).round() / 10.0;
    let certain = (0.0..2500.0, 60.0..130.0)
        .prop_map(move |(mean, deviation)| Rating { mean: tenths(mean), deviation: tenths(deviation) });
    let round = (0..25_u32).prop_map(|mean| Rating { mean: f64::from(mean * 100), deviation: 100.0 });
    let uncertain = (500.0..2000.0, 130.0..500.0).prop_map(|(mean, deviation)| Rating { mean, deviation });
    prop_oneof![4 => certain, 2 => round, 1 => uncertain]
}

fn any_rating() -> impl Strategy<Value = Rating> + Clone + 'static {
    use prop::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let extreme = POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO | INFINITE;
    let extreme = (extreme, extreme).prop_map(|(mean, deviation)| Rating { mean, deviation });
    prop_oneof![usual_rating(), extreme]
}
