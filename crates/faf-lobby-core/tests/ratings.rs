//! Ratings against records of the original server: `golden/rating/`, whose files have their
//! own notes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use faf_lobby_core::ratings::{
    GLOBAL, LADDER, Leaderboard, Leaderboards, NotRated, RATING_ADJUSTMENT_MAX_RATING, RatedTeam,
    RatingChange, START_RATING, rate_game, true_skill,
};
use faf_lobby_core::results::Outcome;
use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;
use faf_testkit::golden;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Tolerance for `mean_exact` and `dev_exact`, which are rounded to 6 decimals.
const EXACT: f64 = 1e-5;

/// Tolerance for numbers that the original computed: its normal distribution is approximate.
const APPROXIMATE: f64 = 1e-3;

/// Tolerance for numbers from the original's database, which keeps 6 digits of them.
const SIX_DIGITS: f64 = 0.02;

/// Deliberate differences, by their reason; they apply to the cases that match.
const DELIBERATE: [Difference; 2] = [
    Difference {
        why: "R1: the original updates a missing row on `global`; here it is inserted",
        correct: |scenario, expected| {
            let mut inserted = Vec::new();
            for change in &expected.journal {
                let is_there = |rows: &[Value]| {
                    rows.iter().any(|row| {
                        row["player"] == change["player"] && row["leaderboard"] == change["leaderboard"]
                    })
                };
                if is_there(&expected.leaderboard_rating) || is_there(&inserted) {
                    continue;
                }
                let teams = scenario.games.iter().flat_map(|game| &game.teams);
                let won = teams
                    .filter(|team| team.outcome == Outcome::Victory)
                    .any(|team| team.players.iter().any(|player| json!(player) == change["player"]));
                inserted.push(json!({
                    "player": change["player"], "leaderboard": change["leaderboard"],
                    "mean": change["mean_after"], "dev": change["dev_after"],
                    "total_games": 1, "won_games": u32::from(won),
                }));
            }
            expected.leaderboard_rating.extend(inserted);
        },
    },
    Difference {
        why: "R2: the original stores and publishes one half if the other cannot be stored; here nothing changes",
        correct: |scenario, expected| {
            if scenario.games.iter().all(|game| !game.players_without_stats_row.is_empty()) {
                *expected = Store::with_rows(&scenario.leaderboard_rating).state();
            }
        },
    },
];

#[test]
fn games_of_two_teams() {
    for golden in golden::<TwoTeams>(Kind::TwoTeams) {
        check_parameters(&golden.parameters);
        for case in golden.cases {
            let stored = |player, _: &str| {
                let listed = case.teams.iter().flatten().find(|listed| listed.id == player)?;
                Some(Rating { mean: listed.mean, deviation: listed.dev })
            };
            let players = case.teams.each_ref().map(|team| team.iter().map(|listed| listed.id).collect());
            let teams = rated_teams(players, case.outcomes);
            let changes = rate_game(&production(), START_RATING, GLOBAL, &teams, &stored);
            match case.expected_error {
                None => assert_changes(&case.id, &changes.unwrap(), &case.expected),
                Some(error) => {
                    assert_eq!(error, "unrateable", "{}", case.id);
                    assert_eq!(changes.unwrap_err(), NotRated::Outcomes(case.outcomes), "{}", case.id);
                }
            }
        }
    }
}

#[test]
fn ratings_without_a_row() {
    for case in golden::<InitialRating>(Kind::Initial).into_iter().flat_map(|golden| golden.cases) {
        let leaderboards = leaderboards(&case.leaderboards);
        for (name, expected) in case.expected {
            let derived = leaderboards.rating(&name, START_RATING, |name| case.stored.get(name).copied());
            let is_right = is_close(derived.rating, expected, EXACT);
            assert!(is_right, "{}, {name}: {:?} is not {expected:?}", case.id, derived.rating);
            assert_eq!(derived.is_stored, case.stored.contains_key(&name), "{}, {name}", case.id);
        }
    }
}

#[test]
fn adjustments_of_the_global_board() {
    for golden in golden::<GlobalAdjustment>(Kind::Adjustment) {
        check_parameters(&golden.parameters);
        assert_eq!(golden.parameters["max_displayed"], json!(RATING_ADJUSTMENT_MAX_RATING as u32));
        for case in golden.cases {
            let stored = |player: PlayerId, name: &str| {
                let board =
                    if name == GLOBAL { &case.global_rating_before } else { &case.matchmaker_rating_before };
                board.get(&player.to_string()).copied()
            };
            let teams = rated_teams(case.teams, case.outcomes);
            let changes = rate_game(&production(), START_RATING, LADDER, &teams, &stored).unwrap();
            let (global, ladder): (Vec<_>, Vec<_>) =
                changes.into_iter().partition(|change| change.leaderboard == GLOBAL);
            assert_eq!(ladder.len(), case.matchmaker_rating_before.len(), "{}", case.id);
            assert_changes(&case.id, &global, &case.expected_global_changes);
        }
    }
}

