use faf_protocol::PlayerId;
use faf_protocol::json::Json;
use proptest::prelude::*;

use super::*;

/// A game that tests change step by step. It starts without anything that a rule would hit.
struct Game {
    kind: GameKind,
    options: GameOptions,
    participants: Vec<Participant>,
    has_ai: bool,
    unranked_mod: Option<&'static str>,
    map_is_ranked: bool,
}

impl Game {
    fn new(kind: GameKind) -> Self {
        Self {
            kind,
            options: GameOptions::new(kind),
            participants: Vec::new(),
            has_ai: false,
            unranked_mod: None,
            map_is_ranked: true,
        }
        .teams(&[Some(2), Some(3)])
    }

    fn teams(mut self, teams: &[Option<i64>]) -> Self {
        self.participants = (1..)
            .zip(teams)
            .map(|(player, &team)| Participant { player: PlayerId(player), army: Some(player.into()), team })
            .collect();
        self
    }

    fn option(mut self, key: &str, value: &str) -> Self {
        let _ = self.options.set(key, Json::parse(value).unwrap());
        self
    }

    fn check(&self) -> LaunchChecks {
        check_at_launch(&LaunchFacts {
            kind: self.kind,
            options: &self.options,
            participants: &self.participants,
            has_ai: self.has_ai,
            unranked_mod: self.unranked_mod,
            map_is_ranked: self.map_is_ranked,
        })
    }

    fn validity(&self) -> Validity {
        self.check().validity
    }

    /// The detail of the rule that decided.
    fn detail(&self) -> String {
        self.check().checks.into_iter().rfind(|check| check.is_hit).unwrap().detail
    }

    /// The numbers of the rules that were checked.
    fn path(&self) -> Vec<u8> {
        self.check().checks.iter().map(|check| check.validity.number()).collect()
    }
}

fn custom() -> Game {
    Game::new(GameKind::Custom)
}

fn coop() -> Game {
    Game::new(GameKind::Coop)
}

#[test]
fn games_with_nothing_wrong_pass_all_rules_in_order() {
    assert_eq!(custom().validity(), Validity::Valid);
    assert_eq!(custom().path(), [8, 10, 19, 18, 14, 19, 4, 3, 6, 5, 7, 17, 25, 13, 15, 2]);
    assert_eq!(coop().validity(), Validity::CoopNotRanked);
    assert_eq!(coop().path(), [10, 19, 18, 19, 4, 3, 6, 5, 7, 17, 25, 2, 23, 20, 21, 22]);
    for game in [custom(), coop()] {
        assert!(game.check().checks.iter().all(|check| !check.is_hit && !check.detail.contains("must")));
    }
}

