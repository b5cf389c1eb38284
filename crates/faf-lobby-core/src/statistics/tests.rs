//! Games given as the JSON that the game sends, and the updates that follow from them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::army::LARGEST_COUNT;
use super::*;

const ADA: PlayerId = PlayerId(11);

const CATEGORIES: [&str; 11] = [
    "air",
    "land",
    "naval",
    "experimental",
    "cdr",
    "tech1",
    "tech2",
    "tech3",
    "engineer",
    "transportation",
    "sacu",
];

/// A complete army of a faction without achievements, which has built, lost and killed nothing.
fn army(name: &str) -> Value {
    let nothing = json!({"built": 0, "lost": 0, "kills": 0});
    let units: serde_json::Map<String, Value> =
        CATEGORIES.iter().map(|name| ((*name).to_owned(), nothing.clone())).collect();
    json!({"type": "Human", "name": name, "faction": 5, "general": {"score": 0}, "units": units, "blueprints": {}})
}

/// Ada's army with one part set, whether or not the part existed.
fn ada(path: &str, value: impl Into<Value>) -> Value {
    with(army("Ada"), path, value)
}

fn with(mut army: Value, path: &str, value: impl Into<Value>) -> Value {
    let part = path.split('.').fold(&mut army, |object, member| &mut object[member]);
    *part = value.into();
    army
}

fn without(mut army: Value, path: &str) -> Value {
    let (object, member) = match path.rsplit_once('.') {
        None => (army.as_object_mut(), path),
        Some((parent, member)) => {
            let parent = parent.split('.').fold(&mut army, |object, member| &mut object[member]);
            (parent.as_object_mut(), member)
        }
    };
    object.unwrap().remove(member).unwrap();
    army
}

fn statistics(armies: impl Into<Vec<Value>>) -> Statistics {
    Statistics::read(&json!({"stats": armies.into()}).to_string()).unwrap()
}

fn updates_of(army: Value, has_won: bool) -> Updates {
    updates(ADA, "Ada", true, has_won, "global", &statistics([army, self::army("Bob")])).unwrap()
}

/// Ada's achievements if she loses and if she wins, without those that every player gets. Each is
/// named by the first digits of its id.
fn achieved(army: &Value) -> [String; 2] {
    [false, true].map(|has_won| beyond_games(&updates_of(army.clone(), has_won)))
}

fn beyond_games(updates: &Updates) -> String {
    let line = |update: &AchievementUpdate| {
        assert_eq!(update.player, ADA);
        let operation = match update.operation {
            Operation::Unlock => "!".to_owned(),
            Operation::Increment(steps) => format!("+{steps}"),
            Operation::SetStepsAtLeast(steps) => format!(">{steps}"),
        };
        format!("{}{operation}", first_digits(&update.achievement))
    };
    let lines: Vec<String> = updates.achievements.iter().map(line).collect();
    assert_eq!(lines[..5], ["c6e6039f+1", "d5c759fe+1", "6a37e2fc+1", "bd12277a+1", "805f268c+1"]);
    lines[5..].join(" ")
}

/// Ada's events if she loses and if she wins.
fn happened(army: &Value) -> [String; 2] {
    let line = |update: EventUpdate| {
        assert_eq!(update.player, ADA);
        format!("{}+{}", first_digits(&update.event), update.count)
    };
    [false, true].map(|has_won| {
        let events = updates_of(army.clone(), has_won).events;
        events.into_iter().map(line).collect::<Vec<_>>().join(" ")
    })
}

fn first_digits(id: &str) -> &str {
    let groups: Vec<&str> = id.split('-').collect();
    assert!(groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]), "{id}");
    assert!(groups.concat().bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    groups[0]
}

#[test]
fn every_game_counts() {
    assert_eq!(achieved(&army("Ada")), ["", ""]);
    assert_eq!(happened(&army("Ada")), ["", ""]);
}

#[test]
fn the_first_success_is_on_the_ladder() {
    let played = statistics([army("Ada"), army("Bob")]);
    let achieved = |has_won, rating_type| {
        beyond_games(&updates(ADA, "Ada", true, has_won, rating_type, &played).unwrap())
    };
    assert_eq!(achieved(true, "ladder_1v1"), "5b7ec244!");
    assert_eq!(achieved(false, "ladder_1v1"), "");
    assert_eq!(achieved(true, "tmm_2v2"), "");
    assert_eq!(achieved(true, "None"), "");
}