#[test]
fn games_one_after_the_other() {
    let mut corrected = BTreeSet::new();
    for golden in golden::<Scenario>(Kind::Service) {
        let leaderboards = leaderboards(&golden.leaderboards);
        for case in golden.cases {
            let precise = if case.games.len() == 1 { APPROXIMATE } else { SIX_DIGITS };
            let mut store = Store::with_rows(&case.leaderboard_rating);
            for game in &case.games {
                store.rate(&leaderboards, game);
            }
            let mut expected = case.expected.clone();
            for Difference { why, correct } in DELIBERATE {
                let before = expected.clone();
                correct(&case, &mut expected);
                if expected != before {
                    corrected.insert(why);
                }
            }
            let differences = differences(&expected, &store.state(), precise);
            assert!(differences.is_empty(), "{}:\n{}", case.id, differences.join("\n"));
        }
    }
    for Difference { why, .. } in DELIBERATE {
        assert!(!golden::is_own() || corrected.contains(why), "no case shows it any more: {why}");
    }
}

/// The comparison accepts the exact values or the original's, and nothing else.
#[test]
fn either_set_of_values_is_accepted() {
    let after = Rating { mean: 1500.0, deviation: 100.0 };
    let expected = |mean, mean_exact| Exact {
        id: PlayerId(1),
        mean,
        dev: 100.0,
        mean_exact: Some(mean_exact),
        dev_exact: Some(100.0),
    };
    assert!(expected(1500.5, 1500.0).is_met_by(after), "the original is further off than it says");
    assert!(expected(1500.0009, 1500.1).is_met_by(after));
    assert!(!expected(1500.002, 1500.002).is_met_by(after));
    let without = Exact { mean_exact: None, dev_exact: None, ..expected(1500.0009, 0.0) };
    assert!(without.is_met_by(after));
}

/// A deliberate difference from the record.
struct Difference {
    why: &'static str,
    /// Corrects the record to this server's behaviour, if the scenario has the difference.
    correct: fn(&Scenario, &mut State),
}

/// The tables and channels that the service writes to, in memory (ratings.md section 5.1).
#[derive(Default)]
struct Store {
    rows: BTreeMap<(PlayerId, String), Row>,
    written: State,
}

/// A row of `leaderboard_rating`; the columns have single precision.
struct Row {
    mean: f32,
    deviation: f32,
    total_games: u32,
    won_games: u32,
}

/// The state after a scenario, with the names of the golden file.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    leaderboard_rating: Vec<Value>,
    journal: Vec<Value>,
    game_player_stats: Vec<Value>,
    in_memory_changes: Vec<Value>,
    published: Vec<Value>,
}

impl Store {
    fn with_rows(rows: &[InitialRow]) -> Self {
        let row = |row: &InitialRow| {
            let key = (row.player, row.leaderboard.clone());
            let (total_games, won_games) = (row.total_games, row.won_games);
            (key, Row { mean: row.mean as f32, deviation: row.dev as f32, total_games, won_games })
        };
        Self { rows: rows.iter().map(row).collect(), written: State::default() }
    }

    fn rate(&mut self, leaderboards: &Leaderboards, game: &Game) {
        let stored = |player, name: &str| {
            let row = self.rows.get(&(player, name.to_owned()))?;
            Some(Rating { mean: row.mean.into(), deviation: row.deviation.into() })
        };
        let changes = rate_game(leaderboards, START_RATING, &game.rating_type, &game.teams, &stored).unwrap();
        let adjustments_last = changes.is_sorted_by_key(|change| change.leaderboard != game.rating_type);
        assert!(adjustments_last, "{changes:?}");
        // The whole transaction fails if a row of `game_player_stats` is missing (R2).
        if changes.iter().any(|change| game.players_without_stats_row.contains(&change.player)) {
            return;
        }
        for change in &changes {
            self.apply(game, change);
        }
    }

