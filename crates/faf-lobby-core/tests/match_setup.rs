//! The rules around a match against records of the original server: `golden/matchmaking/`, whose
//! files have their own notes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use faf_lobby_core::matchmaking::game_name::{NamedPlayer, game_name};
use faf_lobby_core::matchmaking::map_choice::{AntiRepetition, MapChoice, without_repetition};
use faf_lobby_core::matchmaking::map_pool::{Bracket, PoolEntry};
use faf_lobby_core::matchmaking::slots::{Place, assign_slots};
use faf_lobby_core::matchmaking::vetoes::{VetoSettings, Vetoes, tokens_of_match};
use faf_lobby_core::matchmaking::violations::{Violation, ViolationSettings, Violations};
use faf_lobby_core::{MapVersion, Timestamp};
use faf_protocol::client_message::Veto;
use faf_protocol::{BracketId, PlayerId, PoolEntryId};
use faf_testkit::golden;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The bracket of the tests; records do not name one.
const BRACKET: BracketId = BracketId(1);

/// The player whose violations are recorded.
const PLAYER: PlayerId = PlayerId(1);

/// Probabilities without vetoes, as in 2024. The choice of 2026 gives the same, because generated
/// maps do not gain weight by being in no history (see `map_choice`).
#[test]
fn maps_are_chosen_with_the_recorded_probabilities() {
    for (case, tolerance) in cases::<MapChoiceCase>(&["expected_probability"]) {
        let entry = |(id, map): (i64, &GoldenMap)| match (map.id, &map.generated) {
            (Some(version), None) => fixed(PoolEntryId(id), version, map.weight),
            (None, Some(params)) => {
                let mut params = params.clone();
                params["type"] = json!("neroxis");
                PoolEntry::generated(PoolEntryId(id), map.weight, &params.to_string()).unwrap()
            }
            _ => panic!("{}: a map is either in the vault or generated", case.id),
        };
        let bracket = bracket(VetoSettings::default(), (1..).zip(&case.maps).map(entry).collect());
        let choice = MapChoice::new(&bracket, &[], &case.history, &AntiRepetition::default());
        assert_eq!(choice.candidates.len(), case.maps.len(), "{}", case.id);
        for (map, candidate) in case.maps.iter().zip(choice.candidates) {
            let expected = case.expected_probability.get(&map.name).copied().unwrap_or(0.0);
            assert_close(candidate.probability, expected, tolerance, &format!("{}: {}", case.id, map.name));
        }
    }
}

/// The recorded `pool_entry_id` is not compared: entries have the ids of their rows (M11).
#[test]
fn generated_maps_have_the_recorded_folders() {
    for (GeneratedMapCase { id, params, seed_hex, expected }, _) in cases(&["params"]) {
        let entry = PoolEntry::generated(PoolEntryId(1), 1, &params.to_string());
        if let Some(error) = expected.get("error") {
            assert_eq!((error, entry.is_err()), (&json!("skip_entry"), true), "{id}");
            continue;
        }
        let seed = u64::from_str_radix(&seed_hex.unwrap(), 16).unwrap();
        let map = entry.unwrap().map;
        assert_eq!(map.folder(seed), expected["folder_name"], "{id}");
        assert_eq!(map.is_ranked(), expected["ranked"], "{id}");
    }
}

#[test]
fn games_have_the_recorded_names() {
    for (GameNameCase { id, teams, expected }, _) in cases(&["teams", "expected"]) {
        let [one, other] =
            teams.each_ref().map(|team| team.iter().map(GoldenName::named).collect::<Vec<_>>());
        assert_eq!(game_name([&one, &other]), expected, "{id}");
    }
}

#[test]
fn players_get_the_recorded_slots() {
    for (SlotsCase { id, team1, team2, pair_order, expected }, _) in cases(&["pair_order"]) {
        let [one, other] = [team1, team2]
            .map(|team| team.iter().map(|player| (player.id, player.displayed)).collect::<Vec<_>>());
        let expected: Vec<Place> = expected
            .into_iter()
            .map(|GoldenSlot { id, team, slot }| Place { player: id, team, slot })
            .collect();
        assert_eq!(assign_slots([&one, &other], &pair_order), expected, "{id}");
    }
}

