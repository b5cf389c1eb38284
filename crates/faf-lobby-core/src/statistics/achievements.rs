//! Achievements (game-results.md section 8.3).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use super::Played;
use super::army::{Counts, Faction, Units};

use Condition::{
    Always, HighestScore, Won, WonAs, WonDamaged, WonLadder1v1, WonMostly, WonWith, WonWithCommanderKills,
    WonWithExperimentals,
};
use Quantity::{Built, BuiltUnits, CommanderKills, One};
use Step::{Increment, SetStepsAtLeast, Unlock};

/// An update of one achievement of a player; serialised as the body of
/// a `request.achievement.update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AchievementUpdate {
    /// Player who owns the achievement.
    #[serde(rename = "playerId")]
    pub player: PlayerId,
    /// Id of the achievement, a UUID.
    #[serde(rename = "achievementId")]
    pub achievement: Cow<'static, str>,
    /// Change of the achievement; in JSON the members `operation` and `steps`.
    #[serde(flatten)]
    pub operation: Operation,
}

/// The change of an achievement. Steps are from 1 to 2147483647.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "steps", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operation {
    /// The achievement is unlocked.
    Unlock,
    /// This many steps are added.
    Increment(u32),
    /// The number of steps is raised to this, unless it is higher already.
    SetStepsAtLeast(u32),
}

/// Id of an achievement, its change, and the condition for it.
struct Rule(&'static str, Step, Condition);

enum Step {
    Unlock,
    Increment(Quantity),
    SetStepsAtLeast(Quantity),
}

enum Quantity {
    One,
    /// Number of units built of a category.
    Built(fn(&Units<Counts>) -> Counts),
    /// Number of units built with any of these ids.
    BuiltUnits(&'static [&'static str]),
    CommanderKills,
}

enum Condition {
    Always,
    Won,
    WonLadder1v1,
    WonAs(Faction),
    /// More units of this category were built than of either other category among air, land
    /// and naval.
    WonMostly(fn(&Units<Counts>) -> Counts),
    WonWithExperimentals(u32),
    WonWithCommanderKills(u32),
    /// At least one unit with this id was built.
    WonWith(&'static str),
    /// The commander survived with less than [`NEARLY_DEAD`] health.
    WonDamaged,
    HighestScore,
}

/// Returns the updates in the order of the table. An update of 0 steps is left out.
pub(super) fn updates(player: PlayerId, played: &Played<'_>) -> Vec<AchievementUpdate> {
    let fulfilled = RULES.iter().filter(|Rule(_, _, condition)| condition.holds(played));
    let updates = fulfilled.filter_map(|Rule(achievement, step, _)| {
        let operation = step.operation(played)?;
        Some(AchievementUpdate { player, achievement: Cow::Borrowed(*achievement), operation })
    });
    updates.collect()
}

/// Returns whether any achievement depends on how many of this unit were built, or on its health.
pub(super) fn depend_on(unit: &str) -> bool {
    // A set, because statistics may name thousands of units.
    static UNITS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        let of_rule = |Rule(_, step, condition): &'static Rule| -> Vec<&'static str> {
            match (step, condition) {
                (Increment(BuiltUnits(units)) | SetStepsAtLeast(BuiltUnits(units)), _) => units.to_vec(),
                (_, WonWith(built)) => vec![*built],
                _ => Vec::new(),
            }
        };
        COMMANDERS.into_iter().chain(RULES.iter().flat_map(of_rule)).collect()
    });
    UNITS.contains(unit)
}

impl Step {
    fn operation(&self, played: &Played<'_>) -> Option<Operation> {
        let steps = |quantity: &Quantity| Some(quantity.of(played)).filter(|steps| *steps > 0);
        Some(match self {
            Unlock => Operation::Unlock,
            Increment(quantity) => Operation::Increment(steps(quantity)?),
            SetStepsAtLeast(quantity) => Operation::SetStepsAtLeast(steps(quantity)?),
        })
    }
}

impl Quantity {
    fn of(&self, played: &Played<'_>) -> u32 {
        match self {
            One => 1,
            Built(category) => category(&played.figures.units).built,
            BuiltUnits(units) => played.figures.built(units),
            CommanderKills => played.commander_kills,
        }
    }
}

