//! Events: a player's totals that grow with every game (game-results.md section 8.4).

use std::borrow::Cow;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use super::Played;
use super::army::{Counts, Faction, Units};

/// An increment of one event of a player; serialised as the body of a `request.event.update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventUpdate {
    /// Player who owns the event.
    #[serde(rename = "playerId")]
    pub player: PlayerId,
    /// Id of the event, a UUID.
    #[serde(rename = "eventId")]
    pub event: Cow<'static, str>,
    /// Amount to add, from 1 to 2147483647.
    pub count: u32,
}

/// A number of units of a category, and the event that it adds to.
struct UnitEvent(fn(&Units<Counts>) -> u32, &'static str);

/// Returns the updates in the order of publication: first the faction's, then those of the units.
pub(super) fn updates(player: PlayerId, played: &Played<'_>) -> Vec<EventUpdate> {
    let figures = played.figures;
    let mut updates = Vec::new();
    let mut add = |event, count| {
        if count > 0 {
            updates.push(EventUpdate { player, event: Cow::Borrowed(event), count });
        }
    };
    for (_, played_event, won) in FACTIONS.iter().filter(|(faction, ..)| figures.faction == Some(*faction)) {
        add(*played_event, 1);
        add(*won, played.has_won.into());
    }
    for UnitEvent(count, event) in UNITS {
        add(*event, count(&figures.units));
    }
    updates
}

/// The events for a game played with a faction, and for one won with it.
const FACTIONS: &[(Faction, &str, &str)] = &[
    (Faction::Aeon, "96ccc66a-c5a0-4f48-acaa-888b00778b57", "a6b51c26-64e6-4e7a-bda7-ea1cfe771ebb"),
    (Faction::Cybran, "ad193982-e7ca-465c-80b0-5493f9739559", "56b06197-1890-42d0-8b59-25e1add8dc9a"),
    (Faction::Uef, "1b900d26-90d2-43d0-a64e-ed90b74c3704", "7be6fdc5-7867-4467-98ce-f7244a66625a"),
    (Faction::Seraphim, "fefcb392-848f-4836-9683-300b283bc308", "15b6c19a-6084-4e82-ada9-6c30e282191f"),
];

const UNITS: &[UnitEvent] = &[
    UnitEvent(|units| units.air.built, "3ebb0c4d-5e92-4446-bf52-d17ba9c5cd3c"),
    UnitEvent(|units| units.air.lost, "225e9b2e-ae09-4ae1-a198-eca8780b0fcd"),
    UnitEvent(|units| units.land.built, "ea123d7f-bb2e-4a71-bd31-88859f0c3c00"),
    UnitEvent(|units| units.land.lost, "a1a3fd33-abe2-4e56-800a-b72f4c925825"),
    UnitEvent(|units| units.naval.built, "b5265b42-1747-4ba1-936c-292202637ce6"),
    UnitEvent(|units| units.naval.lost, "3a7b3667-0f79-4ac7-be63-ba841fd5ef05"),
    UnitEvent(|units| units.tech1.built, "a8ee4f40-1e30-447b-bc2c-b03065219795"),
    UnitEvent(|units| units.tech1.lost, "3dd3ed78-ce78-4006-81fd-10926738fbf3"),
    UnitEvent(|units| units.tech2.built, "89d4f391-ed2d-4beb-a1ca-6b93db623c04"),
    UnitEvent(|units| units.tech2.lost, "aebd750b-770b-4869-8e37-4d4cfdc480d0"),
    UnitEvent(|units| units.tech3.built, "92617974-8c1f-494d-ab86-65c2a95d1486"),
    UnitEvent(|units| units.tech3.lost, "7f15c2be-80b7-4573-8f41-135f84773e0f"),
    UnitEvent(|units| units.experimental.built, "ed9fd79d-5ec7-4243-9ccf-f18c4f5baef1"),
    UnitEvent(|units| units.experimental.lost, "701ca426-0943-4931-85af-6a08d36d9aaa"),
    UnitEvent(|units| units.engineer.built, "60bb1fc0-601b-45cd-bd26-83b1a1ac979b"),
    UnitEvent(|units| units.engineer.lost, "e8e99a68-de1b-4676-860d-056ad2207119"),
    UnitEvent(|units| units.cdr.lost, "d6a699b7-99bc-4a7f-b128-15e1e289a7b3"),
];
