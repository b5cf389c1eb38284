//! What the lobby wants done.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use faf_protocol::{GameId, PlayerId, ServerMessage, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::clients::Client;
use crate::event::ConnId;
use crate::io::records::Permission;
use crate::io::request::{Request, RequestId};
use crate::limits::Limit;
use crate::pacing::CommandClass;
use crate::publication::Publication;
use crate::snapshot_id::SnapshotId;
use crate::validity::Validity;

/// Something to be carried out, in the order it is polled.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a message.
    Send {
        /// To whom.
        to: Audience,
        /// The message.
        message: ServerMessage,
    },
    /// Send a part of the list of players or games to a client that logs in.
    SendSnapshot {
        /// The connection.
        conn: ConnId,
        /// The content, which may be sent again; none for a list made for this client alone.
        id: Option<SnapshotId>,
        /// The message.
        message: ServerMessage,
    },
    /// Pass on what one player's game says to another's. It must cost the receiver nothing but its bytes: when more comes than the
    /// receiver takes, the sender is read more slowly, and what is too much all the same is dropped.
    Relay {
        /// The sender's connection.
        from: ConnId,
        /// The receiver's; it may be the same.
        to: ConnId,
        /// The message, as the receiver gets it.
        message: ServerMessage,
    },
    /// Do not read the next message of a connection, for this reason. The lobby holds a connection for
    /// one reason at most once before it releases it.
    Hold {
        /// The connection.
        conn: ConnId,
        /// Why not.
        reason: HoldReason,
    },
    /// This is no longer a reason not to read a connection.
    Release {
        /// The connection.
        conn: ConnId,
        /// The reason that has gone.
        reason: HoldReason,
    },
    /// The message of this connection that was read first is dealt with.
    Done {
        /// Which.
        conn: ConnId,
    },
    /// From now on this connection belongs to [`Audience::LoggedIn`].
    LoggedIn {
        /// Which.
        conn: ConnId,
    },
    /// End a connection behind what was sent to it. Nothing more is heard of it, and nothing more sent to it.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Carry out a request, and return [`Event::Replied`](crate::Event::Replied) exactly once.
    Request {
        /// The connection that waits for the reply, if one does. It may be gone when the reply comes.
        conn: Option<ConnId>,
        /// The request.
        request: Request,
    },
    /// Tell the policy service that somebody has logged in from a machine. Nobody waits for what it says.
    ReportLogin {
        /// Who.
        player: PlayerId,
        /// The machine, as the client calls it.
        unique_id: String,
        /// The session number of the connection.
        session: SessionNumber,
    },
    /// Tell other services.
    Publish(Publication),
    /// Count something.
    Count(Count),
    /// Write something into the log.
    Log(LogLine),
    /// All is done: the server may end when all connections have.
    Stop,
}

/// A reason of the lobby not to read a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HoldReason {
    /// A message waits until the command before it has its reply.
    Busy,
    /// The client sends faster than it may; see `pacing.rs`.
    OverRate,
}

/// Who gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One connection.
    One(ConnId),
    /// Several connections.
    Several(Vec<ConnId>),
    /// Every connection that is logged in.
    LoggedIn,
    /// Every connection that is logged in, but these.
    LoggedInExcept(Vec<ConnId>),
}

/// Something that is counted for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// A connection was made.
    Connection,
    /// A connection is now one of this client instead of that one; nothing before it was made and after it has ended.
    Client {
        /// What it counted as.
        before: Option<Arc<Client>>,
        /// What it counts as.
        after: Option<Arc<Client>>,
    },
    /// A client has told its version for the first time.
    Version(String),
    /// A login was accepted.
    LoginAccepted(LoginMethod),
    /// A login was not accepted: wrong password or token.
    LoginFailed(LoginMethod),
    /// A command was refused because the connection is not logged in. Commands the lobby does not know count as `other`.
    NotLoggedIn(&'static str),
    /// A login was not looked at because too many others were being.
    Busy,
    /// A login has to wait until others are done.
    LoginWaits,
    /// A connection is read more slowly because of this message.
    Paced(CommandClass),
    /// A player met a limit: an action was refused, or a game is not rated.
    Limited(Limit),
    /// A message was sent to everybody.
    Broadcast,
    /// A message from one player's game to another's was too long to be passed on.
    RelayTooLong,
    /// Something about a game could not be stored, and will be tried again.
    GameNotStored,
    /// A game was handed to the rating of this leaderboard.
    RatedGame(String),
}