#[test]
fn winning_counts_for_the_faction() {
    for (faction, won, events) in [
        (1, "1a3ad9e0+1 326493d7+1 7d6d8c55+1", ["1b900d26+1", "7be6fdc5+1"]),
        (2, "d656ade4+1 06a39447+1 7f993f98+1", ["96ccc66a+1", "a6b51c26+1"]),
        (3, "d1d50fbb+1 af161922+1 ff23024e+1", ["ad193982+1", "56b06197+1"]),
        (4, "c964ac69+1 7aa7fc88+1 6acc8bc6+1", ["fefcb392+1", "15b6c19a+1"]),
    ] {
        for number in [json!(faction), json!(f64::from(faction))] {
            let army = ada("faction", number);
            assert_eq!(achieved(&army), ["", won]);
            assert_eq!(happened(&army), [events[0].to_owned(), events.join(" ")]);
        }
    }
    for other in [-1, 0, 5, 6] {
        assert_eq!(happened(&ada("faction", other)), ["", ""]);
    }
}

#[test]
fn winning_with_mostly_one_category_counts() {
    let built = |air: u32, land: u32, naval: u32| {
        let army = with(ada("units.air.built", air), "units.land.built", land);
        achieved(&with(army, "units.naval.built", naval))
    };
    assert_eq!(built(3, 2, 2), ["", "c1ccde26+1 a4ade3d4+1 e220d5e6+1"]);
    assert_eq!(built(0, 1, 0), ["", "e5c63aec+1 ec8faec7+1 10f17c75+1"]);
    assert_eq!(built(4, 4, 5), ["", "53173f4d+1 2d5cd544+1 bd77964b+1"]);
    for tie in [(3, 3, 0), (3, 0, 3), (0, 3, 3), (3, 3, 3)] {
        assert_eq!(built(tie.0, tie.1, tie.2), ["", ""]);
    }
}

#[test]
fn winning_with_experimentals_counts() {
    let built = |number: u32| achieved(&ada("units.experimental.built", number));
    assert_eq!(built(1), ["", "a6b7dfa1+1"]);
    assert_eq!(built(2), ["", "a6b7dfa1+2"]);
    assert_eq!(built(3), ["", "a6b7dfa1+3 06b19364+1 cd64c5e7+1 e8af7cc9+1"]);
}

#[test]
fn kills_of_the_commander_count() {
    let killed = |number: u32| achieved(&ada("units.cdr.kills", number));
    assert_eq!(killed(2), ["2103e0de+2", "2103e0de+2"]);
    assert_eq!(killed(3), ["2103e0de+3", "2103e0de+3 08629902!"]);
    assert_eq!(achieved(&without(army("Ada"), "units.cdr.kills")), ["", ""]);
}

#[test]
fn each_built_unit_counts() {
    for (unit, achievement) in [
        ("daa0206", "f0cde5d8"),
        ("xrl0302", "e7645e7c"),
        ("ues0401", "a909629f"),
        ("uas0401", "e603f306"),
        ("uaa0310", "539da20b"),
        ("xsa0402", "60d1e60d"),
        ("xsl0401", "1f140add"),
        ("uel0401", "ab241de5"),
        ("url0402", "a1f87fb7"),
        ("ual0401", "1c8fcb6f"),
        ("ura0401", "a98fcfaf"),
        ("xrl0403", "db141e87"),
    ] {
        let army = ada(&format!("blueprints.{unit}"), json!({"built": 3, "lost": 1}));
        assert_eq!(achieved(&army), [format!("{achievement}+3"), format!("{achievement}+3")]);
    }
}

#[test]
fn winning_with_certain_units_unlocks() {
    for (unit, achievement) in [
        ("xab2307", "50260d04"),
        ("xsb2401", "9ad697bb"),
        ("xab1401", "46a6e900"),
        ("url0401", "987ca192"),
        ("ueb2401", "31a728f8"),
    ] {
        let army = |built: u32| ada(&format!("blueprints.{unit}"), json!({"built": built}));
        assert_eq!(achieved(&army(2)), [String::new(), format!("{achievement}!")]);
        assert_eq!(achieved(&army(0)), ["", ""]);
    }
}

