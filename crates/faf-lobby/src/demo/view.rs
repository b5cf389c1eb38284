//! What a bot knows of the lobby: what the server has told it, as any client would keep it.

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_protocol::server_message::{GameInfo, GameInfoState, Player, PlayerState, Rating, ServerMessage};
use faf_protocol::{GameId, PlayerId};

/// The rating of somebody who has none.
const NEWCOMER: Rating = Rating { mean: 1500.0, deviation: 500.0 };

/// The lobby as one client knows it.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) me: Option<PlayerId>,
    pub(super) friends: Vec<PlayerId>,
    players: BTreeMap<PlayerId, Arc<Player>>,
    games: BTreeMap<GameId, Arc<GameInfo>>,
}

impl View {
    /// Takes in whatever changes it.
    pub(super) fn hear(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Welcome(welcome) => self.me = Some(welcome.me.id),
            ServerMessage::PlayerInfo(list) => {
                for player in &list.players {
                    match player.state {
                        Some(PlayerState::Offline) => self.players.remove(&player.id),
                        None => self.players.insert(player.id, Arc::clone(player)),
                    };
                }
            }
            ServerMessage::Social(social) => {
                if let Some(friends) = &social.friends {
                    self.friends.clone_from(friends);
                }
            }
            ServerMessage::GameInfo(game) => self.hear_of_game(game),
            ServerMessage::GameList(list) => list.games.iter().for_each(|game| self.hear_of_game(game)),
            _ => {}
        }
    }

    /// How many players are online.
    pub(super) fn online(&self) -> usize {
        self.players.len()
    }

    /// Everybody else who is online.
    pub(super) fn others(&self) -> Vec<PlayerId> {
        self.players.keys().copied().filter(|player| Some(*player) != self.me).collect()
    }

    /// Games that can be joined.
    pub(super) fn open_games(&self) -> impl Iterator<Item = &GameInfo> {
        self.games.values().map(Arc::as_ref).filter(|game| game.state == GameInfoState::Open)
    }

    /// Somebody's rating for games that are hosted.
    pub(super) fn rating(&self, player: PlayerId) -> Rating {
        let ratings = self.players.get(&player).map(|player| &player.ratings);
        ratings.and_then(|ratings| ratings.get("global")).map_or(NEWCOMER, |rating| rating.rating)
    }

    /// The rating that clients show.
    pub(super) fn displayed_rating(&self, player: PlayerId) -> f64 {
        let Rating { mean, deviation } = self.rating(player);
        mean - 3.0 * deviation
    }

    fn hear_of_game(&mut self, game: &Arc<GameInfo>) {
        match game.state {
            GameInfoState::Closed => self.games.remove(&game.uid),
            _ => self.games.insert(game.uid, Arc::clone(game)),
        };
    }
}
