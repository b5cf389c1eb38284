//! Games: the initial state of the lobby, join attempts, and stored results.

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::results::Outcome;
use faf_lobby_core::{
    Decision, Game, GameData, GameEnd, GameLaunched, GamePublications, GameWrite, InitialState, JoinAttempt,
    Note, RatedGame,
};
use faf_protocol::server_message::LeaderboardRating;
use faf_protocol::{GameId, PlayerId};

use super::{Memory, MemoryGame, contradiction};
use crate::facts::{JoinFact, JournalFact};
use crate::rating::{RatingInputs, participants, rate};
use crate::{StoreError, TITLE_LIMIT, is_placed};

/// Highest game number that a lobby assigns: clients read game numbers as 32-bit integers.
const LAST_GAME: u32 = i32::MAX as u32;

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn game_data(&mut self) -> Result<GameData, StoreError> {
        Ok(self.current_data())
    }

    pub fn beginning(&self) -> Result<InitialState, StoreError> {
        let launched = self.games.keys().copied();
        let joined = self.joins.iter().map(|join| join.game);
        let with_lists = |mut game: Game| {
            if let Some(host) = self.accounts.get(&game.host()) {
                game.set_lists_of_host(host.friends.clone(), host.foes.clone());
            }
            game
        };
        let numbers = launched.chain(joined).chain([self.last_game]);
        Ok(InitialState {
            last_game: numbers.filter(|game| game.0 <= LAST_GAME).max().unwrap_or_default(),
            data: self.current_data(),
            games: self.games.values().filter_map(|game| game.saved.clone()).map(with_lists).collect(),
            queues: self.saved_queues.clone(),
            ..InitialState::default()
        })
    }

    pub fn record_join(&mut self, player: PlayerId, attempt: JoinAttempt) -> Result<(), StoreError> {
        self.check_account(player)?;
        let JoinAttempt { game, address } = attempt;
        self.joins.push(JoinFact { player, game, address });
        Ok(())
    }

    pub fn record_host(&mut self, host: PlayerId, game: GameId) -> Result<(), StoreError> {
        self.record_join(host, JoinAttempt { game, address: None })
    }

    pub fn store_game(
        &mut self,
        id: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> Result<Vec<RatingChange>, StoreError> {
        let changes = match write {
            GameWrite::Launch(launched) => self.launch(id, *launched).map(|()| Vec::new()),
            GameWrite::Save(saved) => self.save(id, *saved).map(|()| Vec::new()),
            GameWrite::Note(note) => self.note(id, note).map(|()| Vec::new()),
            GameWrite::End(end) => self.end(id, *end),
            GameWrite::Publish => Ok(Vec::new()),
        }?;
        self.publish_numbered(id, &publications)?;
        Ok(changes)
    }
}

impl Memory {
    fn launch(&mut self, id: GameId, launched: GameLaunched) -> Result<(), StoreError> {
        if let Some(stored) = self.games.get(&id) {
            // Nothing else is written about the game before the launch is acknowledged, so this
            // must be a retry of the launch itself.
            return match stored.saved.as_ref() == Some(&launched.game) {
                true => Ok(()),
                false => Err(contradiction(format!("game {id} exists already"))),
            };
        }
        let players = launched.players.iter().filter(|player| is_placed(player)).map(|player| player.id);
        players.chain([launched.host]).try_for_each(|player| self.check_account(player))?;
        if !self.data.featured_mods.values().any(|number| *number == launched.featured_mod) {
            return Err(contradiction(format!("there is no featured mod {}", launched.featured_mod)));
        }
        let is_known = |version: u32| self.maps.values().any(|map| map.id == version);
        if let Some(version) = launched.map_version.filter(|version| !is_known(*version)) {
            return Err(contradiction(format!("there is no version {version} of a map")));
        }
        if launched.title.chars().count() > TITLE_LIMIT {
            return Err(contradiction("the title is too long".to_owned()));
        }
        self.queue_launched(id, &launched);
        if let Some(version) = launched.map_version {
            *self.map_versions_played.entry(version).or_default() += 1;
        }
        self.mods_played(&launched.mods);
        let game = MemoryGame {
            saved: Some(launched.game.clone()),
            launched,
            end: None,
            decisions: Vec::new(),
            notes: Vec::new(),
            ratings: Vec::new(),
        };
        self.games.insert(id, game);
        Ok(())
    }