    fn apply(&mut self, game: &Game, change: &RatingChange) {
        let RatingChange { player, leaderboard, before, after, outcome, was_stored } = change;
        let key = (*player, leaderboard.clone());
        if !was_stored {
            let (mean, deviation) = (before.mean as f32, before.deviation as f32);
            let begun = self.rows.insert(key.clone(), Row { mean, deviation, total_games: 0, won_games: 0 });
            assert!(begun.is_none(), "there is a row already: {change:?}");
        }
        let row = self.rows.get_mut(&key).expect("the row was stored or has just been inserted");
        (row.mean, row.deviation) = (after.mean as f32, after.deviation as f32);
        row.total_games += 1;
        row.won_games += u32::from(*outcome == Outcome::Victory);

        if *leaderboard == game.rating_type {
            self.written.game_player_stats.push(json!({
                "game_id": game.game_id, "player": player, "mean": before.mean, "deviation": before.deviation,
                "after_mean": after.mean, "after_deviation": after.deviation, "score_time_set": true,
            }));
        }
        self.written.journal.push(json!({
            "game_id": game.game_id, "player": player, "leaderboard": leaderboard,
            "mean_before": before.mean, "dev_before": before.deviation,
            "mean_after": after.mean, "dev_after": after.deviation,
        }));
        self.written.in_memory_changes.push(json!({
            "player": player, "leaderboard": leaderboard, "mean": after.mean, "dev": after.deviation,
        }));
        self.written.published.push(json!({
            "routing_key": "success.rating.update", "game_id": game.game_id, "player_id": player,
            "rating_type": leaderboard, "new_rating_mean": after.mean, "new_rating_deviation": after.deviation,
            "old_rating_mean": before.mean, "old_rating_deviation": before.deviation, "outcome": outcome,
        }));
    }

    fn state(&self) -> State {
        let row = |((player, leaderboard), row): (&(PlayerId, String), &Row)| {
            json!({
                "player": player, "leaderboard": leaderboard, "mean": row.mean, "dev": row.deviation,
                "total_games": row.total_games, "won_games": row.won_games,
            })
        };
        State { leaderboard_rating: self.rows.iter().map(row).collect(), ..self.written.clone() }
    }
}

/// Returns the rows that only one side has. Ratings are compared within a tolerance, everything
/// else exactly; the order within a list does not matter.
fn differences(expected: &State, ours: &State, precise: f64) -> Vec<String> {
    let lists = [
        ("leaderboard_rating", &expected.leaderboard_rating, &ours.leaderboard_rating, SIX_DIGITS),
        ("journal", &expected.journal, &ours.journal, SIX_DIGITS),
        ("game_player_stats", &expected.game_player_stats, &ours.game_player_stats, SIX_DIGITS),
        ("in_memory_changes", &expected.in_memory_changes, &ours.in_memory_changes, precise),
        ("published", &expected.published, &ours.published, precise),
    ];
    let mut differences = Vec::new();
    for (list, expected, ours, tolerance) in lists {
        let mut left: Vec<_> = ours.iter().collect();
        for row in expected {
            match left.iter().position(|candidate| is_same(row, candidate, tolerance)) {
                Some(found) => drop(left.remove(found)),
                None => differences.push(format!("{list} lacks {row}")),
            }
        }
        differences.extend(left.iter().map(|row| format!("{list} has {row}")));
    }
    differences
}

fn is_same(expected: &Value, ours: &Value, tolerance: f64) -> bool {
    let (expected, ours) = (expected.as_object().unwrap(), ours.as_object().unwrap());
    expected.keys().eq(ours.keys())
        && expected.iter().zip(ours.values()).all(|((name, expected), ours)| {
            if name.contains("mean") || name.contains("dev") {
                (expected.as_f64().unwrap() - ours.as_f64().unwrap()).abs() <= tolerance
            } else {
                expected == ours
            }
        })
}

fn assert_changes(case: &str, changes: &[RatingChange], expected: &[Exact]) {
    let players = |ids: Vec<PlayerId>| ids.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        players(changes.iter().map(|change| change.player).collect()),
        players(expected.iter().map(|expected| expected.id).collect()),
        "{case}"
    );
    assert_eq!(changes.len(), expected.len(), "{case}");
    for expected in expected {
        let change = changes.iter().find(|change| change.player == expected.id).unwrap();
        assert!(expected.is_met_by(change.after), "{case}: {:?} is not {expected:?}", change.after);
    }
}

fn is_close(actual: Rating, expected: Rating, tolerance: f64) -> bool {
    (actual.mean - expected.mean).abs() <= tolerance
        && (actual.deviation - expected.deviation).abs() <= tolerance
}

fn check_parameters(parameters: &Value) {
    let number = |name: &str| parameters[name].as_f64().unwrap();
    assert_eq!(START_RATING, Rating { mean: number("mu"), deviation: number("sigma") });
    assert_eq!(true_skill::BETA, number("beta"));
    assert_eq!(true_skill::TAU, number("tau"));
    assert_eq!(true_skill::DRAW_PROBABILITY, number("draw_probability"));
}

