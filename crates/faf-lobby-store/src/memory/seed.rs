//! Fills a new database from a file. Of past games, only the parts that an operation reads are
//! kept.

use std::fmt::Display;

use faf_lobby_core::ratings::{Leaderboard, Leaderboards};
use faf_lobby_core::{Ban, MapVersion, Timestamp, VaultMod};
use faf_protocol::server_message::{Avatar, CoopMission, LeaderboardRating, Rating};
use faf_protocol::{GameId, PlayerId};

use super::accounts::NEVER;
use super::{Memory, MemoryAccount, MemoryMod};
use crate::facts::ModFact;
use crate::seed::{Mod, Planted, SeedBan, SeedFile, User};
use crate::{SeedError, campaign, login_key};

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn plant(&mut self, file: SeedFile) -> Result<Planted, SeedError> {
        if !self.accounts.is_empty() {
            return Err(SeedError::NotEmpty);
        }
        file.check()?;
        let mut planted = self.clone();
        planted.plant_all(&file)?;
        *self = planted;
        Ok(file.planted())
    }
}

impl Memory {
    fn plant_all(&mut self, file: &SeedFile) -> Result<(), SeedError> {
        for group in &file.groups {
            self.groups.insert(group.technical_name.clone(), group.permissions.iter().cloned().collect());
        }
        for avatar in &file.avatars {
            let tooltip = avatar.tooltip.clone().unwrap_or_default();
            self.avatars.insert(avatar.id, Avatar { url: avatar.url.clone(), tooltip });
        }
        self.plant_games(file)?;
        for user in &file.users {
            self.plant_user(user, file)?;
        }
        self.missions.extend(file.coop_maps.iter().filter_map(|mission| {
            let campaign = campaign(i64::from(mission.campaign))?;
            Some(CoopMission {
                uid: mission.id,
                campaign: campaign.to_owned(),
                name: Some(mission.name.clone()),
                description: mission.description.clone(),
                filename: Some(mission.filename.clone()),
                featured_mod: "coop".to_owned(),
            })
        }));
        self.missions.sort_by_key(|mission| mission.uid);
        for vault_mod in &file.mods {
            self.plant_mod(vault_mod)?;
        }
        Ok(())
    }

    fn plant_games(&mut self, file: &SeedFile) -> Result<(), SeedError> {
        for featured in &file.featured_mods {
            let name = featured.technical_name.to_lowercase();
            self.data.featured_mods.retain(|known, number| *known != name && *number != featured.id);
            self.data.featured_mods.insert(name, featured.id);
        }
        let mut boards: Vec<Leaderboard> = self.data.leaderboards.iter().cloned().collect();
        for board in &file.leaderboards {
            boards.retain(|known| known.name != board.technical_name && known.id != board.id);
            boards.push(Leaderboard { id: board.id, name: board.technical_name.clone(), initializer: None });
        }
        let numbers: Vec<(String, u32)> = boards.iter().map(|board| (board.name.clone(), board.id)).collect();
        for board in &file.leaderboards {
            let Some(initializer) = &board.initializer else { continue };
            let number = numbers.iter().find(|(name, _)| name == initializer).map(|(_, number)| *number);
            let number = number.ok_or_else(|| unknown("leaderboard", &board.technical_name, initializer))?;
            boards
                .iter_mut()
                .filter(|known| known.id == board.id)
                .for_each(|known| known.initializer = Some(number));
        }
        boards.sort_by_key(|board| board.id);
        self.data.leaderboards = Leaderboards::new(boards);
        for map in &file.maps {
            let folder = map.folder()?;
            self.maps.insert(folder.to_lowercase(), MapVersion { id: map.version_id, is_ranked: map.ranked });
            self.map_numbers.insert(map.version_id, map.map_id);
        }
        self.plant_queues(file)?;
        let past = file.past_games.iter().map(|game| GameId(game.id)).max();
        self.last_game = self.last_game.max(past.unwrap_or_default());
        Ok(())
    }