/// How somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LoginMethod {
    Password,
    Token,
}

/// Something worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// A login was accepted.
    LoggedIn {
        /// The connection.
        conn: ConnId,
        /// Who.
        player: PlayerId,
        /// Name of the account.
        login: String,
    },
    /// A player is gone.
    LoggedOut {
        /// The connection.
        conn: ConnId,
        /// Who.
        player: PlayerId,
        /// Name of the account.
        login: String,
    },
    /// A login was not accepted.
    LoginFailed {
        /// The connection.
        conn: ConnId,
        /// Where it comes from, if that is known.
        address: Option<IpAddr>,
        /// How it was tried.
        method: LoginMethod,
        /// The name that was tried, at most 100 characters of it; empty if there was none. Anything a client chooses to send.
        account: String,
        /// Why, in few words that are always the same.
        reason: &'static str,
        /// More about it; empty if there is no more to say. May quote what a client has sent.
        detail: String,
    },
    /// Somebody who is banned tried to log in.
    Banned {
        /// Who.
        player: PlayerId,
        /// Name of the account.
        login: String,
    },
    /// The lobby closes a connection because of what it did.
    Refused {
        /// The connection.
        conn: ConnId,
        /// What it did.
        reason: String,
    },
    /// A connection that is in no game is closed because the server shuts down.
    SentAway {
        /// The connection.
        conn: ConnId,
    },
    /// The operator has ended a player's connection.
    Ejected {
        /// The connection.
        conn: ConnId,
        /// Who.
        player: PlayerId,
        /// Why.
        why: &'static str,
    },
    /// A connection is too fast for the first time, and read more slowly.
    Paced {
        /// The connection.
        conn: ConnId,
        /// What it sends too much of.
        class: CommandClass,
    },
    /// An administrator or moderator did something.
    Admin {
        /// Who.
        player: PlayerId,
        /// What.
        action: String,
    },
    /// An administrator's or moderator's command was ignored for want of a permission.
    NoPermission {
        /// Who.
        player: PlayerId,
        /// Which permission.
        permission: Permission,
    },
    /// The shutdown goes on.
    Shutdown {
        /// What is done.
        step: &'static str,
    },
    /// The end of the server cuts off games that are live.
    GamesCutOff {
        /// How many.
        games: usize,
    },
    /// A message of a game process was ignored.
    GameMessageIgnored {
        /// Whose.
        player: PlayerId,
        /// Why.
        reason: String,
    },
    /// Players can join a game from now on.
    GameOpened {
        /// Which.
        game: GameId,
    },
    /// A game was launched.
    GameLaunched {
        /// Which.
        game: GameId,
        /// How many play.
        players: usize,
    },
    /// A live game has ended.
    GameEnded {
        /// Which.
        game: GameId,
        /// Whether it counts.
        validity: Validity,
    },
    /// The database says that something about a game can never be stored.
    GameRefused {
        /// Which game.
        game: GameId,
    },
    /// The shell returned a reply to a request that is not open: it was never made, or has had its reply.
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
            Self::GameMessageIgnored { player, reason } => {
                write!(f, "a message of player {player}'s game is ignored: {reason}")
            }
            Self::GameOpened { game } => write!(f, "game {game} is open"),
            Self::GameLaunched { game, players } => {
                write!(f, "game {game} is launched with {players} players")
            }
            Self::GameEnded { game, validity } => write!(f, "game {game} has ended: {}", validity.name()),
            Self::GameRefused { game } => {
                write!(f, "something about game {game} contradicts what is stored and is dropped")
            }
            Self::UnknownRequest { request } => {
                write!(f, "a reply to request {}, which is not open, is ignored", request.0)
            }
        }
    }
}
