//! Returns everything that is stored, for tests.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{LivePlayer, Note, Relation};
use faf_protocol::server_message::CoopMission;
use faf_protocol::{GameId, PlayerId};

use super::{Memory, MemoryAccount, MemoryGame};
use crate::facts::{
    AvatarFact, Facts, GameFact, LoginFact, MissionFact, PlayerFact, RatingFact, TeamkillFact,
};
use crate::{MISSION_PLAYERS_LIMIT, Place, StoreError, TEAMKILL_TIME_LIMIT, place};

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn facts(&mut self) -> Result<Facts, StoreError> {
        let mut facts = Facts {
            queue_games: self.queue_games.iter().map(|played| (played.game, played.queue)).collect(),
            journal: self.journal.clone(),
            joins: self.joins.clone(),
            mods: self.mod_stats.values().cloned().collect(),
            map_versions_played: self.map_versions_played.clone(),
            maps_played: self.maps_played(),
            beats: self.beats,
            ..Facts::default()
        };
        facts.queue_games.sort();
        facts.joins.sort_by_key(|join| join.game);
        let messages = self.outbox.iter().map(|(_, message)| message.clone());
        facts.outbox = messages.map(|message| (message.routing_key, message.body)).collect();
        for account in self.accounts.values() {
            self.account_facts(account, &mut facts);
        }
        for (id, game) in &self.games {
            facts.games.push(game.fact(*id));
            facts.players.extend(game.players(*id));
            self.note_facts(*id, game, &mut facts);
        }
        Ok(facts)
    }
}

impl Memory {
    fn account_facts(&self, account: &MemoryAccount, facts: &mut Facts) {
        let MemoryAccount { id, ip, user_agent, last_login, .. } = account.clone();
        facts.logins.push(LoginFact { id, ip, user_agent, has_last_login: last_login.is_some() });
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

    fn maps_played(&self) -> BTreeMap<u32, u32> {
        let mut played = BTreeMap::new();
        for (version, times) in &self.map_versions_played {
            let map = self.map_numbers.get(version).copied().unwrap_or(*version);
            *played.entry(map).or_default() += times;
        }
        played
    }

    fn note_facts(&self, game_id: GameId, game: &MemoryGame, facts: &mut Facts) {
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

impl MemoryGame {
    pub(super) fn fact(&self, id: GameId) -> GameFact {
        let launched = &self.launched;
        GameFact {
            id,
            launched_at: launched.launched_at.0.div_euclid(1_000_000),
            ended_at: self.end.as_ref().map(|end| end.ended_at.0.div_euclid(1_000_000)),
            victory: launched.victory.as_str().to_owned(),
            featured_mod: launched.featured_mod,
            host: launched.host,
            map_version: launched.map_version,
            title: launched.title.clone(),
            validity: i64::from(self.validity()),
            is_live: self.saved.is_some(),
            live: self.saved.clone(),
            decisions: self.end.is_some().then(|| self.decisions.clone()),
        }
    }

    /// Returns the players whose placement the host has reported.
    pub(super) fn players(&self, id: GameId) -> Vec<PlayerFact> {
        let results = self.end.as_ref().map(|end| end.results.as_slice()).unwrap_or_default();
        let rated = self.end.as_ref().and_then(|end| end.rated.as_ref());
        let fact = |player: &LivePlayer| {
            let Place { faction, color, team, place } = place(player)?;
            let result = results.iter().find(|result| result.player == player.id);
            // Only the change on the leaderboard of the game is part of its result.
            let is_shown = |change: &&RatingChange| {
                change.player == player.id
                    && rated.is_some_and(|rated| rated.leaderboard == change.leaderboard)
            };
            let change = self.ratings.iter().find(is_shown);
            Some(PlayerFact {
                game_id: id,
                player_id: player.id,
                faction,
                color,
                team,
                place,
                before: change.map_or(player.rating, |change| change.before),
                after: change.map(|change| change.after),
                score: Some(result.map_or(0, |result| i64::from(result.score))),
                has_score_time: result.is_some() || change.is_some(),
                result: Some(result.map_or("UNKNOWN", |result| result.outcome.as_str()).to_owned()),
            })
        };
        self.launched.players.iter().filter_map(fact).collect()
    }
}