#[test]
fn air_superiority_of_all_factions_counts_together() {
    let one = ada("blueprints", json!({"xsa0303": {"built": 2}}));
    assert_eq!(achieved(&one), ["045342e1>2", "045342e1>2"]);
    let all = json!({"uaa0303": {"built": 1}, "ura0303": {"built": 10}, "uea0303": {"built": 100},
                     "xsa0303": {"built": 1000}});
    assert_eq!(achieved(&ada("blueprints", all)), ["045342e1>1111", "045342e1>1111"]);
}

#[test]
fn transports_and_sub_commanders_are_counted() {
    assert_eq!(achieved(&ada("units.transportation.built", 4)), ["d38aec23+4", "d38aec23+4"]);
    assert_eq!(achieved(&ada("units.sacu.built", 4)), ["eb1ee9ab>4", "eb1ee9ab>4"]);
}

#[test]
fn winning_with_a_nearly_dead_commander_unlocks() {
    let survived = |unit: &str, health: Value| {
        achieved(&ada("blueprints", json!({unit: {"built": 1, "lowest_health": health}})))
    };
    for unit in ["ual0001", "url0001", "uel0001", "xsl0001"] {
        assert_eq!(survived(unit, json!(499)), ["", "290df67c!"]);
    }
    assert_eq!(survived("uel0001", json!(499.9)), ["", "290df67c!"]);
    assert_eq!(survived("uel0001", json!(0.25)), ["", "290df67c!"]);
    for health in [json!(500), json!(0), json!(-1), json!(null)] {
        assert_eq!(survived("uel0001", health), ["", ""]);
    }
    let two = json!({"uel0001": {"lowest_health": 300}, "xsl0001": {"lowest_health": 200}});
    assert_eq!(achieved(&ada("blueprints", two)), ["", ""]);
}

/// Ada's achievements among humans with these scores; the first score is hers.
fn scored(scores: &[Value]) -> String {
    let human = |(index, score): (usize, &Value)| {
        let name = if index == 0 { "Ada".to_owned() } else { format!("Human {index}") };
        with(army(&name), "general.score", score.clone())
    };
    let mut armies: Vec<Value> = scores.iter().enumerate().map(human).collect();
    armies.push(civilians());
    beyond_games(&updates(ADA, "Ada", true, false, "global", &statistics(armies)).unwrap())
}

fn civilians() -> Value {
    with(with(army("civilian"), "type", "AI"), "general.score", 1_000_000)
}

#[test]
fn the_highest_score_counts_in_large_games() {
    let scores = |own: Value, others: &[i32]| -> Vec<Value> {
        std::iter::once(own).chain(others.iter().map(|score| json!(score))).collect()
    };
    assert_eq!(scored(&scores(json!(70.5), &[0, 1, 2, 3, 4, 5, 70])), "305a8d34! d3d2c78b+1");
    assert_eq!(scored(&scores(json!(70), &[0, 1, 2, 3, 4, 5, 70])), "305a8d34! d3d2c78b+1");
    assert_eq!(scored(&scores(json!(70), &[0, 1, 2, 3, 4, 5, 71])), "");
    assert_eq!(scored(&scores(json!(70), &[0, 1, 2, 3, 4, 5])), "");
    assert_eq!(scored(&scores(json!(0), &[0, 0, 0, 0, 0, 0, 0])), "");

    let mut armies: Vec<Value> = (1..8).map(|index| army(&format!("Human {index}"))).collect();
    armies[0] = with(armies[0].clone(), "general.score", 70);
    armies.push(ada("general.score", 70));
    let second = updates(ADA, "Ada", true, false, "global", &statistics(armies)).unwrap();
    assert_eq!(beyond_games(&second), "", "on a tie the first one gets it");
}

#[test]
fn nobody_has_the_highest_score_if_one_is_unknown() {
    assert_eq!(scored(&[70, 0, 1, 2, 3, 4, 5, 6].map(|score| json!(score))), "305a8d34! d3d2c78b+1");
    let mut scores = [70, 0, 1, 2, 3, 4, 5, 6].map(|score| json!(score));
    scores[7] = json!(null);
    assert_eq!(scored(&scores), "");
}

