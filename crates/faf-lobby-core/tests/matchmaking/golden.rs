//! Records of the original server: `golden/matchmaking/`, whose files tell what they hold. The
//! folder has files of other kinds, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_lobby_core::matchmaking::candidate::self_quality;
use faf_lobby_core::matchmaking::teams::{self, Parties, game_quality};
use faf_lobby_core::matchmaking::trueskill_quality::{TeamSkill, quality};
use faf_lobby_core::matchmaking::{
    Candidate, MatchmakingSettings, Member, PopTimer, QueueRules, Round, play_round,
};
use faf_lobby_core::ratings::true_skill::BETA;
use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;
use faf_testkit::golden;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Qualities in the files are rounded to nine decimals, everything else to six.
const DECIMALS: f64 = 1e-8;

#[test]
fn search_properties() {
    for Golden { settings, tolerance, cases, .. } in golden::<SearchProperties>(&["search", "expected"]) {
        for SearchProperties { id, search, expected } in cases {
            let candidate = search.candidate(&settings);
            let is_close = |found: f64, expected: f64| (found - expected).abs() <= tolerance;
            let ratings = candidate.members().iter().map(|member| member.quality_rating(&settings));
            for (found, expected) in ratings.zip(&expected.ratings_used_for_quality) {
                assert!(is_close(found.mean, expected.mean), "{id}: {found:?}");
                assert!(is_close(found.deviation, expected.deviation), "{id}: {found:?}");
            }
            let displayed: Vec<f64> = candidate.displayed_ratings().collect();
            assert_eq!(displayed.len(), expected.displayed_ratings.len(), "{id}");
            let shown = displayed.iter().zip(&expected.displayed_ratings);
            assert!(shown.into_iter().all(|(found, expected)| is_close(*found, *expected)), "{id}");
            for (what, found, expected) in [
                ("average", candidate.average_rating(), expected.average_rating),
                ("cumulative", candidate.cumulative_rating(), expected.cumulative_rating),
                ("self quality", candidate.self_quality(), expected.quality_against_self),
                ("expansion", candidate.expansion(), expected.search_expansion),
                ("threshold", candidate.threshold(), expected.match_threshold),
                ("graph mean", candidate.graph_mean(), expected.mean_for_fast_graph),
            ] {
                assert!(is_close(found, expected), "{id}, {what}: {found} is not {expected}");
            }
            assert_eq!(candidate.newbies(), expected.newbie_count, "{id}");
            assert_eq!(candidate.has_top_player(), expected.has_top_player, "{id}");
            assert_eq!(candidate.is_high_rated(), expected.has_high_rated_player, "{id}");
            assert_eq!(candidate.boundaries().boundary_80(), expected.boundary_80, "{id}");
            assert_eq!(candidate.boundaries().boundary_75(), expected.boundary_75, "{id}");
        }
    }
}

#[test]
fn trueskill_qualities() {
    for Golden { parameters, tolerance, cases, .. } in golden::<SkillQuality>(&["teams.0.0.0", "quality"]) {
        assert_eq!(parameters["beta"].as_f64(), Some(BETA));
        for SkillQuality { id, teams: [a, b], quality: expected } in cases {
            let found = quality(TeamSkill::of(a), TeamSkill::of(b));
            assert!((found - expected).abs() <= tolerance, "{id}: {found} is not {expected}");
        }
    }
}

