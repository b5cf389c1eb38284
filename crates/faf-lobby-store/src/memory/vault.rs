//! The vaults of mods and maps, and missions.

use std::collections::BTreeMap;

use faf_lobby_core::{Like, MapVersion, UnknownMod, VaultMod};
use faf_protocol::PlayerId;
use faf_protocol::server_message::CoopMission;

use super::Memory;
use crate::StoreError;
use crate::facts::ModFact;

/// A version of a mod in the vault.
#[derive(Debug, Clone)]
pub struct MemoryMod {
    /// Number of the mod, which its versions share.
    pub number: u32,
    /// Whether the version is hidden.
    pub is_hidden: bool,
    /// The version as clients see it, except for its counters, which all versions share.
    pub shown: VaultMod,
}

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn liked_mods(&mut self, limit: u32) -> Result<Vec<VaultMod>, StoreError> {
        let visible = self.mods.iter().filter(|version| !version.is_hidden);
        let mut mods: Vec<_> = visible.map(|version| self.shown(version)).collect();
        mods.sort_by(|a, b| b.likes.total_cmp(&a.likes));
        mods.truncate(limit as usize);
        Ok(mods)
    }

    pub fn like_mod(
        &mut self,
        player: PlayerId,
        uid: String,
    ) -> Result<Result<Like, UnknownMod>, StoreError> {
        let Some(version) = self.visible(&uid).cloned() else { return Ok(Err(UnknownMod)) };
        let counters = self.counters(version.number);
        // A list that cannot be read is replaced by a new one with this player.
        let mut likers: Vec<u32> = serde_json::from_str(&counters.likers).unwrap_or_default();
        if likers.contains(&player.0) {
            return Ok(Ok(Like::Before));
        }
        likers.push(player.0);
        counters.likers = serde_json::to_string(&likers).unwrap_or_default();
        counters.likes += 1.0;
        Ok(Ok(Like::Counted(Box::new(self.shown(&version)))))
    }

    pub fn count_download(&mut self, uid: String) -> Result<bool, StoreError> {
        let Some(number) = self.visible(&uid).map(|version| version.number) else { return Ok(false) };
        self.counters(number).downloads += 1;
        Ok(true)
    }

    pub fn mod_names(&mut self, uids: Vec<String>) -> Result<BTreeMap<String, String>, StoreError> {
        let name = |uid: String| {
            let name = self.visible(&uid)?.shown.name.clone();
            Some((uid, name))
        };
        Ok(uids.into_iter().filter_map(name).collect())
    }

    pub fn find_map(&mut self, folder: String) -> Result<Option<MapVersion>, StoreError> {
        Ok(self.maps.get(&folder.to_lowercase()).copied())
    }

    pub fn coop_missions(&mut self) -> Result<Vec<CoopMission>, StoreError> {
        Ok(self.missions.clone())
    }
}

impl Memory {
    /// Adds a mod with a single version, with the given counters.
    pub fn add_mod(&mut self, shown: VaultMod) {
        let number = self.mods.iter().map(|version| version.number).max().unwrap_or(0) + 1;
        let VaultMod { likes, downloads, played, .. } = shown;
        *self.counters(number) = ModFact { likes, downloads, times_played: played, ..ModFact::new(number) };
        self.mods.push(MemoryMod { number, is_hidden: false, shown });
    }

    /// Counts one game for each mod, even if several of its versions are active.
    pub(super) fn mods_played(&mut self, uids: &[String]) {
        let is_active =
            |version: &&MemoryMod| uids.iter().any(|uid| uid.eq_ignore_ascii_case(&version.shown.uid));
        let mut numbers: Vec<u32> =
            self.mods.iter().filter(is_active).map(|version| version.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            self.counters(number).times_played += 1;
        }
    }

    fn visible(&self, uid: &str) -> Option<&MemoryMod> {
        self.mods.iter().find(|version| !version.is_hidden && version.shown.uid.eq_ignore_ascii_case(uid))
    }

    fn shown(&self, version: &MemoryMod) -> VaultMod {
        let counted = self.mod_stats.get(&version.number);
        let (likes, downloads, played) =
            counted.map_or_else(Default::default, |fact| (fact.likes, fact.downloads, fact.times_played));
        VaultMod { likes, downloads, played, ..version.shown.clone() }
    }

    fn counters(&mut self, number: u32) -> &mut ModFact {
        self.mod_stats.entry(number).or_insert_with(|| ModFact::new(number))
    }
}