fn rated_teams(players: [Vec<PlayerId>; 2], outcomes: [Outcome; 2]) -> [RatedTeam; 2] {
    let [first, second] = players;
    [RatedTeam { outcome: outcomes[0], players: first }, RatedTeam { outcome: outcomes[1], players: second }]
}

/// The two boards that always exist.
fn production() -> Leaderboards {
    let board = |name: &str| GoldenBoard { technical_name: name.to_owned(), initializer: None };
    leaderboards(&[board(GLOBAL), board(LADDER)])
}

/// Leaderboards numbered from 1 in this order.
fn leaderboards(boards: &[GoldenBoard]) -> Leaderboards {
    let id = |name: &String| {
        let position = boards.iter().position(|board| board.technical_name == *name).unwrap();
        u32::try_from(position).unwrap() + 1
    };
    let leaderboard = |board: &GoldenBoard| Leaderboard {
        id: id(&board.technical_name),
        name: board.technical_name.clone(),
        initializer: board.initializer.as_ref().map(id),
    };
    Leaderboards::new(boards.iter().map(leaderboard).collect())
}

/// The kind of the cases in a file, recognised by a member that only they have.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    TwoTeams,
    Initial,
    Adjustment,
    Service,
}

impl Kind {
    fn of(file: &Path, content: &Value) -> Self {
        let case = &content["cases"][0];
        let has = |name: &str| case.get(name).is_some();
        match () {
            () if has("games") => Self::Service,
            () if has("expected_global_changes") => Self::Adjustment,
            () if has("stored") => Self::Initial,
            () if has("outcomes") => Self::TwoTeams,
            () => panic!("{} has no cases, or of an unknown kind", file.display()),
        }
    }
}

/// Reads all files whose cases are of this kind.
fn golden<Case: DeserializeOwned>(kind: Kind) -> Vec<Golden<Case>> {
    let mut found = Vec::new();
    for file in golden::files("rating", "json") {
        let content: Value = serde_json::from_str(&golden::text(&file)).unwrap();
        if Kind::of(&file, &content) == kind {
            let read: Golden<Case> =
                serde_json::from_value(content).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(read.format, 1, "{} is of another format", file.display());
            found.push(read);
        }
    }
    assert!(!golden::is_own() || !found.is_empty(), "there is no file of this kind");
    found
}

#[derive(Deserialize)]
struct Golden<Case> {
    format: u32,
    #[serde(default)]
    parameters: Value,
    #[serde(default)]
    leaderboards: Vec<GoldenBoard>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct GoldenBoard {
    technical_name: String,
    initializer: Option<String>,
}

#[derive(Deserialize)]
struct TwoTeams {
    id: String,
    teams: [Vec<Listed>; 2],
    outcomes: [Outcome; 2],
    #[serde(default)]
    expected: Vec<Exact>,
    expected_error: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    id: PlayerId,
    mean: f64,
    dev: f64,
}

/// A rating that the original computed and, where available, its exact value.
#[derive(Debug, Deserialize)]
struct Exact {
    id: PlayerId,
    mean: f64,
    dev: f64,
    mean_exact: Option<f64>,
    dev_exact: Option<f64>,
}

impl Exact {
    /// Returns whether a rating is equal to either of the two. As the notes of the files say, it
    /// need not be equal to both.
    fn is_met_by(&self, rating: Rating) -> bool {
        let original = Rating { mean: self.mean, deviation: self.dev };
        let exact = self.mean_exact.zip(self.dev_exact);
        exact.is_some_and(|(mean, deviation)| is_close(rating, Rating { mean, deviation }, EXACT))
            || is_close(rating, original, APPROXIMATE)
    }
}

#[derive(Deserialize)]
struct InitialRating {
    id: String,
    leaderboards: Vec<GoldenBoard>,
    stored: BTreeMap<String, Rating>,
    expected: BTreeMap<String, Rating>,
}

#[derive(Deserialize)]
struct GlobalAdjustment {
    id: String,
    teams: [Vec<PlayerId>; 2],
    outcomes: [Outcome; 2],
    matchmaker_rating_before: BTreeMap<String, Rating>,
    global_rating_before: BTreeMap<String, Rating>,
    expected_global_changes: Vec<Exact>,
}

#[derive(Deserialize)]
struct Scenario {
    id: String,
    leaderboard_rating: Vec<InitialRow>,
    games: Vec<Game>,
    expected: State,
}

#[derive(Deserialize)]
struct InitialRow {
    player: PlayerId,
    leaderboard: String,
    mean: f64,
    dev: f64,
    total_games: u32,
    won_games: u32,
}

#[derive(Deserialize)]
struct Game {
    game_id: u32,
    rating_type: String,
    teams: [RatedTeam; 2],
    #[serde(default)]
    players_without_stats_row: Vec<PlayerId>,
}