/// M6: a negative wait counts as zero here. The expected values of rounds that remember one are
/// computed from the formula, all others are the recorded ones; none is shorter than a second.
#[test]
fn pop_timers() {
    let mut corrected = 0;
    for Golden { settings, tolerance, cases, .. } in golden::<Pops>(&["team_size", "steps.0.waited"]) {
        for Pops { id, team_size, steps } in cases {
            for minimum in [0.0, 15.0] {
                let settings = MatchmakingSettings { queue_pop_time_min: minimum, ..settings };
                let mut timer = PopTimer::default();
                for (number, step) in steps.iter().enumerate() {
                    let planned = Duration::from_secs_f64(step.waited.max(0.0));
                    let found = timer.pop(step.players, planned, team_size, &settings).as_secs_f64();
                    let window = settings.queue_pop_time_moving_avg_size;
                    let remembered = &steps[(number + 1).saturating_sub(window)..=number];
                    let mut expected = if minimum == 0.0 { step.next } else { step.next_with_15s_minimum };
                    if remembered.iter().any(|step| step.waited < 0.0) {
                        let players = remembered.iter().map(|step| f64::from(step.players)).sum::<f64>();
                        let waited = remembered.iter().map(|step| step.waited.max(0.0)).sum::<f64>();
                        let next = settings.queue_pop_desired_matches * 2.0 * f64::from(team_size) * waited
                            / players;
                        let next = next.min(settings.queue_pop_time_max).max(minimum);
                        corrected += usize::from((next - expected).abs() > tolerance);
                        expected = next;
                    }
                    expected = expected.max(1.0);
                    assert!(
                        (found - expected).abs() <= tolerance,
                        "{id}, {number}: {found} is not {expected}"
                    );
                }
            }
        }
    }
    assert!(!golden::is_own() || corrected > 0, "no case shows the difference of M6 any more");
}

#[test]
fn stable_marriages() {
    for Golden { settings, cases, .. } in golden::<Pairs>(&["searches", "expected.match_quality"]) {
        for Pairs { id, searches, expected } in cases {
            let queue = QueueRules { team_size: 1, rating_peak: 1000.0 };
            let round = round(&searches, queue, &settings);
            let player = |candidate: usize| searches[candidate].players[0].id;
            let pairs = round.matches.iter().map(|found| {
                let [a, b] = &found.teams;
                assert_eq!((a.len(), b.len()), (1, 1), "{id}");
                ([player(a[0]), player(b[0])], found.quality.value())
            });
            let pairs: Vec<_> = pairs.collect();
            // The order of the list is ours: that of the proposers in the queue (M22).
            let proposers: Vec<_> = round.matches.iter().map(|found| found.teams[0][0]).collect();
            assert!(proposers.is_sorted(), "{id}: {proposers:?}");
            let found: BTreeSet<_> = pairs.iter().map(|(pair, _)| *pair).collect();
            assert_eq!(found, expected.matches.iter().copied().collect(), "{id}");
            for ([proposer, accepter], quality) in pairs {
                let expected = expected.match_quality[&format!("{proposer}-{accepter}")];
                assert!((quality - expected).abs() <= DECIMALS, "{id}: {quality} is not {expected}");
            }
            let unmatched: Vec<_> =
                round.unmatched.iter().map(|unmatched| player(unmatched.candidate)).collect();
            assert_eq!(unmatched, expected.unmatched, "{id}");
        }
    }
}

#[test]
fn participants() {
    for Golden { cases, .. } in golden::<Neighbours>(&["sorted_searches", "index"]) {
        for Neighbours { id, team_size, sorted_searches, index, expected } in cases {
            let sizes: Vec<u32> = sorted_searches.iter().map(|search| search.players.len() as u32).collect();
            let found = teams::participants(&sizes, index, team_size).map(|picked| {
                picked.into_iter().map(|search| sorted_searches[search].players[0].id).collect::<Vec<_>>()
            });
            match expected {
                Picked { participants: Some(expected), error: None } => {
                    assert_eq!(found, Some(expected), "{id}");
                }
                Picked { participants: None, error: Some(error) } => {
                    assert_eq!(error, "not_enough_players", "{id}");
                    assert_eq!(found, None, "{id}");
                }
                _ => panic!("{id} expects either participants or an error"),
            }
        }
    }
}

