//! The game process that has sent a command, and its permissions.

use faf_protocol::{GameId, PlayerId};

use crate::io::ConnId;
use crate::state::{Activity, ConnectionState, Game, GameState, Live, Lobby, Progress, Resume};

/// A game process that has sent a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) conn: ConnId,
    pub(crate) player: PlayerId,
    pub(crate) game: GameId,
    pub(crate) state: ConnectionState,
    pub(crate) activity: Activity,
}

impl Sender {
    /// Returns the game process of a connection, if there is one.
    pub(super) fn of(lobby: &Lobby, conn: ConnId) -> Option<Self> {
        let player = lobby.session_if_open(conn)?.player?;
        let online = lobby.players.get(player)?;
        let connection = online.game.as_ref()?;
        let (game, state) = (connection.game, connection.state);
        Some(Self { conn, player, game, state, activity: online.activity })
    }

    /// Makes a request for the game process.
    pub(super) fn request<R: Resume>(self, lobby: &mut Lobby, request: R, memo: R::Memo) -> Progress {
        lobby.request(self.conn, request, memo)
    }

    /// Returns the game in whose lobby the sender is the host, and so may change everything.
    pub(super) fn hosted_lobby(self, lobby: &mut Lobby) -> Option<&mut Game> {
        let is_lobby = |game: &&mut Game| game.state == GameState::Lobby && game.host.id == self.player;
        lobby.games.get_mut(self.game).filter(is_lobby).filter(|_| self.activity == Activity::Hosting)
    }

    /// Returns the live game if the reports of the sender count there: those of an observer do only
    /// if nobody plays.
    pub(super) fn played_game(self, lobby: &mut Lobby) -> Option<&mut Live> {
        lobby.games.live_mut(self.game).filter(|live| live.counts_reports_of(self.player))
    }
}