#[test]
fn built_and_lost_units_are_events() {
    for (category, built, lost) in [
        ("air", "3ebb0c4d", "225e9b2e"),
        ("land", "ea123d7f", "a1a3fd33"),
        ("naval", "b5265b42", "3a7b3667"),
        ("tech1", "a8ee4f40", "3dd3ed78"),
        ("tech2", "89d4f391", "aebd750b"),
        ("tech3", "92617974", "7f15c2be"),
        ("experimental", "ed9fd79d", "701ca426"),
        ("engineer", "60bb1fc0", "e8e99a68"),
    ] {
        let army = ada(&format!("units.{category}"), json!({"built": 7, "lost": 6, "kills": 5}));
        let events = format!("{built}+7 {lost}+6");
        assert_eq!(happened(&army), [events.clone(), events]);
    }
    let lost = ada("units.cdr", json!({"built": 7, "lost": 6}));
    assert_eq!(happened(&lost), ["d6a699b7+6", "d6a699b7+6"]);
    for category in ["transportation", "sacu"] {
        let army = ada(&format!("units.{category}"), json!({"built": 7, "lost": 6, "kills": 5}));
        assert_eq!(happened(&army), ["", ""]);
    }
}

#[test]
fn some_games_do_not_count() {
    let counts =
        |armies: Vec<Value>| updates(ADA, "Ada", true, true, "global", &statistics(armies)).is_some();
    let ai = |name: &str| with(army(name), "type", "AI");
    assert!(counts(vec![army("Ada"), army("Bob")]));
    assert!(counts(vec![army("Bob"), army("Ada"), civilians()]));
    assert!(!counts(vec![army("Ada"), army("Bob"), ai("Rush AI")]));
    assert!(!counts(vec![army("Ada"), army("Bob"), without(ai("Rush AI"), "name")]));
    assert!(!counts(vec![army("Ada")]));
    assert!(!counts(vec![army("Ada"), civilians()]));
    assert!(!counts(vec![army("Bob"), army("ada")]));
    assert!(!counts(vec![]));
}

#[test]
fn an_unknown_outcome_counts_for_nothing() {
    let played = statistics([army("Ada"), army("Bob")]);
    assert_eq!(updates(ADA, "Ada", false, false, "global", &played), None);
    assert_eq!(updates(ADA, "Ada", false, true, "global", &played), None);
}

#[test]
fn a_player_named_civilian_gets_their_own_updates() {
    let played = statistics([civilians(), with(army("civilian"), "faction", 1), army("Bob")]);
    assert_eq!(updates(ADA, "civilian", true, false, "global", &played).unwrap().events.len(), 1);
}

#[test]
fn a_missing_required_part_affects_only_the_armys_player() {
    let mut required: Vec<String> = CATEGORIES.iter().map(|category| format!("units.{category}")).collect();
    required.extend(["faction", "general", "general.score", "units", "blueprints"].map(str::to_owned));
    for part in required {
        for defective in
            [without(army("Ada"), &part), ada(&part, json!(null)), ada(&part, "1"), ada(&part, json!([1]))]
        {
            let played = statistics([defective.clone(), army("Bob")]);
            assert_eq!(updates(ADA, "Ada", true, true, "global", &played), None, "{part} of {defective}");
            assert_ne!(updates(ADA, "Bob", true, true, "global", &played), None, "{part} of {defective}");
        }
    }
}

#[test]
fn missing_optional_parts_count_as_0() {
    let mut bare = army("Ada");
    for category in CATEGORIES {
        bare = with(bare, &format!("units.{category}"), json!({}));
    }
    bare = with(bare, "blueprints", json!({"daa0206": {}, "ual0001": {"lowest_health": "1"}, "xab2307": 1}));
    assert_eq!(achieved(&bare), ["", ""]);
    assert_eq!(happened(&bare), ["", ""]);
}

#[test]
fn an_empty_lua_table_is_an_object() {
    let army = with(ada("blueprints", json!([])), "units.air", json!([]));
    assert_eq!(achieved(&army), ["", ""]);
}