#[test]
fn splits() {
    let settings = MatchmakingSettings::default();
    for Golden { tolerance, cases, .. } in golden::<Split>(&["participants", "team_size"]) {
        for Split { id, team_size, participants, expected } in cases {
            let queue = QueueRules { team_size, rating_peak: 1000.0 };
            let parties = parties(&participants, queue, &settings);
            let all: Vec<usize> = (0..parties.count()).collect();
            let found = teams::split(&parties, &all, team_size);
            if let Some(error) = expected.error {
                assert_eq!(error, "uneven_teams", "{id}");
                assert_eq!(found, None, "{id}");
                continue;
            }
            let found = found.unwrap_or_else(|| panic!("{id} is not split"));
            let players = found.each_ref().map(|team| players(&participants, team));
            assert_eq!(players, [expected.team_a.unwrap(), expected.team_b.unwrap()], "{id}");
            for (team, expected) in found.iter().zip(expected.cumulative.unwrap()) {
                let found = parties.cumulative_rating(team);
                assert!((found - expected).abs() <= tolerance, "{id}: {found} is not {expected}");
            }
        }
    }
}

#[test]
fn game_qualities() {
    for Golden { settings, tolerance, cases, .. } in golden::<Quality>(&["rating_peak", "teams"]) {
        for Quality { id, team_size, rating_peak, teams, quality, playable } in cases {
            let queue = QueueRules { team_size, rating_peak };
            let parties = parties(teams.iter().flatten(), queue, &settings);
            let all: Vec<usize> = (0..parties.count()).collect();
            let (a, b) = all.split_at(teams[0].len());
            let found = game_quality(&parties, [a, b], &settings);
            assert!((found.quality - quality).abs() <= tolerance, "{id}: {found:?} is not {quality}");
            let picked = teams::pick(&[found], |_| &all, parties.count(), &settings);
            assert_eq!(!picked.is_empty(), playable, "{id}");
        }
    }
}

#[test]
fn runs_of_teams() {
    for Golden { settings, tolerance, cases, .. } in golden::<Run>(&["rating_peak", "searches"]) {
        for Run { id, team_size, rating_peak, searches, expected } in cases {
            let round = round(&searches, QueueRules { team_size, rating_peak }, &settings);
            assert_eq!(round.matches.len(), expected.matches.len(), "{id}");
            for (found, expected) in round.matches.iter().zip(&expected.matches) {
                let teams = found.teams.each_ref().map(|team| players(&searches, team));
                assert_eq!(teams, [expected.team_a.clone(), expected.team_b.clone()], "{id}");
                let quality = found.quality.value();
                assert!((quality - expected.quality).abs() <= tolerance, "{id}: {quality}");
            }
            let unmatched: Vec<_> = round.unmatched.iter().map(|unmatched| unmatched.candidate).collect();
            assert_eq!(players(&searches, &unmatched), expected.unmatched, "{id}");
        }
    }
}

fn round(searches: &[Search], queue: QueueRules, settings: &MatchmakingSettings) -> Round {
    let candidates: Vec<_> = searches.iter().map(|search| search.candidate(settings)).collect();
    play_round(&candidates, queue, settings)
}

fn parties<'a>(
    searches: impl IntoIterator<Item = &'a Search>,
    queue: QueueRules,
    settings: &MatchmakingSettings,
) -> Parties {
    let candidates: Vec<_> = searches.into_iter().map(|search| search.candidate(settings)).collect();
    Parties::new(&candidates, queue, settings)
}

/// Returns the players of searches given by their positions.
fn players(searches: &[Search], positions: &[usize]) -> Vec<Vec<PlayerId>> {
    let ids = |search: &Search| search.players.iter().map(|player| player.id).collect();
    positions.iter().map(|&search| ids(&searches[search])).collect()
}

/// Reads all files whose cases have these members, and their configuration.
fn golden<Case: DeserializeOwned>(members: &[&str]) -> Vec<Golden<Case>> {
    let mut found = Vec::new();
    for file in golden::files("matchmaking", "json") {
        let content: Value = serde_json::from_str(&golden::text(&file)).unwrap();
        let pointer = |member: &&str| format!("/cases/0/{}", member.replace('.', "/"));
        if !members.iter().map(pointer).all(|pointer| content.pointer(&pointer).is_some()) {
            continue;
        }
        let read: Recorded<Case> =
            serde_json::from_value(content).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(read.format, 1, "{} is of another format", file.display());
        let Recorded { config, parameters, tolerance, cases, .. } = read;
        // Settings have the names of the configuration in lower case.
        let config: Map<_, _> = config.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect();
        let known = serde_json::to_value(MatchmakingSettings::default()).unwrap();
        if golden::is_own() {
            let unknown: Vec<_> = config.keys().filter(|key| known.get(key).is_none()).collect();
            assert!(unknown.is_empty(), "{} has unknown keys: {unknown:?}", file.display());
        }
        let settings = serde_json::from_value(config.into()).unwrap();
        found.push(Golden { settings, parameters, tolerance: tolerance.unwrap_or(DECIMALS), cases });
    }
    assert!(!golden::is_own() || !found.is_empty(), "there is no file of this kind");
    found
}

