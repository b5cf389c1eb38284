//! Returns everything that is stored, for tests.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::{Note, Relation};
use faf_protocol::server_message::CoopMission;
use faf_protocol::{GameId, PlayerId};

use super::{Memory, MemoryAccount, MemoryGame};
use crate::facts::{
    AvatarFact, Facts, GameFact, JoinFact, LoginFact, MissionFact, ModFact, PlayerFact, RatingFact,
    TeamkillFact,
};
use crate::{MISSION_PLAYERS_LIMIT, StoreError, TEAMKILL_TIME_LIMIT, place};

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn facts(&mut self) -> Result<Facts, StoreError> {
        let mut accounts: Vec<&MemoryAccount> = self.accounts.values().collect();
        accounts.sort_by_key(|account| account.id);
        let mut facts = Facts {
            journal: self.journal.clone(),
            joins: self.joins(),
            outbox: self
                .outbox
                .iter()
                .map(|(_, message)| (message.routing_key.clone(), message.body.clone()))
                .collect(),
            map_versions_played: self.map_versions_played.clone(),
            maps_played: self.maps_played(),
            beats: self.beats,
            ..Facts::default()
        };
        for account in accounts {
            self.add_account(account, &mut facts);
        }
        for (id, game) in &self.games {
            add_game(*id, game, &mut facts);
            self.add_notes(*id, game, &mut facts);
        }
        facts.mods.extend(self.mod_stats.iter().map(|(number, counters)| ModFact {
            mod_id: *number,
            likes: counters.likes,
            likers: serde_json::to_string(&counters.likers).unwrap_or_default(),
            downloads: counters.downloads,
            times_played: counters.played,
        }));
        Ok(facts)
    }
}

impl Memory {
    fn add_account(&self, account: &MemoryAccount, facts: &mut Facts) {
        let id = PlayerId(account.id);
        let (ip, user_agent) = match &account.last_login {
            Some((ip, user_agent, _)) => (ip.clone(), user_agent.clone()),
            None => (None, None),
        };
        let has_last_login = account.last_login.is_some();
        facts.logins.push(LoginFact { id, ip, user_agent, has_last_login });
        let friends = account.friends.iter().map(|subject| (*subject, Relation::Friend));
        let foes = account.foes.iter().map(|subject| (*subject, Relation::Foe));
        let relations: BTreeMap<PlayerId, Relation> = friends.chain(foes).collect();
        facts.relations.extend(relations.into_iter().map(|(subject, relation)| (id, subject, relation)));
        let granted = self.avatars.iter().filter(|(_, avatar)| account.avatars.contains(avatar));
        facts.avatars.extend(granted.map(|(number, avatar)| AvatarFact {
            player_id: id,
            avatar_id: *number,
            is_selected: account.avatar.as_ref() == Some(avatar),
        }));
        let number = |name: &str| self.data.leaderboards.get(name).map(|leaderboard| leaderboard.id);
        let mut ratings: Vec<_> = account.ratings.iter().collect();
        ratings.sort_by_key(|(name, _)| number(name));
        facts.ratings.extend(ratings.into_iter().map(|(leaderboard, rating)| RatingFact {
            player_id: id,
            leaderboard: leaderboard.clone(),
            rating: rating.rating,
            total_games: rating.number_of_games,
            won_games: account.won_games.get(leaderboard).copied().unwrap_or(0),
        }));
    }

    /// Join attempts by game, the host first.
    fn joins(&self) -> Vec<JoinFact> {
        let hosts = self.hosts.iter().map(|(player, game)| (*player, *game, None));
        let others =
            self.join_attempts.iter().map(|(player, attempt)| (*player, attempt.game, attempt.address));
        let joins = hosts.chain(others).map(|(player, game, address)| JoinFact { player, game, address });
        let mut joins: Vec<JoinFact> = joins.collect();
        joins.sort_by_key(|join| join.game);
        joins
    }

    fn maps_played(&self) -> BTreeMap<u32, u32> {
        let mut played = BTreeMap::new();
        for (version, times) in &self.map_versions_played {
            let map = self.map_numbers.get(version).copied().unwrap_or(*version);
            *played.entry(map).or_default() += times;
        }
        played
    }

    fn add_notes(&self, game_id: GameId, game: &MemoryGame, facts: &mut Facts) {
        let mut desynced = BTreeSet::new();
        let mut is_complete = false;
        for note in &game.notes {
            match note {
                Note::Desync { player, game_time } => {
                    if desynced.insert(*player) {
                        facts.desyncs.push((game_id, *player, *game_time));
                    }
                }
                Note::Teamkill { teamkiller, victim, game_time } => facts.teamkills.push(TeamkillFact {
                    game_id,
                    teamkiller: *teamkiller,
                    victim: *victim,
                    gametime: (*game_time).min(TEAMKILL_TIME_LIMIT),
                }),
                Note::MissionComplete { map, secondary, time, player_count } => {
                    let filename = format!("maps/{map}.zip");
                    let is_meant = |mission: &&CoopMission| {
                        mission.filename.as_ref().is_some_and(|file| file.eq_ignore_ascii_case(&filename))
                    };
                    let Some(mission) = self.missions.iter().find(is_meant).filter(|_| !is_complete) else {
                        continue;
                    };
                    is_complete = true;
                    facts.missions.push(MissionFact {
                        mission: i64::from(mission.uid),
                        game_id,
                        secondary: *secondary,
                        time: time.clone(),
                        player_count: (*player_count).min(MISSION_PLAYERS_LIMIT),
                    });
                }
            }
        }
        facts.desyncs.sort_by_key(|(game, player, _)| (*game, *player));
    }
}

fn add_game(id: GameId, game: &MemoryGame, facts: &mut Facts) {
    let launched = &game.launched;
    facts.games.push(GameFact {
        id,
        launched_at: launched.launched_at.0.div_euclid(1_000_000),
        ended_at: game.end.as_ref().map(|end| end.ended_at.0.div_euclid(1_000_000)),
        victory: launched.victory.as_str().to_owned(),
        featured_mod: launched.featured_mod,
        host: launched.host,
        map_version: launched.map_version,
        title: launched.title.clone(),
        validity: i64::from(game.validity()),
        is_live: game.saved.is_some(),
        live: game.saved.clone(),
        decisions: game.end.is_some().then(|| game.decisions.clone()),
    });
    let results = game.end.as_ref().map(|end| end.results.as_slice()).unwrap_or_default();
    let changes = game.changes();
    for player in game.placed() {
        let Some(place) = place(player) else { continue };
        let result = results.iter().find(|result| result.player == player.id);
        let change = changes.get(&player.id);
        facts.players.push(PlayerFact {
            game_id: id,
            player_id: player.id,
            faction: place.faction,
            color: place.color,
            team: place.team,
            place: place.place,
            before: change.map_or(player.rating, |change| change.before),
            after: change.map(|change| change.after),
            score: Some(result.map_or(0, |result| i64::from(result.score))),
            has_score_time: result.is_some() || change.is_some(),
            result: Some(result.map_or("UNKNOWN", |result| result.outcome.as_str()).to_owned()),
        });
    }
}