#[test]
fn options_count_for_every_kind_of_game() {
    for (key, value, validity, detail) in [
        ("AIReplacement", r#""On""#, Validity::HasAiPlayers, r#"AIReplacement is "On", must be off"#),
        ("CheatsEnabled", r#""true""#, Validity::CheatsEnabled, r#"CheatsEnabled is "true", must be off"#),
        ("FogOfWar", r#""none""#, Validity::NoFogOfWar, r#"FogOfWar is "none", must be "explored""#),
        ("FogOfWar", r#""Explored""#, Validity::NoFogOfWar, r#"FogOfWar is "Explored", must be "explored""#),
        ("NoRushOption", r#""5""#, Validity::NorushEnabled, r#"NoRushOption is "5", must be off"#),
        ("PrebuiltUnits", "1", Validity::PrebuiltEnabled, "PrebuiltUnits is 1, must be off"),
        ("RestrictedCategories", "1", Validity::BadUnitRestrictions, "RestrictedCategories is 1, must be 0"),
        (
            "RestrictedCategories",
            r#""0""#,
            Validity::BadUnitRestrictions,
            r#"RestrictedCategories is "0", must be 0"#,
        ),
        (
            "RestrictedCategories",
            "true",
            Validity::BadUnitRestrictions,
            "RestrictedCategories is true, must be 0",
        ),
        ("TeamLock", r#""unlocked""#, Validity::UnlockedTeams, r#"TeamLock is "unlocked", must be "locked""#),
        ("TeamLock", "true", Validity::UnlockedTeams, r#"TeamLock is true, must be "locked""#),
        ("Unranked", r#""Yes""#, Validity::HostSetUnranked, r#"Unranked is "Yes", must be off"#),
        ("Unranked", r#""maybe""#, Validity::HostSetUnranked, r#"Unranked is "maybe", must be off"#),
    ] {
        for game in [custom(), coop()] {
            let game = game.option(key, value);
            assert_eq!(game.validity(), validity, "{key} {value}");
            assert_eq!(game.detail(), detail);
        }
    }
    for (key, value) in [
        ("AIReplacement", "false"),
        ("CheatsEnabled", r#""No""#),
        ("NoRushOption", "0"),
        ("PrebuiltUnits", r#""OFF""#),
        ("RestrictedCategories", "false"),
        ("RestrictedCategories", "0.0"),
        ("Unranked", "false"),
    ] {
        assert_eq!(custom().option(key, value).validity(), Validity::Valid, "{key} {value}");
    }
}

#[test]
fn mission_options_count_in_co_op_games_only() {
    for (key, value, validity, detail) in [
        ("TeamSpawn", r#""random""#, Validity::SpawnNotFixed, r#"TeamSpawn is "random", must be "fixed""#),
        (
            "RevealedCivilians",
            r#""Yes""#,
            Validity::CiviliansRevealed,
            r#"RevealedCivilians is "Yes", must be off"#,
        ),
        ("Difficulty", "2", Validity::WrongDifficulty, "Difficulty is 2, must be 3"),
        ("Difficulty", r#""2""#, Validity::WrongDifficulty, r#"Difficulty is "2", must be 3"#),
        ("Difficulty", r#""hard""#, Validity::WrongDifficulty, r#"Difficulty is "hard", must be 3"#),
        ("Difficulty", "true", Validity::WrongDifficulty, "Difficulty is true, must be 3"),
        ("Expansion", r#""false""#, Validity::ExpansionDisabled, r#"Expansion is "false", must be on"#),
        ("Expansion", r#""maybe""#, Validity::ExpansionDisabled, r#"Expansion is "maybe", must be on"#),
    ] {
        let game = coop().option(key, value);
        assert_eq!(game.validity(), validity, "{key} {value}");
        assert_eq!(game.detail(), detail);
        assert_eq!(custom().option(key, value).validity(), Validity::Valid, "{key} {value}");
    }
    for (key, value) in [
        ("Difficulty", r#""3""#),
        ("Difficulty", r#"" 3 ""#),
        ("Difficulty", "3.0"),
        ("RevealedCivilians", "false"),
        ("Expansion", "1"),
    ] {
        assert_eq!(coop().option(key, value).validity(), Validity::CoopNotRanked, "{key} {value}");
    }
}

#[test]
fn an_option_that_is_not_set_is_neither_off_nor_on() {
    // This server does not create such a game, but the store of an older one may hold it.
    let mut game = coop();
    game.options = GameOptions::new(GameKind::Custom);
    let game = game.option("Victory", r#""sandbox""#);
    assert_eq!(game.validity(), Validity::SpawnNotFixed);
    assert_eq!(game.detail(), r#"TeamSpawn is not set, must be "fixed""#);
}

#[test]
fn each_kind_of_game_has_its_victory_condition() {
    for (word, custom_counts, coop_counts) in [
        ("demoralization", true, false),
        ("domination", false, false),
        ("eradication", false, false),
        ("sandbox", false, true),
        ("decapitation", true, false),
    ] {
        let value = format!("{word:?}");
        let counts =
            |game: Game| game.option("Victory", &value).validity() != Validity::WrongVictoryCondition;
        assert_eq!(counts(custom()), custom_counts, "{word}");
        assert_eq!(counts(coop()), coop_counts, "{word}");
    }
    assert_eq!(
        custom().option("Victory", r#""sandbox""#).detail(),
        "Victory is SANDBOX, must be DEMORALIZATION or DECAPITATION"
    );
    assert_eq!(
        coop().option("Victory", r#""domination""#).detail(),
        "Victory is DOMINATION, must be SANDBOX"
    );
}

#[test]
fn teams_of_custom_games_are_two_and_even() {
    for (teams, validity, detail) in [
        (&[][..], Validity::SinglePlayer, "players: 0, there must be at least 2"),
        (&[Some(2)], Validity::SinglePlayer, "players: 1, there must be at least 2"),
        (&[None], Validity::SinglePlayer, "players: 1, there must be at least 2"),
        (
            &[Some(2), Some(2)],
            Validity::UnevenTeamsNotRanked,
            "sizes of the teams: 2, there must be several of the same size",
        ),
        (
            &[Some(2), Some(3), Some(3)],
            Validity::UnevenTeamsNotRanked,
            "sizes of the teams: 1, 2, there must be several of the same size",
        ),
        (&[Some(2), None], Validity::UnevenTeamsNotRanked, "Team of player 2 is not set"),
        (&[None, None], Validity::UnevenTeamsNotRanked, "Team of player 1 is not set"),
        (
            &[Some(1), Some(2), Some(3)],
            Validity::MultiTeam,
            "there are 3 different values of Team, at most 2 are allowed",
        ),
        (
            &[Some(2), Some(3), Some(4)],
            Validity::MultiTeam,
            "there are 3 different values of Team, at most 2 are allowed",
        ),
        (&[Some(1), Some(1), Some(1)], Validity::FfaNotRanked, "3 of 3 players have no team"),
        (&[Some(1), Some(2), Some(2)], Validity::FfaNotRanked, "1 of 3 players have no team"),
    ] {
        let game = custom().teams(teams);
        assert_eq!(game.validity(), validity, "{teams:?}");
        assert_eq!(game.detail(), detail, "{teams:?}");
    }
    for teams in [
        &[Some(1), Some(1)][..],
        &[Some(1), Some(2)],
        &[Some(2), Some(3)],
        &[Some(4), Some(-1)],
        &[Some(2), Some(3), Some(3), Some(2)],
    ] {
        assert_eq!(custom().teams(teams).validity(), Validity::Valid, "{teams:?}");
    }
}

#[test]
fn co_op_games_may_have_any_teams_up_to_two() {
    for teams in [
        &[][..],
        &[Some(1)],
        &[None],
        &[Some(2), Some(2)],
        &[Some(1), Some(1), Some(1)],
        &[Some(1), Some(1), Some(1), Some(2)],
        &[Some(2), Some(3), Some(3)],
    ] {
        assert_eq!(coop().teams(teams).validity(), Validity::CoopNotRanked, "{teams:?}");
    }
    assert_eq!(coop().teams(&[Some(1), Some(2), Some(3)]).validity(), Validity::MultiTeam);
}

#[test]
fn mods_and_ais_count_for_every_kind_of_game() {
    for game in [custom(), coop()] {
        let game = Game { has_ai: true, ..game };
        assert_eq!((game.validity(), game.detail()), (Validity::HasAiPlayers, "there is an AI".to_owned()));
        let game = Game { unranked_mod: Some("123-abc"), ..game };
        assert_eq!(game.validity(), Validity::BadMod);
        assert_eq!(game.detail(), r#"the mod "123-abc" is not ranked"#);
    }
}

#[test]
fn the_map_counts_unless_something_else_is_wrong() {
    let on_bad_map = |game: Game| Game { map_is_ranked: false, ..game };
    let game = on_bad_map(custom());
    assert_eq!((game.validity(), game.detail()), (Validity::BadMap, "the map is not ranked".to_owned()));
    assert_eq!(game.path().len(), custom().path().len());
    let game = on_bad_map(custom()).option("Unranked", "true");
    assert_eq!(game.validity(), Validity::HostSetUnranked);
    assert!(game.check().checks[0].is_hit);
    assert_eq!(on_bad_map(coop()).validity(), Validity::CoopNotRanked);
}

/// Starts with everything wrong, repairs what the current reason names, and expects the next one.
#[test]
fn the_first_of_several_reasons_counts() {
    for (kind, order, at_last) in [
        (GameKind::Custom, &[10, 19, 18, 14, 19, 4, 3, 6, 5, 7, 17, 25, 13, 15, 2][..], Validity::BadMap),
        (
            GameKind::Coop,
            &[10, 19, 18, 19, 4, 3, 6, 5, 7, 17, 25, 2, 23, 20, 21, 22],
            Validity::CoopNotRanked,
        ),
    ] {
        let game = Game::new(kind).teams(&[Some(1), Some(2), Some(3)]).option("Victory", r#""domination""#);
        let mut game = KEYS.iter().fold(game, |game, key| game.option(key, r#""wrong""#));
        game = Game { has_ai: true, unranked_mod: Some("x"), map_is_ranked: false, ..game };
        for &number in order {
            let validity = game.validity();
            assert_eq!(validity.number(), number);
            game = repaired(game, validity);
        }
        assert_eq!(game.validity(), at_last);
    }
}

const KEYS: [&str; 12] = [
    "AIReplacement",
    "CheatsEnabled",
    "FogOfWar",
    "NoRushOption",
    "PrebuiltUnits",
    "RestrictedCategories",
    "TeamLock",
    "Unranked",
    "TeamSpawn",
    "RevealedCivilians",
    "Difficulty",
    "Expansion",
];

fn repaired(game: Game, validity: Validity) -> Game {
    let defaults = GameOptions::new(game.kind);
    match validity {
        Validity::BadMod => Game { unranked_mod: None, ..game },
        Validity::HasAiPlayers if game.has_ai => Game { has_ai: false, ..game },
        Validity::MultiTeam => game.teams(&[Some(1), Some(1), Some(2)]),
        Validity::FfaNotRanked => game.teams(&[Some(2)]),
        Validity::SinglePlayer => game.teams(&[Some(2), Some(2)]),
        Validity::UnevenTeamsNotRanked => game.teams(&[Some(2), Some(3)]),
        Validity::WrongVictoryCondition => {
            game.option("Victory", &format!("{:?}", defaults.victory().as_str()))
        }
        _ => {
            let detail = game.detail();
            let key = KEYS.iter().find(|key| detail.starts_with(*key)).unwrap();
            game.option(key, defaults.get(key).unwrap().as_ref().text())
        }
    }
}

#[test]
fn long_values_are_cut() {
    let detail = |length: usize| custom().option("FogOfWar", &format!("{:?}", "ä".repeat(length))).detail();
    let quoted = |length: usize| format!("{:?}", "ä".repeat(length));
    assert_eq!(
        detail(SHOWN_MAX - 2),
        format!(r#"FogOfWar is {}, must be "explored""#, quoted(SHOWN_MAX - 2))
    );
    assert_eq!(
        detail(SHOWN_MAX - 1),
        format!(r#"FogOfWar is "{}..., must be "explored""#, "ä".repeat(SHOWN_MAX - 1))
    );
}

proptest! {
    #[test]
    fn only_the_last_check_and_the_map_can_hit(
        is_coop: bool,
        options in prop::collection::vec(
            (
                prop::sample::select(vec!["FogOfWar", "TeamLock", "Unranked", "Victory", "Difficulty"]),
                prop::sample::select(vec!["\"off\"", "\"explored\"", "\"domination\"", "3", "null", "[0]"]),
            ),
            0..3,
        ),
        teams in prop::collection::vec(prop::option::of(0..4_i64), 0..5),
        (has_ai, map_is_ranked) in any::<(bool, bool)>(),
    ) {
        let kind = if is_coop { GameKind::Coop } else { GameKind::Custom };
        let game = Game::new(kind).teams(&teams);
        let game = options.iter().fold(game, |game, (key, value)| game.option(key, value));
        let LaunchChecks { validity, checks } = Game { has_ai, map_is_ranked, ..game }.check();
        let (last, others) = checks.split_last().unwrap();
        for check in others {
            prop_assert!(!check.is_hit || check.validity == Validity::BadMap);
        }
        prop_assert_eq!(last.is_hit, validity == last.validity);
        let has_hit = checks.iter().any(|check| check.is_hit);
        prop_assert_eq!(has_hit, validity != Validity::initial(kind));
    }
}

#[test]
fn options_that_rules_check_are_kept() {
    for kind in [GameKind::Custom, GameKind::Coop] {
        for rule in rules(kind) {
            if let Rule::Option(_, key, _) = rule {
                let mut options = GameOptions::new(kind);
                let _ = options.set(key, "odd".into());
                assert_eq!(options.get(key), Some(&"odd".into()), "{key}");
            }
        }
    }
}