struct Golden<Case> {
    settings: MatchmakingSettings,
    parameters: Value,
    tolerance: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Recorded<Case> {
    format: u32,
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    parameters: Value,
    tolerance: Option<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Search {
    players: Vec<Player>,
    failed: u32,
}

#[derive(Deserialize)]
struct Player {
    id: PlayerId,
    mean: f64,
    dev: f64,
    games: u32,
}

impl Search {
    fn candidate(&self, settings: &MatchmakingSettings) -> Candidate {
        let member = |player: &Player| {
            let rating = Rating { mean: player.mean, deviation: player.dev };
            Member { player: player.id, rating, games: player.games }
        };
        let members: Vec<Member> = self.players.iter().map(member).collect();
        let self_quality = self_quality(&members, settings);
        Candidate::new(members, self.failed, self_quality, settings)
    }
}

#[derive(Deserialize)]
struct SearchProperties {
    id: String,
    search: Search,
    expected: Properties,
}

#[derive(Deserialize)]
struct Properties {
    ratings_used_for_quality: Vec<Rating>,
    displayed_ratings: Vec<f64>,
    average_rating: f64,
    cumulative_rating: f64,
    newbie_count: u32,
    has_top_player: bool,
    has_high_rated_player: bool,
    quality_against_self: f64,
    search_expansion: f64,
    match_threshold: f64,
    boundary_80: [i32; 2],
    boundary_75: [i32; 2],
    mean_for_fast_graph: f64,
}

#[derive(Deserialize)]
struct SkillQuality {
    id: String,
    teams: [Vec<Rating>; 2],
    quality: f64,
}

#[derive(Deserialize)]
struct Pops {
    id: String,
    team_size: u32,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    players: u32,
    waited: f64,
    next: f64,
    next_with_15s_minimum: f64,
}

#[derive(Deserialize)]
struct Pairs {
    id: String,
    searches: Vec<Search>,
    expected: Married,
}

#[derive(Deserialize)]
struct Married {
    matches: Vec<[PlayerId; 2]>,
    match_quality: BTreeMap<String, f64>,
    unmatched: Vec<PlayerId>,
}

#[derive(Deserialize)]
struct Neighbours {
    id: String,
    team_size: u32,
    sorted_searches: Vec<Search>,
    index: usize,
    expected: Picked,
}

#[derive(Deserialize)]
struct Picked {
    participants: Option<Vec<PlayerId>>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Split {
    id: String,
    team_size: u32,
    participants: Vec<Search>,
    expected: Teams,
}

#[derive(Deserialize)]
struct Teams {
    team_a: Option<Vec<Vec<PlayerId>>>,
    team_b: Option<Vec<Vec<PlayerId>>>,
    cumulative: Option<[f64; 2]>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Quality {
    id: String,
    team_size: u32,
    rating_peak: f64,
    teams: [Vec<Search>; 2],
    quality: f64,
    playable: bool,
}

#[derive(Deserialize)]
struct Run {
    id: String,
    team_size: u32,
    rating_peak: f64,
    searches: Vec<Search>,
    expected: Games,
}

#[derive(Deserialize)]
struct Games {
    matches: Vec<Game>,
    unmatched: Vec<Vec<PlayerId>>,
}

#[derive(Deserialize)]
struct Game {
    team_a: Vec<Vec<PlayerId>>,
    team_b: Vec<Vec<PlayerId>>,
    quality: f64,
}
