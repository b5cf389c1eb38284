//! Maps that bots host games on.

use faf_bots::{Content, Map};

/// Folders, names and players of maps that come with the game, so that every server and every
/// client has them.
const MAPS: [(&str, &str, usize); 10] = [
    ("scmp_012", "Theta Passage", 2),
    ("scmp_013", "Winter Duel", 2),
    ("scmp_016", "Canis River", 2),
    ("scmp_019", "Finn's Revenge", 2),
    ("scmp_003", "Drake's Ravine", 4),
    ("scmp_017", "Syrtis Major", 4),
    ("scmp_007", "Open Palms", 6),
    ("scmp_020", "Roanoke Abyss", 6),
    ("scmp_001", "Burial Mounds", 8),
    ("scmp_009", "Seton's Clutch", 8),
];

/// Returns maps that every server has. Bots learn of missions and mods from the server.
pub(super) fn everywhere() -> Content {
    let map = |(folder, name, max_players): (&str, &str, usize)| Map {
        name: name.to_owned(),
        folder: folder.to_owned(),
        max_players,
    };
    Content { maps: MAPS.map(map).into(), ..Content::default() }
}
