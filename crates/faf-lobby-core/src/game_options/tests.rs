use super::*;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn texts(options: &GameOptions) -> BTreeMap<&str, &str> {
    options.others.iter().map(|(key, value)| (key.as_str(), value.as_ref().text())).collect()
}

#[test]
fn a_custom_game_begins_with_these() {
    let options = GameOptions::new(GameKind::Custom);
    assert_eq!(options.victory(), VictoryCondition::Demoralization);
    assert_eq!(options.slots(), 12);
    assert_eq!(
        texts(&options),
        BTreeMap::from([
            ("AIReplacement", r#""Off""#),
            ("CheatsEnabled", r#""false""#),
            ("FogOfWar", r#""explored""#),
            ("GameSpeed", r#""normal""#),
            ("NoRushOption", r#""Off""#),
            ("PrebuiltUnits", r#""Off""#),
            ("RestrictedCategories", "0"),
            ("TeamLock", r#""locked""#),
            ("Unranked", r#""No""#),
        ])
    );
}

#[test]
fn a_co_op_game_begins_with_more() {
    let options = GameOptions::new(GameKind::Coop);
    assert_eq!(options.victory(), VictoryCondition::Sandbox);
    assert_eq!(options.slots(), 12);
    let custom = GameOptions::new(GameKind::Custom);
    let mut expected = texts(&custom);
    expected.extend([
        ("TeamSpawn", r#""fixed""#),
        ("RevealedCivilians", r#""No""#),
        ("Difficulty", "3"),
        ("Expansion", r#""true""#),
    ]);
    assert_eq!(texts(&options), expected);
}

#[test]
fn kinds_have_their_names() {
    for (kind, name) in [(GameKind::Custom, "custom"), (GameKind::Coop, "coop")] {
        assert_eq!(kind.as_str(), name);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{name:?}"));
        assert_eq!(serde_json::from_str::<GameKind>(&format!("{name:?}")).unwrap(), kind);
    }
}

#[test]
fn victory_takes_its_words_in_any_case() {
    for (word, condition, name) in [
        ("demoralization", VictoryCondition::Demoralization, "DEMORALIZATION"),
        ("Domination", VictoryCondition::Domination, "DOMINATION"),
        ("ERADICATION", VictoryCondition::Eradication, "ERADICATION"),
        ("sandBox", VictoryCondition::Sandbox, "SANDBOX"),
        ("decapitation", VictoryCondition::Decapitation, "DECAPITATION"),
    ] {
        let mut options = GameOptions::new(GameKind::Custom);
        assert_eq!(options.set("Victory", word.into()), Accepted::Stored);
        assert_eq!(options.victory(), condition);
        assert_eq!(options.get("Victory"), None);
        assert_eq!(condition.to_string(), name);
        assert_eq!(serde_json::to_string(&condition).unwrap(), format!("{name:?}"));
        assert_eq!(serde_json::from_str::<VictoryCondition>(&format!("{word:?}")).unwrap(), condition);
    }
    assert!(serde_json::from_str::<VictoryCondition>("\"chess\"").is_err());
    assert!(serde_json::from_str::<VictoryCondition>("0").is_err());
}

#[test]
fn victory_is_unchanged_by_unknown_words_and_other_types() {
    let mut options = GameOptions::new(GameKind::Custom);
    assert_eq!(options.set("Victory", "domination".into()), Accepted::Stored);
    let before = options.clone();
    assert_eq!(options.set("Victory", "chess".into()), Accepted::Kept);
    assert_eq!(options.set("Victory", "".into()), Accepted::Kept);
    for value in ["1", "null", "true", "[\"sandbox\"]", "{}"] {
        assert_eq!(options.set("Victory", json(value)), Accepted::Malformed, "{value}");
    }
    assert_eq!(options, before);
}

#[test]
fn slots_are_an_integer_or_its_text() {
    let mut options = GameOptions::new(GameKind::Custom);
    for (value, slots) in [("8", 8), (r#""6""#, 6), (r#"" 4 ""#, 4), ("1", 1), ("16", 16)] {
        assert_eq!(options.set("Slots", json(value)), Accepted::Stored, "{value}");
        assert_eq!(options.slots(), slots);
    }
    for value in [
        "0",
        "-5",
        r#""-1""#,
        "17",
        "2147483648",
        "8.5",
        "null",
        "true",
        "[8]",
        r#""""#,
        r#""eight""#,
        r#""8.5""#,
    ] {
        assert_eq!(options.set("Slots", json(value)), Accepted::Malformed, "{value}");
        assert_eq!(options.slots(), 16);
    }
    assert_eq!(options.get("Slots"), None);
}

#[test]
fn options_that_rules_check_are_stored_verbatim() {
    let mut options = GameOptions::new(GameKind::Custom);
    for (key, value) in [("FogOfWar", r#""none""#), ("Difficulty", r#"{"a":[1.50]}"#), ("TeamLock", "null")] {
        assert_eq!(options.set(key, json(value)), Accepted::Stored);
        assert_eq!(options.get(key).unwrap().as_ref().text(), value);
    }
    assert_eq!(options.get("Nothing"), None);
}

#[test]
fn other_options_are_not_stored() {
    let mut options = GameOptions::new(GameKind::Custom);
    let before = options.clone();
    for key in ["victory", "Title", "ScenarioFile", "Anything", "UnitCap", "", &"k".repeat(10_000)] {
        assert_eq!(options.set(key, json(r#""chess""#)), Accepted::Stored);
    }
    assert_eq!(options, before);
}

#[test]
fn a_host_cannot_make_options_large() {
    let value = |length: usize| Json::from("v".repeat(length - 2).as_str());
    let mut options = GameOptions::new(GameKind::Coop);
    for key in KEPT {
        assert_eq!(options.set(key, value(OPTION_VALUE_MAX)), Accepted::Stored);
        assert_eq!(options.get(key).unwrap().as_ref().text().len(), OPTION_VALUE_MAX);
    }
    assert!(serde_json::to_string(&options).unwrap().len() < 4096);
    // A value that is too long is not stored, is not accepted by any rule, and does not keep the
    // old one.
    let mut options = GameOptions::new(GameKind::Custom);
    assert_eq!(options.set("CheatsEnabled", value(OPTION_VALUE_MAX + 1)), Accepted::Stored);
    assert_eq!(options.get("CheatsEnabled"), Some(&"".into()));
    assert!(!options.is_off("CheatsEnabled") && !options.is_on("CheatsEnabled"));
}

#[test]
fn off_and_on_have_many_spellings() {
    let mut options = GameOptions::new(GameKind::Custom);
    let mut switch = |value: &str| {
        assert_eq!(options.set("Unranked", json(value)), Accepted::Stored);
        (options.is_off("Unranked"), options.is_on("Unranked"))
    };
    for off in ["false", "0", "0.0", r#""false""#, r#""False""#, r#""OFF""#, r#""no""#] {
        assert_eq!(switch(off), (true, false), "{off}");
    }
    for on in ["true", "1", "1.0", r#""true""#, r#""On""#, r#""YES""#] {
        assert_eq!(switch(on), (false, true), "{on}");
    }
    for neither in ["2", "-1", "0.5", r#""0""#, r#""1""#, r#""""#, r#"" off""#, "null", "[]", "{}", "[0]"] {
        assert_eq!(switch(neither), (false, false), "{neither}");
    }
    assert!(!options.is_off("Nothing") && !options.is_on("Nothing"));
}

#[test]
fn options_survive_serialisation() {
    let mut options = GameOptions::new(GameKind::Coop);
    assert_eq!(options.set("Difficulty", json(r#"{"n":1.50}"#)), Accepted::Stored);
    assert_eq!(options.set("Slots", 4.into()), Accepted::Stored);
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<GameOptions>(&text).unwrap(), options);
}
