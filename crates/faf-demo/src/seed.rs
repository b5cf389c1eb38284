//! The accounts, maps, mods and queues of the demo: `demo-seed.json`, in the format of
//! `docs/src/guide/seed-format.md`.

use faf_bots::{Content, Map, Mission};
use serde::Deserialize;

/// The seed of the demo's database.
pub(crate) const SEED: &str = include_str!("demo-seed.json");

/// The `note` of an account that is free for people; bots play all others.
const FREE: &str = "free for people";

/// The part of the seed that the demo itself uses; the database gets all of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Seed {
    users: Vec<Account>,
    maps: Vec<SeedMap>,
    coop_maps: Vec<SeedMission>,
    mods: Vec<SeedMod>,
}

/// An account with its password.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    pub(crate) login: String,
    pub(crate) password: String,
    note: String,
}

#[derive(Debug, Deserialize)]
struct SeedMap {
    display_name: String,
    filename: String,
    max_players: usize,
}

#[derive(Debug, Deserialize)]
struct SeedMission {
    name: String,
    filename: String,
}

#[derive(Debug, Deserialize)]
struct SeedMod {
    uid: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Seed {
    /// # Panics
    /// If the built-in file is invalid.
    pub(crate) fn read() -> Self {
        serde_json::from_str(SEED).expect("the built-in file is valid")
    }

    /// Returns the accounts that bots play.
    pub(crate) fn bots(&self) -> impl Iterator<Item = &Account> {
        self.users.iter().filter(|account| account.note != FREE)
    }

    /// Returns the accounts that are free for people.
    pub(crate) fn people(&self) -> impl Iterator<Item = &Account> {
        self.users.iter().filter(|account| account.note == FREE)
    }

    /// Returns the maps, missions and mods that bots choose from.
    pub(crate) fn content(&self) -> Content {
        let map = |map: &SeedMap| Map {
            name: map.display_name.clone(),
            folder: folder(&map.filename),
            max_players: map.max_players,
        };
        let mission =
            |mission: &SeedMission| Mission { name: mission.name.clone(), folder: folder(&mission.filename) };
        let sim_mods = self.mods.iter().filter(|one| one.kind == "SIM");
        Content {
            maps: self.maps.iter().map(map).collect(),
            missions: self.coop_maps.iter().map(mission).collect(),
            sim_mods: sim_mods.map(|one| one.uid.clone()).collect(),
        }
    }
}

/// Returns the folder of `maps/FOLDER.zip`.
fn folder(filename: &str) -> String {
    let name = filename.strip_prefix("maps/").unwrap_or(filename);
    name.strip_suffix(".zip").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use faf_lobby::store::{SeedFile, Store};

    use super::*;

    #[tokio::test]
    async fn the_seed_is_planted_without_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("test.sqlite")).unwrap();
        let planted = store.seed(SeedFile::parse(SEED).unwrap()).await.unwrap();
        let seed = Seed::read();
        assert_eq!(planted.users, seed.bots().count() + seed.people().count());
        assert!(planted.maps >= 12 && planted.mods >= 4, "{planted}");
    }

    #[test]
    fn there_are_bots_and_people_and_something_to_play_for_any_number() {
        let seed = Seed::read();
        assert_eq!(seed.bots().count(), 40);
        assert!(seed.people().any(|account| account.login == "demo" && account.password == "demo"));
        assert!(seed.bots().all(|account| account.login != "demo"));
        let content = seed.content();
        for players in [2, 4, 6, 8] {
            assert!(content.maps.iter().any(|map| map.max_players == players), "{players}");
        }
        assert!(!content.missions.is_empty() && !content.sim_mods.is_empty());
        assert!(content.maps.iter().any(|map| map.folder == "scmp_007"));
    }
}
