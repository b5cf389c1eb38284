//! `game_info`: a game as clients see it (games.md section 4.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{GameInfo, GameInfoState, GameTeam, GameType, TeamNames};

use crate::game_options::GameKind;
use crate::state::{Game, GameState, Players};

impl Game {
    /// Returns the game as the list of games shows it.
    pub(crate) fn info(&self, players: &Players) -> Arc<GameInfo> {
        let teams = self.teams();
        let name = |player: &PlayerId| players.get(*player).map(|online| online.info.login.clone());
        let names = |members: &Vec<PlayerId>| members.iter().filter_map(name).collect();
        Arc::new(GameInfo {
            visibility: self.visibility,
            password_protected: self.is_password_protected,
            uid: self.id,
            title: self.title.clone(),
            state: match self.state {
                GameState::Live => GameInfoState::Playing,
                GameState::Lobby if self.is_listed() => GameInfoState::Open,
                GameState::Lobby | GameState::Initializing | GameState::Ended => GameInfoState::Closed,
            },
            game_type: self.game_type(),
            featured_mod: self.featured_mod.name.clone(),
            sim_mods: self.mods.clone(),
            mapname: self.map.folder.clone(),
            map_file_path: format!("maps/{}.zip", self.map.folder),
            host: self.host.login.clone(),
            num_players: self.connected().count(),
            max_players: self.options.slots(),
            hosted_at: self.hosted_at.map(|moment| moment.to_string()),
            launched_at: self.live.as_ref().map(|live| live.launched_at.as_seconds()),
            rating_type: self.leaderboard.clone(),
            rating_min: self.rating_min,
            rating_max: self.rating_max,
            enforce_rating_range: self.enforce_rating_range,
            teams: TeamNames(teams.iter().map(|(team, members)| (*team, names(members))).collect()),
            teams_ids: teams
                .into_iter()
                .map(|(team_id, player_ids)| GameTeam { team_id, player_ids })
                .collect(),
        })
    }

    pub(crate) fn game_type(&self) -> GameType {
        match self.kind {
            GameKind::Custom => GameType::Custom,
            GameKind::Coop => GameType::Coop,
            GameKind::Matchmaker => GameType::Matchmaker,
        }
    }

    /// Returns the connected players by team. After the launch, teams stay, and become empty as
    /// players leave; a lobby that was closed has none.
    fn teams(&self) -> BTreeMap<i64, Vec<PlayerId>> {
        let mut teams: BTreeMap<i64, Vec<PlayerId>> = match &self.live {
            Some(live) => live.players.iter().filter_map(|player| Some((player.team?, Vec::new()))).collect(),
            None if self.state == GameState::Lobby => {
                self.connected().filter_map(|(_, slot)| Some((slot.team?, Vec::new()))).collect()
            }
            None => BTreeMap::new(),
        };
        for (player, slot) in self.connected() {
            if let Some(members) = slot.team.and_then(|team| teams.get_mut(&team)) {
                members.push(player);
            }
        }
        teams
    }
}
