//! Outcomes of chance that are taken from what another server has done, for a lobby that repeats
//! it: the ids of games, the times of rounds, and the matches that they have made.
//!
//! Without them, one other draw would make everything that comes after it differ. A lobby that
//! serves players never has any of this.

use std::collections::BTreeMap;

use faf_protocol::{Faction, GameId, PlayerId};

use crate::matchmaking::Match;
use crate::matchmaking::slots::Place;
use crate::queues;
use crate::state::Lobby;
use crate::world::World;

/// A match that another server has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedMatch {
    /// Id of its game.
    pub game: GameId,
    /// The players of each team; the first one of the first team is the host.
    pub teams: [Vec<PlayerId>; 2],
    /// Folder of the map, if a client was sent it.
    pub map: Option<String>,
    /// Factions of the players that are known.
    pub factions: BTreeMap<PlayerId, Faction>,
    /// Places on the map, from 1, of the players whose place is known.
    pub places: BTreeMap<PlayerId, u32>,
}

/// The outcomes that are still to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    /// The match that begins next.
    pub(crate) next: Option<RecordedMatch>,
    /// Matches that have begun and whose game has not been put together.
    pub(crate) begun: BTreeMap<GameId, RecordedMatch>,
}

impl RecordedMatch {
    /// Gives the players their recorded places: each exchanges its place with the player who
    /// has it.
    pub(crate) fn arrange(&self, places: &mut [Place]) {
        for (player, slot) in &self.places {
            let position = |is_it: &dyn Fn(&Place) -> bool| places.iter().position(is_it);
            let own = position(&|place| place.player == *player);
            let other = position(&|place| place.slot == *slot);
            if let (Some(own), Some(other)) = (own, other) {
                places[other].slot = places[own].slot;
                places[own].slot = *slot;
            }
        }
        places.sort_by_key(|place| place.slot);
    }

    /// Returns whether a match that the lobby would have made has the same two teams.
    #[must_use]
    pub fn is_same_as(&self, teams: &[Vec<PlayerId>; 2]) -> bool {
        let sorted = |team: &Vec<PlayerId>| {
            let mut team = team.clone();
            team.sort_unstable();
            team
        };
        let [one, other] = teams.each_ref().map(sorted);
        let [first, second] = self.teams.each_ref().map(sorted);
        (one == first && other == second) || (one == second && other == first)
    }
}

impl World {
    /// From now on, the rounds of queues are those of a recording: see
    /// [`play_recorded_round`](Self::play_recorded_round).
    pub fn repeat_recorded_rounds(&mut self) {
        self.lobby_mut().recorded.get_or_insert_default();
    }

    /// The next game gets this id, whatever ids there have been. It must not be in use.
    pub fn set_next_game(&mut self, game: GameId) {
        self.lobby_mut().games.set_next_id(game);
    }

    /// Returns the teams of the matches that a round of the queue with this technical name would
    /// make now.
    #[must_use]
    pub fn matches_now(&self, queue_name: &str) -> Vec<[Vec<PlayerId>; 2]> {
        let lobby = self.lobby();
        let queue = lobby.queues.named(queue_name);
        queue.map(|queue| queues::matches_now(lobby, queue)).unwrap_or_default()
    }

    /// Plays a round of the queue with this technical name, which makes these matches. Returns
    /// those that cannot be made, because one of their players does not search in this queue.
    pub fn play_recorded_round(
        &mut self,
        queue_name: &str,
        matches: Vec<RecordedMatch>,
    ) -> Vec<RecordedMatch> {
        let lobby = self.lobby_mut();
        match lobby.queues.named(queue_name).map(|queue| queue.data.id) {
            Some(queue) => queues::play_recorded(lobby, queue, matches),
            None => matches,
        }
    }
}

/// The players of a match, by team.
pub(crate) fn teams(found: &Match, players: &dyn Fn(usize) -> Vec<PlayerId>) -> [Vec<PlayerId>; 2] {
    found.teams.each_ref().map(|team| team.iter().flat_map(|candidate| players(*candidate)).collect())
}

impl Lobby {
    /// Returns whether the rounds of queues are those of a recording.
    pub(crate) fn repeats_rounds(&self) -> bool {
        self.recorded.is_some()
    }
}

/// The meaning of the texts of recorded `authentication_failed` messages.
pub mod refusal {
    use crate::io::{RequestKind, TokenFault};
    use crate::request::CheckToken;
    use crate::texts;

    /// Returns whether the server had no time to check the password.
    #[must_use]
    pub fn is_busy(text: &str) -> bool {
        text == texts::BUSY
    }

    /// Returns whether the name or the password was wrong.
    #[must_use]
    pub fn is_of_credentials(text: &str) -> bool {
        text == texts::LOGIN_FAILED
    }

    /// Returns the reply to the check of a token after which the text is sent; `None` if the token
    /// is not the reason.
    #[must_use]
    pub fn token_fault(text: &str) -> Option<<CheckToken as RequestKind>::Reply> {
        Some(match text {
            texts::TOKEN_INVALID => Err(TokenFault::Invalid("as recorded".to_owned())),
            texts::TOKEN_NO_PERMISSION => Err(TokenFault::NoPermission),
            texts::TOKEN_NO_KEYS => Err(TokenFault::NoKeys),
            texts::TOKEN_NOT_TAKEN => Err(TokenFault::NotTaken),
            texts::TOKEN_UNKNOWN_PLAYER => Ok(None),
            _ => return None,
        })
    }
}

#[test]
fn recorded_places_are_exchanged() {
    let place = |player: u32, team: u32, slot: u32| Place { player: PlayerId(player), team, slot };
    let mut places = vec![place(1, 2, 1), place(2, 3, 2), place(3, 2, 3), place(4, 3, 4)];
    let recorded = RecordedMatch {
        game: GameId(1),
        teams: [vec![PlayerId(1), PlayerId(3)], vec![PlayerId(2), PlayerId(4)]],
        map: None,
        factions: BTreeMap::new(),
        places: BTreeMap::from([(PlayerId(1), 3), (PlayerId(9), 4)]),
    };
    recorded.arrange(&mut places);
    assert_eq!(places, [place(3, 2, 1), place(2, 3, 2), place(1, 2, 3), place(4, 3, 4)]);
    let turned = [vec![PlayerId(4), PlayerId(2)], vec![PlayerId(3), PlayerId(1)]];
    assert!(recorded.is_same_as(&turned));
    assert!(!recorded.is_same_as(&[vec![PlayerId(1), PlayerId(2)], vec![PlayerId(3), PlayerId(4)]]));
}