#[test]
fn violations_count_as_recorded() {
    for (ViolationsCase { id, epoch, steps }, _) in cases(&["epoch"]) {
        let (mut violations, settings) = (Violations::default(), ViolationSettings::default());
        let epoch = seconds_of(&epoch);
        for step in steps {
            let context = format!("{id} at {}", step.at);
            let time = |seconds| Timestamp::from_seconds(epoch + seconds);
            let now = time(step.at);
            match step.action.as_str() {
                "fail" => {
                    let violation = violations.record(PLAYER, now, &settings).unwrap();
                    assert_eq!(Some(violation.count), step.count, "{context}");
                    let until = violation.time.after(violation.ban(&settings).unwrap_or_default());
                    assert_eq!(until, time(step.banned_until.unwrap()), "{context}");
                    assert!(!step.messages.is_empty(), "{context}");
                    for message in &step.messages {
                        check_message(message, violation, &settings);
                    }
                }
                "try" => {
                    let timed_out = violations.timed_out([PLAYER], now, &settings);
                    assert_eq!(Some(timed_out.is_empty()), step.allowed, "{context}");
                }
                "cleanup" => violations.remove_expired(now, &settings),
                other => panic!("{context}: unknown action {other}"),
            }
            if let Some(expected) = step.tracked_count_after {
                let tracked = violations.get(PLAYER, now, &settings).map_or(0, |violation| violation.count);
                assert_eq!(tracked, expected, "{context}");
                assert_eq!(violations.len(), usize::from(expected > 0), "{context}");
            }
        }
    }
}

/// Compares the facts of a message that a violation causes; its wording is free.
fn check_message(message: &Value, violation: Violation, settings: &ViolationSettings) {
    match message["command"].as_str() {
        Some("search_violation") => {
            assert_eq!(message["count"], violation.count);
            assert_eq!(message["time"], violation.time.to_string());
        }
        Some("notice") => {
            let (text, facts) = (violation.notice(settings), &message["text_must_mention"]);
            assert!(text.contains(&format!(" {} ", facts["count"])), "{text}");
            let wait = facts.get("wait_minutes").map(|minutes| format!("{minutes} minutes"));
            assert!(wait.is_none_or(|wait| text.contains(&wait)), "{text}");
        }
        other => panic!("unknown message {other:?}"),
    }
}

#[test]
fn tokens_are_given_as_recorded() {
    for (ClampingCase { id, pool_entries, tokens_per_player, max_per_map, requested, accepted }, _) in
        section("token_clamping")
    {
        let settings = VetoSettings {
            veto_tokens_per_player: tokens_per_player,
            max_tokens_per_map: max_per_map,
            ..VetoSettings::default()
        };
        let tokens = |entry: &i64| requested.get(&entry.to_string()).copied().unwrap_or(0);
        let given: BTreeMap<String, i64> = pool_entries
            .iter()
            .zip(settings.given(pool_entries.iter().map(tokens)))
            .filter(|(_, given)| *given > 0)
            .map(|(entry, given)| (entry.to_string(), given))
            .collect();
        assert_eq!(given, accepted, "{id}");
    }
}

#[test]
fn veto_settings_are_valid_as_recorded() {
    for (case, _) in section::<ValidityCase>("config_validity") {
        let settings = VetoSettings {
            veto_tokens_per_player: case.tokens_per_player,
            max_tokens_per_map: case.max_per_map,
            minimum_maps_after_veto: case.minimum_maps,
        };
        assert_eq!(settings.is_valid(case.team_size, case.pool_size), case.valid, "{}", case.id);
    }
}

#[test]
fn tokens_that_exclude_a_map_are_as_recorded() {
    for (case, tolerance) in section::<TokensToBanCase>("dynamic_ban_threshold") {
        let settings = VetoSettings { minimum_maps_after_veto: case.minimum_maps, ..VetoSettings::default() };
        // The record has 0 where no number leaves the minimum.
        let tokens = settings.tokens_to_ban(&case.tokens_on_each_map).unwrap_or(0.0);
        assert_close(tokens, case.tokens_to_ban, tolerance, &case.id);
    }
}