    fn save(&mut self, id: GameId, game: Game) -> Result<(), StoreError> {
        self.live(id)?.saved = Some(game);
        Ok(())
    }

    fn note(&mut self, id: GameId, note: Note) -> Result<(), StoreError> {
        if let Note::Teamkill { teamkiller, victim, .. } = &note {
            self.check_account(*teamkiller)?;
            self.check_account(*victim)?;
        }
        let game = self.games.get_mut(&id).ok_or_else(|| contradiction(format!("there is no game {id}")))?;
        game.notes.push(note);
        Ok(())
    }

    fn end(&mut self, id: GameId, end: GameEnd) -> Result<Vec<RatingChange>, StoreError> {
        if self.live(id).is_err() {
            return self.ended_before(id, &end);
        }
        let mut decisions = end.decisions.clone();
        let changes = match end.rated.as_ref().map(|rated| rate(&self.rating_inputs(id, rated), rated)) {
            None => Vec::new(),
            Some(Ok(changes)) => changes,
            Some(Err(reason)) => {
                decisions.push(Decision::RatingFailed { reason });
                Vec::new()
            }
        };
        self.apply(id, &changes);
        let publications = end.publications(id, &changes);
        let game = self.live(id)?;
        game.ratings.clone_from(&changes);
        (game.saved, game.end, game.decisions) = (None, Some(end), decisions);
        self.publish(&publications)?;
        Ok(changes)
    }

    /// Returns the result for a game that is not live: either this very end is stored already, or
    /// another game has the number.
    fn ended_before(&self, id: GameId, end: &GameEnd) -> Result<Vec<RatingChange>, StoreError> {
        let game = self.games.get(&id).filter(|game| game.decisions.starts_with(&end.decisions));
        let ended = game.filter(|game| game.end.is_some()).ok_or_else(not_live)?;
        Ok(ended.ratings.iter().cloned().map(|change| RatingChange { was_stored: true, ..change }).collect())
    }

    fn rating_inputs(&self, id: GameId, rated: &RatedGame) -> RatingInputs {
        let mut inputs =
            RatingInputs { leaderboards: self.data.leaderboards.clone(), ..RatingInputs::default() };
        for player in participants(rated) {
            let account = self.accounts.get(&player);
            let ratings = account.map(|account| account.ratings.as_slice()).unwrap_or_default();
            inputs
                .ratings
                .extend(ratings.iter().map(|(name, stored)| ((player, name.clone()), stored.rating)));
        }
        let players = self.games.get(&id).map(|game| game.launched.players.as_slice()).unwrap_or_default();
        inputs.players = players.iter().filter(|player| is_placed(player)).map(|player| player.id).collect();
        inputs
    }

    fn apply(&mut self, game: GameId, changes: &[RatingChange]) {
        for change in changes {
            let RatingChange { player, leaderboard, before, after, .. } = change;
            self.journal.push(JournalFact {
                game_id: game,
                player_id: *player,
                leaderboard: leaderboard.clone(),
                before: *before,
                after: *after,
            });
            let Some(account) = self.accounts.get_mut(player) else { continue };
            match account.ratings.iter_mut().find(|(name, _)| name == leaderboard) {
                Some((_, known)) => {
                    known.rating = *after;
                    known.number_of_games += 1;
                }
                None => account
                    .ratings
                    .push((leaderboard.clone(), LeaderboardRating { rating: *after, number_of_games: 1 })),
            }
            let won = account.won_games.entry(leaderboard.clone()).or_default();
            *won += u32::from(change.outcome == Outcome::Victory);
        }
    }

    fn live(&mut self, id: GameId) -> Result<&mut MemoryGame, StoreError> {
        self.games.get_mut(&id).filter(|game| game.saved.is_some()).ok_or_else(not_live)
    }
}

fn not_live() -> StoreError {
    contradiction("the game is not live".to_owned())
}

impl MemoryGame {
    /// Returns the number of the game's validity.
    pub(super) fn validity(&self) -> u8 {
        let ended = self.end.as_ref().map(|end| end.validity);
        let saved = self.saved.as_ref().and_then(Game::validity);
        ended.or(saved).unwrap_or(self.launched.validity).number()
    }
}