#[test]
fn counts_are_truncated_and_clamped() {
    for (number, kept) in [
        ("3.9", 3),
        ("3e0", 3),
        ("-0.5", 0),
        ("-7", 0),
        ("2147483647", LARGEST_COUNT),
        ("2147483648", LARGEST_COUNT),
        ("18446744073709551616", LARGEST_COUNT),
        ("-9223372036854775808", 0),
        ("1e300", LARGEST_COUNT),
    ] {
        let number: Value = serde_json::from_str(number).unwrap();
        let kills = statistics([ada("units.cdr.kills", number)]).commander_kills();
        assert_eq!(kills["Ada"], i64::from(kept));
    }
    let many =
        json!({"uaa0303": {"built": u32::MAX}, "ura0303": {"built": u32::MAX}, "uea0303": {"built": 1}});
    assert_eq!(achieved(&ada("blueprints", many))[0], "045342e1>2147483647");
}

#[test]
fn commander_kills_include_all_armies_that_have_them() {
    let kills = |name: &str, kills: u32| with(army(name), "units.cdr.kills", kills);
    let ai = with(kills("Rush AI", 2), "type", "AI");
    let bare = json!({"type": "Human", "name": "Eve", "units": {"cdr": {"kills": 1}}});
    let armies = [
        kills("Ada", 3),
        without(army("Bob"), "units.cdr.kills"),
        without(army("Cid"), "units"),
        without(kills("Dan", 4), "name"),
        bare,
        ai,
        civilians(),
        json!(7),
    ];
    let expected = [("Ada", 3), ("Eve", 1), ("Rush AI", 2), ("civilian", 0)];
    let expected = expected.map(|(name, kills)| (name.to_owned(), kills));
    assert_eq!(statistics(armies).commander_kills(), expected.into());
    assert_eq!(statistics([]).commander_kills(), [].into());
}

/// The statistics of `35_rated_custom_game`: its result was published with these kills, and there
/// were no achievements.
#[test]
fn incomplete_statistics_as_recorded() {
    let text = r#"{"stats": [
        {"type": "Human", "name": "Harbor", "faction": 1, "units": {"cdr": {"built": 1, "lost": 0, "kills": 1}}},
        {"type": "Human", "name": "Iris", "faction": 4, "units": {"cdr": {"built": 1, "lost": 1, "kills": 0}}}]}"#;
    let played = Statistics::read(text).unwrap();
    let expected = [("Harbor".to_owned(), 1), ("Iris".to_owned(), 0)];
    assert_eq!(played.commander_kills(), expected.into());
    for login in ["Harbor", "Iris"] {
        assert_eq!(updates(ADA, login, true, true, "global", &played), None);
    }
}