#[test]
fn vetoed_maps_have_the_recorded_weights() {
    for (case, tolerance) in section::<WeightsCase>("initial_weights") {
        let settings = VetoSettings {
            max_tokens_per_map: case.max_per_map,
            minimum_maps_after_veto: case.minimum_maps,
            ..VetoSettings::default()
        };
        let pool = case.pool_entries.iter().map(|entry| fixed(PoolEntryId(*entry), 1, 1)).collect();
        let players: Vec<Vetoes> = case.player_vetoes.iter().map(vetoes).collect();
        let tokens = tokens_of_match(&bracket(settings, pool), &players.iter().collect::<Vec<_>>());
        let entries = case.pool_entries.iter().map(i64::to_string);
        let weights: BTreeMap<String, f64> = entries.zip(settings.weights(&tokens)).collect();
        assert_weights(&weights, &case.weights, tolerance, &case.id);
    }
}

#[test]
fn repeated_maps_lose_the_recorded_weights() {
    for (case, tolerance) in section::<RepetitionCase>("anti_repetition") {
        // The histories have ids of entries, so each entry gets a map of the same number.
        let entry = |id: &String| fixed(PoolEntryId(id.parse().unwrap()), id.parse().unwrap(), 1);
        let pool: Vec<PoolEntry> = case.initial_weights.keys().map(entry).collect();
        let weights: Vec<f64> = case.initial_weights.values().copied().collect();
        let rules = AntiRepetition {
            weight_base_thresholds: case.thresholds,
            repeat_counts_factor: case.repeat_factor,
        };
        let adjusted = without_repetition(&pool, &weights, &case.history, &rules);
        // The original drops the maps that are excluded from the start.
        let kept = case.initial_weights.into_iter().zip(adjusted).filter(|((_, before), _)| *before > 0.0);
        let adjusted: BTreeMap<String, f64> = kept.map(|((id, _), after)| (id, after)).collect();
        assert_weights(&adjusted, &case.adjusted_weights, tolerance, &case.id);
    }
}

fn fixed(id: PoolEntryId, version: u32, weight: i64) -> PoolEntry {
    PoolEntry::fixed(id, weight, MapVersion { id: version, is_ranked: true }, "maps/x.zip").unwrap()
}

fn bracket(vetoes: VetoSettings, pool: Vec<PoolEntry>) -> Bracket {
    Bracket { id: BRACKET, min_rating: None, max_rating: None, vetoes, pool }
}

fn vetoes(tokens: &BTreeMap<String, i64>) -> Vetoes {
    let veto = |(entry, tokens): (&String, &i64)| Veto {
        bracket: BRACKET,
        entry: PoolEntryId(entry.parse().unwrap()),
        tokens: *tokens,
    };
    tokens.iter().map(veto).collect::<Vec<_>>().into()
}

fn assert_weights(
    actual: &BTreeMap<String, f64>,
    expected: &BTreeMap<String, f64>,
    tolerance: f64,
    context: &str,
) {
    assert!(actual.keys().eq(expected.keys()), "{context}: {actual:?} is not {expected:?}");
    for ((id, actual), expected) in actual.iter().zip(expected.values()) {
        assert_close(*actual, *expected, tolerance, &format!("{context}: {id}"));
    }
}

fn assert_close(actual: f64, expected: f64, tolerance: f64, context: &str) {
    assert!((actual - expected).abs() <= tolerance, "{context}: {actual} is not {expected}");
}

/// Returns the Unix time of `2030-01-01T00:00:00+00:00`.
fn seconds_of(text: &str) -> i64 {
    let number = |range| text.get::<std::ops::Range<usize>>(range).unwrap().parse::<u8>().unwrap();
    let date = time::Date::from_calendar_date(
        text[..4].parse().unwrap(),
        number(5..7).try_into().unwrap(),
        number(8..10),
    );
    let time = date.unwrap().with_hms(number(11..13), number(14..16), number(17..19));
    time.unwrap().assume_utc().unix_timestamp()
}