    fn plant_user(&mut self, user: &User, file: &SeedFile) -> Result<(), SeedError> {
        let (id, login) = (PlayerId(user.id), user.login.clone());
        if self.accounts.contains_key(&id) || self.numbers.contains_key(&login_key(&login)) {
            return Err(problem("user", &user.login, "there is one already".to_owned()));
        }
        let unknown = |name: &dyn Display| unknown("user", &user.login, name);
        if let Some(group) = user.groups.iter().find(|group| !self.groups.contains_key(*group)) {
            return Err(unknown(group));
        }
        let is_clan = |tag: &&String| file.clans.iter().any(|clan| clan.tag == **tag);
        if let Some(tag) = user.clan.as_ref().filter(|tag| !is_clan(tag)) {
            return Err(unknown(tag));
        }
        let mut account = MemoryAccount {
            clan: user.clan.clone(),
            groups: user.groups.clone(),
            friends: user.friends.iter().copied().map(PlayerId).collect(),
            foes: user.foes.iter().copied().map(PlayerId).collect(),
            ..MemoryAccount::new(id, login, user.hash.clone())
        };
        for (leaderboard, rating) in &user.ratings {
            self.data.leaderboards.get(leaderboard).ok_or_else(|| unknown(leaderboard))?;
            let stored = Rating { mean: rating.mean, deviation: rating.deviation };
            let shown = LeaderboardRating { rating: stored, number_of_games: rating.total_games };
            account.ratings.push((leaderboard.clone(), shown));
            account.won_games.insert(leaderboard.clone(), rating.won_games);
        }
        for grant in &user.avatars {
            let avatar = self.avatars.get(&grant.avatar_id).ok_or_else(|| unknown(&grant.avatar_id))?;
            account.avatars.push(avatar.clone());
            if grant.selected && account.avatar.is_none() {
                account.avatar = Some(avatar.clone());
            }
        }
        account.bans.extend(user.bans.iter().filter_map(|ban| self.planted_ban(ban)));
        let orders = account.bans.len();
        self.add_account(account);
        for _ in 0..orders {
            self.order(id, None);
        }
        Ok(())
    }

    fn planted_ban(&self, ban: &SeedBan) -> Option<Ban> {
        let now = self.unix_now();
        let hours = |hours: f64| (hours * 3600.0) as i64;
        let revoked = ban.revoked_hours_ago.map(|ago| now - hours(ago));
        let expires = revoked.or(ban.expires_in_hours.map(|left| now + hours(left)));
        (ban.level == "GLOBAL").then(|| Ban {
            reason: ban.reason.clone(),
            expires_at: Timestamp::from_seconds(expires.unwrap_or(NEVER)),
        })
    }

    fn plant_mod(&mut self, vault_mod: &Mod) -> Result<(), SeedError> {
        let is_known = self.mods.iter().any(|known| known.shown.uid.eq_ignore_ascii_case(&vault_mod.uid));
        if is_known {
            return Err(problem("mod", &vault_mod.display_name, "there is one already".to_owned()));
        }
        // The first version of a mod determines what all its versions share.
        let first = self.mods.iter().find(|known| known.number == vault_mod.id).map(|first| &first.shown);
        let (name, author) = match first {
            Some(first) => (first.name.clone(), first.author.clone()),
            None => (vault_mod.display_name.clone(), vault_mod.author.clone()),
        };
        let shown = VaultMod {
            uid: vault_mod.uid.clone(),
            name,
            version: vault_mod.version,
            author,
            is_ui: vault_mod.kind == "UI",
            date: vault_mod.created_at()?,
            downloads: 0,
            likes: 0.0,
            played: 0,
            description: vault_mod.description.clone(),
            filename: vault_mod.filename.clone(),
            icon: vault_mod.icon.clone().unwrap_or_default(),
        };
        if vault_mod.ranked && !vault_mod.hidden {
            self.data.ranked_mods.insert(vault_mod.uid.to_lowercase());
        }
        self.mods.push(MemoryMod { number: vault_mod.id, is_hidden: vault_mod.hidden, shown });
        let counters = ModFact {
            mod_id: vault_mod.id,
            likes: f64::from(vault_mod.likes),
            likers: vault_mod.likers.clone(),
            downloads: vault_mod.downloads,
            times_played: vault_mod.played,
        };
        self.mod_stats.entry(vault_mod.id).or_insert(counters);
        Ok(())
    }
}

pub(super) fn problem(kind: &str, name: &str, problem: String) -> SeedError {
    SeedError::Record { record: format!("{kind} {name}"), problem }
}

pub(super) fn unknown(kind: &str, name: &str, wanted: &(impl Display + ?Sized)) -> SeedError {
    problem(kind, name, format!("there is no `{wanted}`"))
}
