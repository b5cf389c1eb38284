use crate::ids::PlayerId;
use crate::json::Json;

use super::{GpgNetMessage, ServerToGame};

/// The server's end, which sends commands to a game.
///
/// Only `send` is required. Its result depends on the implementation: nothing for a queue, a future
/// for a connection.
///
/// ```
/// use faf_protocol::PlayerId;
/// use faf_protocol::gpgnet::{GpgNetMessage, GpgNetServerSender};
///
/// struct Sent(Vec<GpgNetMessage>);
///
/// impl GpgNetServerSender for Sent {
///     type Output = ();
///
///     fn send(&mut self, message: GpgNetMessage) {
///         self.0.push(message);
///     }
/// }
///
/// let mut game = Sent(Vec::new());
/// game.connect_to_peer("Bob", PlayerId(2), true);
/// assert_eq!(game.0[0].command, "ConnectToPeer");
/// ```
pub trait GpgNetServerSender {
    /// The result of sending.
    type Output;

    /// Sends any command to the game.
    fn send(&mut self, message: GpgNetMessage) -> Self::Output;

    /// Tells the game to listen as the host with this map (its folder name).
    fn host_game(&mut self, map: &str) -> Self::Output {
        self.send(ServerToGame::HostGame { map: map.to_owned() }.into())
    }

    /// Tells the game to connect to the host.
    fn join_game(&mut self, login: &str, player_id: PlayerId) -> Self::Output {
        self.send(ServerToGame::JoinGame { login: login.to_owned(), player_id }.into())
    }

    /// Tells the game to connect to another player; `offer` makes it start the ICE negotiation.
    fn connect_to_peer(&mut self, login: &str, player_id: PlayerId, offer: bool) -> Self::Output {
        self.send(ServerToGame::ConnectToPeer { login: login.to_owned(), player_id, offer }.into())
    }

    /// Tells the game to drop its connection to a player.
    fn disconnect_from_peer(&mut self, player_id: PlayerId) -> Self::Output {
        self.send(ServerToGame::DisconnectFromPeer { player_id }.into())
    }
}

/// The client's end, which sends commands of the game to the server. Only `send` is required.
pub trait GpgNetClientSender {
    /// The result of sending.
    type Output;

    /// Sends any command to the server.
    fn send(&mut self, message: GpgNetMessage) -> Self::Output;

    /// Reports the state of the game to the server; the state is the first argument.
    fn game_state(&mut self, args: impl IntoIterator<Item = Json>) -> Self::Output
    where
        Self: Sized,
    {
        self.send(GpgNetMessage::new("GameState", args))
    }
}