impl Condition {
    fn holds(&self, played: &Played<'_>) -> bool {
        let &Played { figures, commander_kills, has_won, rating_type, has_highest_score } = played;
        match self {
            Always => true,
            Won => has_won,
            WonLadder1v1 => has_won && rating_type == "ladder_1v1",
            WonAs(faction) => has_won && figures.faction == Some(*faction),
            WonMostly(category) => {
                let Units { air, land, naval, .. } = figures.units;
                let most = category(&figures.units).built;
                has_won && [air, land, naval].iter().filter(|counts| counts.built >= most).count() == 1
            }
            WonWithExperimentals(least) => has_won && figures.units.experimental.built >= *least,
            WonWithCommanderKills(least) => has_won && commander_kills >= *least,
            WonWith(unit) => has_won && figures.built(&[unit]) > 0,
            WonDamaged => {
                let health = figures.lowest_health(&COMMANDERS);
                has_won && 0.0 < health && health < NEARLY_DEAD
            }
            HighestScore => has_highest_score,
        }
    }
}

/// Commanders, one of each faction. An army has one of them, unless another player gave it a
/// second one.
const COMMANDERS: [&str; 4] = ["ual0001", "url0001", "uel0001", "xsl0001"];

/// Health below which a commander barely survived.
const NEARLY_DEAD: f64 = 500.0;

/// Air superiority fighters, one of each faction.
const AIR_SUPERIORITY: [&str; 4] = ["uaa0303", "ura0303", "uea0303", "xsa0303"];

