//! Lines that the lobby writes into the log.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use faf_protocol::{BracketId, GameId, PlayerId};

use crate::io::{ConnId, LoginMethod, Permission, RequestId};
use crate::state::CommandClass;
use crate::validity::Validity;

/// A log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// A login was accepted.
    LoggedIn {
        /// The connection.
        conn: ConnId,
        /// The player.
        player: PlayerId,
        /// Name of the account.
        login: String,
    },
    /// A player has logged out, or the connection has ended.
    LoggedOut {
        /// The connection.
        conn: ConnId,
        /// The player.
        player: PlayerId,
        /// Name of the account.
        login: String,
    },
    /// A login was not accepted.
    LoginFailed {
        /// The connection.
        conn: ConnId,
        /// The address of the connection, if it is known.
        address: Option<IpAddr>,
        /// The kind of credentials.
        method: LoginMethod,
        /// The attempted name, at most 100 characters of it; empty if there was none. It may be
        /// any text.
        account: String,
        /// The reason, one of a few fixed texts.
        reason: &'static str,
        /// Details; empty if there are none. May quote what the client has sent.
        detail: String,
    },
    /// A player who is banned tried to log in.
    Banned {
        /// The player.
        player: PlayerId,
        /// Name of the account.
        login: String,
    },
    /// The lobby closes a connection because of what it did.
    Refused {
        /// The connection.
        conn: ConnId,
        /// The reason.
        reason: String,
    },
    /// A connection that is in no game is closed because the server shuts down.
    SentAway {
        /// The connection.
        conn: ConnId,
    },
    /// An operator or the lobby has ended a player's connection.
    Ejected {
        /// The connection.
        conn: ConnId,
        /// The player.
        player: PlayerId,
        /// The reason.
        why: &'static str,
    },
    /// A connection was too fast for the first time, and is read more slowly.
    Paced {
        /// The connection.
        conn: ConnId,
        /// The class of messages that it sends too many of.
        class: CommandClass,
    },
    /// An administrator or moderator did something.
    Admin {
        /// The player.
        player: PlayerId,
        /// The action.
        action: String,
    },
    /// An administrator's or moderator's command was ignored because a permission is missing.
    NoPermission {
        /// The player.
        player: PlayerId,
        /// The permission.
        permission: Permission,
    },
    /// The shutdown has reached a step.
    Shutdown {
        /// Name of the step.
        step: &'static str,
    },
    /// The end of the server interrupts live games.
    GamesCutOff {
        /// Number of games.
        games: usize,
    },
    /// The server ends although the database has not taken everything about some games.
    GamesNotStored {
        /// Number of games.
        games: usize,
    },
    /// A message of a game process was ignored.
    GameMessageIgnored {
        /// The player.
        player: PlayerId,
        /// The reason.
        reason: String,
    },
    /// Another service has a message for a player who is not online.
    NotificationForNobody {
        /// The player.
        player: PlayerId,
    },
    /// Players can join a game from now on.
    GameOpened {
        /// The game.
        game: GameId,
    },
    /// A game was launched.
    GameLaunched {
        /// The game.
        game: GameId,
        /// Number of players.
        players: usize,
    },
    /// A live game has ended.
    GameEnded {
        /// The game.
        game: GameId,
        /// Whether the game counts.
        validity: Validity,
    },
    /// The settings of vetoes in a bracket would leave too few maps, so nobody has tokens there.
    InvalidVetoSettings {
        /// Technical name of the queue.
        queue: String,
        /// The bracket.
        bracket: BracketId,
    },
    /// Enough players search in a queue for more frequent rounds than the settings allow. Logged
    /// when that begins.
    RoundsHeldBack {
        /// Technical name of the queue.
        queue: String,
        /// The time until the next round that the number of players asks for.
        wanted: Duration,
        /// The time until the next round.
        wait: Duration,
    },
    /// The database says that a write about a game can never be stored.
    GameRefused {
        /// The game.
        game: GameId,
    },
    /// The shell returned a reply to a request that is not pending: it was never made, or already
    /// has its reply.
    UnknownRequest {
        /// Number of the request.
        request: RequestId,
    },
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedIn { conn, player, login } => {
                write!(f, "{login} ({player}) has logged in on connection {}", conn.0)
            }
            Self::LoggedOut { conn, player, login } => {
                write!(f, "{login} ({player}) has left, connection {}", conn.0)
            }
            Self::LoginFailed { conn, account, reason, detail, .. } => {
                write!(f, "a login as {account:?} on connection {} has failed: {reason} {detail}", conn.0)
            }
            Self::Banned { player, login } => write!(f, "{login} ({player}) is banned and was turned away"),
            Self::Refused { conn, reason } => write!(f, "connection {} is closed: {reason}", conn.0),
            Self::SentAway { conn } => write!(f, "connection {} is closed: the server shuts down", conn.0),
            Self::Ejected { conn, player, why } => {
                write!(f, "connection {} of player {player} is closed: {why}", conn.0)
            }
            Self::Paced { conn, class } => {
                write!(
                    f,
                    "connection {} sends too much of the class {} and is read more slowly",
                    conn.0,
                    class.name()
                )
            }
            Self::Admin { player, action } => write!(f, "player {player} as administrator: {action}"),
            Self::NoPermission { player, permission } => {
                write!(f, "player {player} lacks {} and was ignored", permission.technical_name())
            }
            Self::Shutdown { step } => f.write_str(step),
            Self::GamesCutOff { games } => write!(
                f,
                "live games cut off by the shutdown: {games}; they are stored, and wait for their players when the server starts \
                 again"
            ),
            Self::GamesNotStored { games } => write!(
                f,
                "games about which the database has not stored everything: {games}; what is missing is lost"
            ),
            Self::GameMessageIgnored { player, reason } => {
                write!(f, "a message of player {player}'s game is ignored: {reason}")
            }
            Self::NotificationForNobody { player } => {
                write!(f, "a message of another service is dropped: player {player} is not online")
            }
            Self::GameOpened { game } => write!(f, "game {game} is open"),
            Self::GameLaunched { game, players } => {
                write!(f, "game {game} is launched with {players} players")
            }
            Self::GameEnded { game, validity } => write!(f, "game {game} has ended: {}", validity.name()),
            Self::InvalidVetoSettings { queue, bracket } => write!(
                f,
                "nobody can veto maps in bracket {bracket} of the queue {queue}: its settings would leave too few maps"
            ),
            Self::RoundsHeldBack { queue, wanted, wait } => write!(
                f,
                "the queue {queue} has players for a round every {:.1} s; `queue_pop_time_min` holds it at {:.1} s",
                wanted.as_secs_f64(),
                wait.as_secs_f64()
            ),
            Self::GameRefused { game } => {
                write!(f, "something about game {game} contradicts what is stored and is dropped")
            }
            Self::UnknownRequest { request } => {
                write!(f, "a reply to request {}, which is not open, is ignored", request.0)
            }
        }
    }
}
