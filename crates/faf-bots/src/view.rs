//! A bot's view of the lobby: the state that the server has sent, as any client keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_protocol::server_message::{GameInfo, GameInfoState, Player, PlayerState, Rating, ServerMessage};
use faf_protocol::{GameId, PlayerId};

/// Rating of a player without one.
const UNRATED: Rating = Rating { mean: 1500.0, deviation: 500.0 };

/// The lobby as one client knows it.
#[derive(Debug, Default)]
pub struct View {
    /// The bot itself, after its login.
    pub me: Option<PlayerId>,
    /// Its friends.
    pub friends: Vec<PlayerId>,
    players: BTreeMap<PlayerId, Arc<Player>>,
    games: BTreeMap<GameId, Arc<GameInfo>>,
}

impl View {
    /// Applies a message of the server; messages that are not about the lobby change nothing.
    pub fn handle(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::PlayerInfo(list) => {
                for player in &list.players {
                    match player.state {
                        Some(PlayerState::Offline) => self.players.remove(&player.id),
                        _ => self.players.insert(player.id, Arc::clone(player)),
                    };
                }
            }
            ServerMessage::Social(social) => {
                if let Some(friends) = &social.friends {
                    self.friends.clone_from(friends);
                }
            }
            ServerMessage::GameInfo(game) => self.handle_game(game),
            ServerMessage::GameList(list) => list.games.iter().for_each(|game| self.handle_game(game)),
            _ => {}
        }
    }

    /// Returns the number of players online.
    #[must_use]
    pub fn online(&self) -> usize {
        self.players.len()
    }

    /// Returns all other players online, by number.
    #[must_use]
    pub fn others(&self) -> Vec<PlayerId> {
        self.players.keys().copied().filter(|player| Some(*player) != self.me).collect()
    }

    /// Returns the games whose lobby is open, by number.
    pub fn open_games(&self) -> impl Iterator<Item = &GameInfo> {
        self.games.values().map(Arc::as_ref).filter(|game| game.state == GameInfoState::Open)
    }

    /// Returns a player's rating for custom games.
    #[must_use]
    pub fn rating(&self, player: PlayerId) -> Rating {
        let ratings = self.players.get(&player).map(|player| &player.ratings);
        ratings.and_then(|ratings| ratings.get("global")).map_or(UNRATED, |rating| rating.rating)
    }

    /// Returns the rating that clients show: mean less three deviations.
    #[must_use]
    pub fn displayed_rating(&self, player: PlayerId) -> f64 {
        self.rating(player).displayed()
    }

    fn handle_game(&mut self, game: &Arc<GameInfo>) {
        match game.state {
            GameInfoState::Closed => self.games.remove(&game.uid),
            _ => self.games.insert(game.uid, Arc::clone(game)),
        };
    }
}