/// `recorded.jsonl` has the statistics of `52_teamkill_and_stats` and everything that the original
/// published for them, record by record. Harbor and Iris had won; the game was rated as global.
#[test]
fn updates_as_recorded() {
    let records: Vec<Value> =
        include_str!("recorded.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = records[0]["msg"]["args"][0].as_str().unwrap();
    let played = Statistics::read(text).unwrap();
    let published = |key: &str, player: u32| -> Vec<Value> {
        let of_player = records[1..]
            .iter()
            .map(|record| &record["mq"])
            .filter(|message| message["routing_key"] == key && message["body"]["playerId"] == player);
        of_player.map(|message| message["body"].clone()).collect()
    };
    let mut compared = 0;
    for (player, login, has_won) in [(8, "Harbor", true), (9, "Iris", true), (10, "Juniper", false)] {
        let updates = updates(PlayerId(player), login, true, has_won, "global", &played).unwrap();
        compared += updates.achievements.len() + updates.events.len();
        let achievements = serde_json::to_value(updates.achievements).unwrap();
        assert_eq!(achievements, Value::Array(published("request.achievement.update", player)));
        let events = serde_json::to_value(updates.events).unwrap();
        assert_eq!(events, Value::Array(published("request.event.update", player)));
    }
    assert_eq!(compared, records.len() - 1);
}

#[test]
fn updates_are_the_bodies_that_are_published() {
    for (operation, members) in [
        (Operation::Unlock, r#""operation":"UNLOCK""#),
        (Operation::Increment(1), r#""operation":"INCREMENT","steps":1"#),
        (Operation::SetStepsAtLeast(2), r#""operation":"SET_STEPS_AT_LEAST","steps":2"#),
    ] {
        let update = AchievementUpdate { player: ADA, achievement: "c6e6039f".into(), operation };
        let body = format!(r#"{{"playerId":11,"achievementId":"c6e6039f",{members}}}"#);
        assert_eq!(serde_json::to_string(&update).unwrap(), body);
        assert_eq!(serde_json::from_str::<AchievementUpdate>(&body).unwrap(), update);
    }
    let update = EventUpdate { player: ADA, event: "3ebb0c4d".into(), count: 3 };
    let body = r#"{"playerId":11,"eventId":"3ebb0c4d","count":3}"#;
    assert_eq!(serde_json::to_string(&update).unwrap(), body);
    assert_eq!(serde_json::from_str::<EventUpdate>(body).unwrap(), update);
}

#[test]
fn a_text_without_a_list_of_armies_is_an_error() {
    for text in
        ["", "{not json", r#"{"stats":[]"#, r#"{"stats":[]} {}"#, r#"{"stats":[1,]}"#, r#"{"a":1.#INF}"#]
    {
        let result = Statistics::read(text);
        assert!(matches!(result, Err(StatisticsError::Malformed(_))), "{text}: {result:?}");
    }
    for text in ["{}", "[]", "[[]]", "7", "null", r#""stats""#, r#"{"Stats":[]}"#, r#"{"stats":null}"#] {
        assert_eq!(Statistics::read(text), Err(StatisticsError::NoStats), "{text}");
    }
    for text in [r#"{"stats":{}}"#, r#"{"stats":"[]"}"#, r#"{"stats":7}"#] {
        assert_eq!(Statistics::read(text), Err(StatisticsError::NotAList), "{text}");
    }
}

#[test]
fn the_error_does_not_quote_the_text() {
    let error = Statistics::read(r#"{"stats":secret}"#).unwrap_err().to_string();
    assert_eq!(error, "not JSON: expected value at line 1 column 10");
}

#[test]
fn an_army_with_a_parse_error_does_not_affect_others() {
    for defective in [
        "null",
        "7",
        "[]",
        "[1]",
        r#""Bob""#,
        r#"{"name":"\ud800"}"#,
        r#"{"faction":1e999}"#,
        r#"{"name":1,"name":2}"#,
    ] {
        let text = format!(r#"{{"stats":[{defective},{},{}]}}"#, army("Ada"), army("Bob"));
        let played = Statistics::read(&text).unwrap();
        assert_ne!(updates(ADA, "Ada", true, true, "global", &played), None, "{defective}");
    }
}

#[test]
fn texts_armies_and_names_are_bounded() {
    let padded = |length: usize| format!(r#"{{"stats":[]{}}}"#, " ".repeat(length - 12));
    assert_eq!(Statistics::read(&padded(LONGEST_TEXT)), Ok(Statistics::default()));
    let too_long = StatisticsError::TooLong { length: LONGEST_TEXT + 1, limit: LONGEST_TEXT };
    assert_eq!(Statistics::read(&padded(LONGEST_TEXT + 1)), Err(too_long));

    let armies = |number: usize| format!(r#"{{"stats":[{}]}}"#, vec!["{}"; number].join(","));
    assert_eq!(Statistics::read(&armies(MOST_ARMIES)).unwrap().armies.len(), MOST_ARMIES);
    let too_many = StatisticsError::TooManyArmies { number: MOST_ARMIES + 1, limit: MOST_ARMIES };
    assert_eq!(Statistics::read(&armies(MOST_ARMIES + 1)), Err(too_many));

    let named = |length: usize| statistics([ada("name", "a".repeat(length))]).commander_kills().len();
    assert_eq!([named(LONGEST_NAME), named(LONGEST_NAME + 1)], [1, 0]);
}

#[test]
fn nesting_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(120_000), "]".repeat(120_000));
    assert_eq!(Statistics::read(&deep), Err(StatisticsError::NoStats));
    for member in ["stats", "other"] {
        let text = format!(r#"{{"{member}":{deep}}}"#);
        assert!(Statistics::read(&text).is_ok() == (member == "stats"));
    }
    for member in ["name", "units", "blueprints", "other"] {
        assert_eq!(
            Statistics::read(&format!(r#"{{"stats":[{{"{member}":{deep}}}]}}"#)).unwrap().armies.len(),
            1
        );
    }
}

/// Any JSON that often uses the names that the reader looks for, so that it comes close to
/// real texts.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..5).prop_map(Value::from),
        any_name().prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 200, 12, |value| {
        prop_oneof![
            proptest::collection::vec(value.clone(), 0..12).prop_map(Value::from),
            proptest::collection::btree_map(any_name(), value, 0..12)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    let names = "stats type name faction general score units blueprints built lost kills lowest_health ual0001 daa0206 \
                 Human AI civilian Ada air cdr";
    prop_oneof![
        proptest::sample::select(names.split_whitespace().collect::<Vec<_>>()).prop_map(str::to_owned),
        ".{0,300}",
    ]
}

/// A game whose armies are complete except for one part each.
fn any_game() -> impl Strategy<Value = Value> {
    let paths: Vec<String> = CATEGORIES
        .iter()
        .flat_map(|category| {
            ["", ".built", ".lost", ".kills"].map(|member| format!("units.{category}{member}"))
        })
        .chain(
            ["type", "name", "faction", "general", "general.score", "units", "blueprints"].map(str::to_owned),
        )
        .collect();
    let army = (proptest::sample::select(paths), any_json()).prop_map(|(path, value)| ada(&path, value));
    proptest::collection::vec(army, 0..6).prop_map(|armies| json!({"stats": armies}))
}

/// Checks the properties that hold for any text.
fn check(text: &str) {
    let Ok(kept) = Statistics::read(text) else { return };
    assert!(kept.armies.len() <= MOST_ARMIES);
    for army in &kept.armies {
        assert!(army.name.as_ref().is_none_or(|name| name.len() <= LONGEST_NAME));
        assert!(army.score.is_none_or(f64::is_finite));
        if let Some(figures) = &army.figures {
            assert!(figures.blueprints.keys().all(|unit| achievements::depend_on(unit)));
            assert!(figures.blueprints.values().all(|blueprint| blueprint.lowest_health.is_finite()));
        }
    }
    let stored = serde_json::to_string(&kept).unwrap();
    assert!(stored.len() <= MOST_ARMIES * 4096);
    assert_eq!(serde_json::from_str::<Statistics>(&stored).unwrap(), kept);

    assert!(kept.commander_kills().values().all(|kills| (0..=i64::from(LARGEST_COUNT)).contains(kills)));
    let Some(updates) = updates(ADA, "Ada", true, true, "global", &kept) else { return };
    assert!(updates.events.iter().all(|update| (1..=LARGEST_COUNT).contains(&update.count)));
    for update in updates.achievements {
        match update.operation {
            Operation::Unlock => {}
            Operation::Increment(steps) | Operation::SetStepsAtLeast(steps) => {
                assert!((1..=LARGEST_COUNT).contains(&steps));
            }
        }
    }
}

#[test]
fn the_largest_army_is_kept_small() {
    let blueprint = json!({"built": u32::MAX, "lowest_health": f64::MIN_POSITIVE, "lost": 1});
    let ids = (0..3000).map(|number| format!("x{number:06}"));
    let known =
        ["uaa0303", "ura0303", "uea0303", "xsa0303", "ual0001", "url0001", "uel0001", "xsl0001", "xab2307"];
    let all = ids.chain(known.map(str::to_owned)).map(|id| (id, blueprint.clone()));
    let army = ada("blueprints", all.collect::<serde_json::Map<_, _>>());
    let played = statistics([army, self::army("Bob")]);
    assert_eq!(played.armies[0].figures.as_ref().unwrap().blueprints.len(), known.len());
}

proptest! {
    #[test]
    fn any_text_is_read_or_rejected(text in ".{0,200}") {
        check(&text);
        check(&format!(r#"{{"stats":[{text}]}}"#));
    }

    #[test]
    fn any_json_is_read_or_rejected(value in any_json()) {
        check(&value.to_string());
        check(&json!({"stats": value}).to_string());
        check(&json!({"stats": [value]}).to_string());
    }

    #[test]
    fn any_game_is_read_and_bounded(game in any_game()) {
        let text = game.to_string();
        prop_assert!(Statistics::read(&text).is_ok());
        check(&text);
    }
}