/// Reads the cases of all files whose cases have these members, with the tolerance of their file.
fn cases<Case: DeserializeOwned>(members: &[&str]) -> Vec<(Case, f64)> {
    let has_all = |file: &Value| members.iter().all(|member| file["cases"][0].get(member).is_some());
    read(has_all, |file| file["cases"].take())
}

/// Reads the cases of a section of all files that have it, with the tolerance of their file.
fn section<Case: DeserializeOwned>(name: &str) -> Vec<(Case, f64)> {
    read(|file| file["sections"].get(name).is_some(), |file| file["sections"][name].take())
}

fn read<Case: DeserializeOwned>(
    is_wanted: impl Fn(&Value) -> bool,
    take_cases: impl Fn(&mut Value) -> Value,
) -> Vec<(Case, f64)> {
    let mut found = Vec::new();
    for path in golden::files("matchmaking", "json") {
        let mut file: Value = serde_json::from_str(&golden::text(&path)).unwrap();
        if is_wanted(&file) {
            assert_eq!(file["format"], 1, "{} is of another format", path.display());
            let tolerance = file["tolerance"].as_f64().unwrap_or(0.0);
            let cases: Vec<Case> = serde_json::from_value(take_cases(&mut file))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.extend(cases.into_iter().map(|case| (case, tolerance)));
        }
    }
    assert!(!golden::is_own() || !found.is_empty(), "there is no case of this kind");
    found
}

#[derive(Deserialize)]
struct MapChoiceCase {
    id: String,
    maps: Vec<GoldenMap>,
    history: Vec<u32>,
    expected_probability: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct GoldenMap {
    id: Option<u32>,
    name: String,
    generated: Option<Value>,
    weight: i64,
}

#[derive(Deserialize)]
struct GeneratedMapCase {
    id: String,
    params: Value,
    seed_hex: Option<String>,
    expected: Value,
}

#[derive(Deserialize)]
struct GameNameCase {
    id: String,
    teams: [Vec<GoldenName>; 2],
    expected: String,
}

#[derive(Deserialize)]
struct GoldenName {
    login: String,
    clan: Option<String>,
}

impl GoldenName {
    fn named(&self) -> NamedPlayer<'_> {
        NamedPlayer { login: &self.login, clan: self.clan.as_deref() }
    }
}

#[derive(Deserialize)]
struct SlotsCase {
    id: String,
    team1: Vec<GoldenPlayer>,
    team2: Vec<GoldenPlayer>,
    pair_order: Vec<usize>,
    expected: Vec<GoldenSlot>,
}

#[derive(Deserialize)]
struct GoldenPlayer {
    id: PlayerId,
    displayed: f64,
}

#[derive(Deserialize)]
struct GoldenSlot {
    id: PlayerId,
    team: u32,
    slot: u32,
}

#[derive(Deserialize)]
struct ViolationsCase {
    id: String,
    epoch: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    at: i64,
    action: String,
    count: Option<u32>,
    banned_until: Option<i64>,
    allowed: Option<bool>,
    tracked_count_after: Option<u32>,
    #[serde(default)]
    messages: Vec<Value>,
}

#[derive(Deserialize)]
struct ClampingCase {
    id: String,
    pool_entries: Vec<i64>,
    tokens_per_player: u32,
    max_per_map: u32,
    requested: BTreeMap<String, i64>,
    accepted: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
struct ValidityCase {
    id: String,
    team_size: u32,
    pool_size: usize,
    tokens_per_player: u32,
    max_per_map: u32,
    minimum_maps: f64,
    valid: bool,
}

#[derive(Deserialize)]
struct TokensToBanCase {
    id: String,
    minimum_maps: f64,
    tokens_on_each_map: Vec<u64>,
    tokens_to_ban: f64,
}

#[derive(Deserialize)]
struct WeightsCase {
    id: String,
    pool_entries: Vec<i64>,
    player_vetoes: Vec<BTreeMap<String, i64>>,
    max_per_map: u32,
    minimum_maps: f64,
    weights: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct RepetitionCase {
    id: String,
    initial_weights: BTreeMap<String, f64>,
    history: Vec<u32>,
    thresholds: Vec<f64>,
    repeat_factor: f64,
    adjusted_weights: BTreeMap<String, f64>,
}
