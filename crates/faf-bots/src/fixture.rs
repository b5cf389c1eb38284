//! Fixtures that the tests of bots share.

use crate::{Content, Map, Mission, Settings, Shared};

/// Logins of bots, beginning with account number 1.
pub(crate) const LOGINS: [&str; 2] = ["Brackenfall", "Lumo"];

/// Returns settings, maps of all sizes, and the logins of bots.
pub(crate) fn shared() -> Shared {
    let map = |max_players: usize| Map {
        name: format!("Map for {max_players}"),
        folder: format!("map_{max_players}"),
        max_players,
    };
    let content = Content {
        maps: [2, 4, 6, 8].map(map).into(),
        missions: vec![Mission { name: "Mission".to_owned(), folder: "mission".to_owned() }],
        sim_mods: vec!["uid".to_owned()],
    };
    // Tests look for the messages that a game needs.
    let settings = Settings { chats: 0.0, incidents: 0.0, confirms_matches: 0.0, ..Settings::default() };
    Shared {
        settings,
        content,
        logins: Some(LOGINS.map(str::to_owned).into_iter().collect()),
        ..Shared::default()
    }
}