/// The rows of section 8.3. Achievements that the section defines but never grants are left out.
const RULES: &[Rule] = &[
    Rule("c6e6039f-c543-424e-ab5f-b34df1336e81", Increment(One), Always), // novice
    Rule("d5c759fe-a1a8-4103-888d-3ba319562867", Increment(One), Always), // junior
    Rule("6a37e2fc-1609-465e-9eca-91eeda4e63c4", Increment(One), Always), // senior
    Rule("bd12277a-6604-466a-9ee6-af6908573585", Increment(One), Always), // veteran
    Rule("805f268c-88aa-4073-aa2b-ea30700f70d6", Increment(One), Always), // addict
    Rule("5b7ec244-58c0-40ca-9d68-746b784f0cad", Unlock, WonLadder1v1),   // first success
    Rule("d656ade4-e054-415a-a2e9-5f4105f7d724", Increment(One), WonAs(Faction::Aeon)),
    Rule("06a39447-66a3-4160-93d5-d48337b0cbb5", Increment(One), WonAs(Faction::Aeon)),
    Rule("7f993f98-dbec-41a5-9c9a-5f85edf30767", Increment(One), WonAs(Faction::Aeon)),
    Rule("d1d50fbb-7fe9-41b0-b667-4433704b8a2c", Increment(One), WonAs(Faction::Cybran)),
    Rule("af161922-3e52-4600-9161-d850ab0fae86", Increment(One), WonAs(Faction::Cybran)),
    Rule("ff23024e-f533-4e23-8f8f-ecc21d5283f8", Increment(One), WonAs(Faction::Cybran)),
    Rule("1a3ad9e0-53eb-47d0-9404-14dbcefbed9b", Increment(One), WonAs(Faction::Uef)),
    Rule("326493d7-ce2c-4a43-bbc8-3e990e2685a1", Increment(One), WonAs(Faction::Uef)),
    Rule("7d6d8c55-3e2a-41d0-a97e-d35513af1ec6", Increment(One), WonAs(Faction::Uef)),
    Rule("c964ac69-b146-43d0-bd7a-cd22144f9983", Increment(One), WonAs(Faction::Seraphim)),
    Rule("7aa7fc88-48a2-4e49-9cd7-35e2f6ce4cec", Increment(One), WonAs(Faction::Seraphim)),
    Rule("6acc8bc6-1fd3-4c33-97a1-85dfed6d167a", Increment(One), WonAs(Faction::Seraphim)),
    Rule("c1ccde26-8449-4625-b769-7d8f75fa8df3", Increment(One), WonMostly(|units| units.air)),
    Rule("a4ade3d4-d541-473f-9788-e92339446d75", Increment(One), WonMostly(|units| units.air)),
    Rule("e220d5e6-481c-4347-ac69-b6b6f956bc0f", Increment(One), WonMostly(|units| units.air)),
    Rule("e5c63aec-20a0-4263-841d-b7bc45209713", Increment(One), WonMostly(|units| units.land)),
    Rule("ec8faec7-e3e1-436e-a1ac-9f7adc3d0387", Increment(One), WonMostly(|units| units.land)),
    Rule("10f17c75-1154-447d-a4f7-6217add0407e", Increment(One), WonMostly(|units| units.land)),
    Rule("53173f4d-450c-46f0-ac59-85834cc74972", Increment(One), WonMostly(|units| units.naval)),
    Rule("2d5cd544-4fc8-47b9-8ebb-e72ed6423d51", Increment(One), WonMostly(|units| units.naval)),
    Rule("bd77964b-c06b-4649-bf7c-d35cb7715854", Increment(One), WonMostly(|units| units.naval)),
    Rule("a6b7dfa1-1ebc-4c6d-9305-4a9d623e1b4f", Increment(Built(|units| units.experimental)), Won),
    Rule("06b19364-5aab-4bce-883d-975f663d2091", Increment(One), WonWithExperimentals(3)),
    Rule("cd64c5e7-b063-4543-9f52-0e87883b33a9", Increment(One), WonWithExperimentals(3)),
    Rule("e8af7cc9-aaa6-4d0e-8e5a-481702a83a4e", Increment(One), WonWithExperimentals(3)),
    Rule("2103e0de-1c87-4fba-bc1b-0bba66669607", Increment(CommanderKills), Always),
    Rule("08629902-8e18-4d92-ad14-c8ecde4a8674", Unlock, WonWithCommanderKills(3)), // hat trick
    Rule("f0cde5d8-4933-4074-a2fb-819074d21abd", Increment(BuiltUnits(&["daa0206"])), Always),
    Rule("e7645e7c-7456-48a8-a562-d97521498e7e", Increment(BuiltUnits(&["xrl0302"])), Always),
    Rule("a909629f-46f5-469e-afd1-192d42f55e4d", Increment(BuiltUnits(&["ues0401"])), Always),
    Rule("e603f306-ba6b-4507-9556-37a308e5a722", Increment(BuiltUnits(&["uas0401"])), Always),
    Rule("539da20b-5026-4c49-8e22-e4a305d58845", Increment(BuiltUnits(&["uaa0310"])), Always),
    Rule("60d1e60d-036b-491e-a992-2b18321848c2", Increment(BuiltUnits(&["xsa0402"])), Always),
    Rule("1f140add-b0ae-4e02-91a0-45d62b988a22", Increment(BuiltUnits(&["xsl0401"])), Always),
    Rule("ab241de5-e773-412e-b073-090da8e38c4c", Increment(BuiltUnits(&["uel0401"])), Always),
    Rule("a1f87fb7-67ca-4a86-afc6-f23a41b40e9f", Increment(BuiltUnits(&["url0402"])), Always),
    Rule("1c8fcb6f-a5b6-497f-8b0d-ac5ac6fef408", Increment(BuiltUnits(&["ual0401"])), Always),
    Rule("a98fcfaf-29ac-4526-84c2-44f284518f8c", Increment(BuiltUnits(&["ura0401"])), Always),
    Rule("db141e87-5818-435f-80a3-08cc6f1fdac6", Increment(BuiltUnits(&["xrl0403"])), Always),
    Rule("50260d04-90ff-45c8-816b-4ad8d7b97ecd", Unlock, WonWith("xab2307")),
    Rule("9ad697bb-441e-45a5-b682-b9227e8eef3e", Unlock, WonWith("xsb2401")),
    Rule("46a6e900-88bb-4eae-92d1-4f31b53faedc", Unlock, WonWith("xab1401")),
    Rule("987ca192-26e1-4b96-b593-40c115451cc0", Unlock, WonWith("url0401")),
    Rule("31a728f8-ace9-45fa-a3f2-57084bc9e461", Unlock, WonWith("ueb2401")),
    Rule("045342e1-ae0d-4ef6-98bc-0bb54ffe00b3", SetStepsAtLeast(BuiltUnits(&AIR_SUPERIORITY)), Always),
    Rule("d38aec23-e487-4aa2-899e-418e29ffbd36", Increment(Built(|units| units.transportation)), Always),
    Rule("eb1ee9ab-4828-417b-b3e8-c8281ee7a353", SetStepsAtLeast(Built(|units| units.sacu)), Always),
    Rule("290df67c-eb01-4fe7-9e32-caae1c10442f", Unlock, WonDamaged),
    Rule("305a8d34-42fd-42f3-ba91-d9f5e437a9a6", Unlock, HighestScore),
    Rule("d3d2c78b-d42d-4b65-99b8-a350f119f898", Increment(One), HighestScore),
];
