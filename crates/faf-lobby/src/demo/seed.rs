//! Who plays in the demo, and what there is to play: `demo-seed.json`, in the format of `docs/src/guide/seed-format.md`.

use serde::Deserialize;

/// The seed of the demo's database.
pub(super) const SEED: &str = include_str!("demo-seed.json");

/// What the `note` of an account says that is free for people; bots play all others.
const FREE: &str = "free for people";

/// What bots know of the seed; the database gets all of it.
#[derive(Debug, Deserialize)]
pub(super) struct Stage {
    users: Vec<Account>,
    pub(super) maps: Vec<Map>,
    pub(super) coop_maps: Vec<Mission>,
    mods: Vec<Mod>,
}

/// An account with its password.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
    pub(super) password: String,
    note: String,
}

/// A version of a map.
#[derive(Debug, Deserialize)]
pub(super) struct Map {
    pub(super) display_name: String,
    filename: String,
    pub(super) max_players: usize,
}

/// A co-op mission.
#[derive(Debug, Deserialize)]
pub(super) struct Mission {
    pub(super) name: String,
    filename: String,
}

#[derive(Debug, Deserialize)]
struct Mod {
    uid: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Stage {
    /// # Panics
    /// If the built-in file is wrong.
    pub(super) fn read() -> Self {
        serde_json::from_str(SEED).expect("the built-in file is right")
    }

    /// The accounts that bots play.
    pub(super) fn cast(&self) -> impl Iterator<Item = &Account> {
        self.users.iter().filter(|account| account.note != FREE)
    }

    /// The accounts that are left to people.
    pub(super) fn people(&self) -> impl Iterator<Item = &Account> {
        self.users.iter().filter(|account| account.note == FREE)
    }

    /// Whether a bot plays this account.
    pub(super) fn is_cast(&self, login: &str) -> bool {
        self.cast().any(|account| account.login == login)
    }

    /// Uids of the mods of the simulation.
    pub(super) fn sim_mods(&self) -> Vec<&str> {
        self.mods.iter().filter(|one| one.kind == "SIM").map(|one| one.uid.as_str()).collect()
    }
}

impl Map {
    pub(super) fn folder(&self) -> &str {
        folder(&self.filename)
    }
}

impl Mission {
    pub(super) fn folder(&self) -> &str {
        folder(&self.filename)
    }
}

/// `maps/FOLDER.zip`
fn folder(filename: &str) -> &str {
    let name = filename.strip_prefix("maps/").unwrap_or(filename);
    name.strip_suffix(".zip").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{SeedFile, Store};

    #[tokio::test]
    async fn the_seed_is_planted_without_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.sqlite")).unwrap();
        let planted = store.seed(SeedFile::parse(SEED).unwrap()).await.unwrap();
        let stage = Stage::read();
        assert_eq!(planted.users, stage.cast().count() + stage.people().count());
        assert!(planted.maps >= 12 && planted.mods >= 4, "{planted}");
    }

    #[test]
    fn there_are_bots_and_people_and_something_to_play_for_any_number() {
        let stage = Stage::read();
        assert_eq!(stage.cast().count(), 40);
        assert!(stage.people().any(|account| account.login == "demo" && account.password == "demo"));
        assert!(stage.is_cast("Lumo") && !stage.is_cast("demo"));
        for players in [2, 4, 6, 8] {
            assert!(stage.maps.iter().any(|map| map.max_players == players), "{players}");
        }
        assert!(!stage.coop_maps.is_empty() && !stage.sim_mods().is_empty());
        assert!(stage.maps.iter().any(|map| map.folder() == "scmp_007"));
    }
}
