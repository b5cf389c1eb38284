//! What the lobby wants done.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use faf_protocol::{GameId, PlayerId, Secret, ServerMessage, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::clients::Client;
use crate::event::{ConnId, Ticket};
use crate::games::{GameWrite, JoinAttempt};
use crate::limits::Limit;
use crate::pacing::CommandClass;
use crate::publication::{GamePublications, Publication};
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
    /// The next message of this connection may be read.
    Ready {
        /// Which.
        conn: ConnId,
    },
    /// All messages of this connection are dealt with, and the next one may be read only later: it sends too much.
    Wait {
        /// Which.
        conn: ConnId,
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
    /// Find something out, and answer with [`Event::Answered`](crate::Event::Answered) exactly once.
    Ask {
        /// For whom, if for anybody. It may be gone when the answer comes.
        conn: Option<ConnId>,
        /// To be put on the answer.
        ticket: Ticket,
        /// What.
        question: Question,
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
    /// Tell other services of something that may be lost, because the next report tells it again. What
    /// must not be lost goes with [`Question::StoreGame`].
    Publish(Publication),
    /// Count something.
    Count(Count),
    /// Write something into the log.
    Log(LogLine),
    /// All is done: the server may end when all connections have.
    Stop,
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

/// Something only the database, the keys or the clock of the outside know.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Whose login and password are these? [`Account`](crate::Answer::Account)
    CheckPassword {
        /// Name of the account, without white space around it.
        login: String,
        /// What the client sent as password: a digest.
        password: Secret,
    },
    /// Whose token is this? [`Account`](crate::Answer::Account) or [`Token`](crate::Answer::Token)
    CheckToken {
        /// The token.
        token: Secret,
    },
    /// Note that this player has logged in, and tell everything about the player. [`Profile`](crate::Answer::Profile)
    SignIn {
        /// Who.
        player: PlayerId,
        /// From where.
        address: Option<IpAddr>,
        /// With which client.
        user_agent: Option<String>,
    },
    /// Make somebody a friend or a foe, which ends the opposite.
    /// [`RelationChanged`](crate::Answer::RelationChanged) or [`UnknownPlayer`](crate::Answer::UnknownPlayer)
    SetRelation {
        /// Whose.
        player: PlayerId,
        /// Whom.
        subject: PlayerId,
        /// What.
        relation: Relation,
    },
    /// End that. [`RelationChanged`](crate::Answer::RelationChanged)
    EndRelation {
        /// Whose.
        player: PlayerId,
        /// Whom.
        subject: PlayerId,
        /// What.
        relation: Relation,
    },
    /// Which avatars are granted? [`Avatars`](crate::Answer::Avatars)
    ListAvatars {
        /// To whom.
        player: PlayerId,
    },
    /// Select an avatar. [`AvatarSelected`](crate::Answer::AvatarSelected) or
    /// [`AvatarNotGranted`](crate::Answer::AvatarNotGranted)
    SelectAvatar {
        /// Whose.
        player: PlayerId,
        /// Which; none to have none.
        url: Option<String>,
    },
    /// Has a player this permission? [`Permission`](crate::Answer::Permission)
    HasPermission {
        /// Who.
        player: PlayerId,
        /// Which.
        permission: Permission,
    },
    /// Which co-op missions are there? [`Missions`](crate::Answer::Missions)
    CoopMissions,
    /// Which mods are liked most? [`Mods`](crate::Answer::Mods), most liked first
    LikedMods {
        /// Not more than this.
        limit: u32,
    },
    /// Like a mod. [`Mods`](crate::Answer::Mods) with the mod, [`LikedBefore`](crate::Answer::LikedBefore) or
    /// [`UnknownMod`](crate::Answer::UnknownMod)
    LikeMod {
        /// Who.
        player: PlayerId,
        /// Its uid.
        uid: String,
    },
    /// Count a download. [`DownloadCounted`](crate::Answer::DownloadCounted) or [`UnknownMod`](crate::Answer::UnknownMod)
    CountDownload {
        /// Its uid.
        uid: String,
    },
    /// Is a player banned? [`Ban`](crate::Answer::Ban)
    FindBan {
        /// Who.
        player: PlayerId,
        /// The game the player wants to join, to be noted first; that it cannot be noted does not matter.
        joining: Option<JoinAttempt>,
    },
    /// Which map is in this folder? [`Map`](crate::Answer::Map)
    FindMap {
        /// Folder name, lower-case.
        folder: String,
    },
    /// Note that the number of a game is given out, so that no game gets it again whatever becomes
    /// of this one and of the server; and which map is in this folder? [`Map`](crate::Answer::Map)
    OpenGame {
        /// Who hosts it.
        host: PlayerId,
        /// Its number.
        game: GameId,
        /// Folder name, lower-case.
        folder: String,
    },
    /// What are these mods called? [`ModNames`](crate::Answer::ModNames)
    NameMods {
        /// Their uids.
        uids: Vec<String>,
    },
    /// What is there to play? [`GameData`](crate::Answer::GameData)
    ReadGameData,
    /// Store something about a game so that it outlives a crash of the machine, in one transaction.
    /// [`GameStored`](crate::Answer::GameStored), or [`GameRefused`](crate::Answer::GameRefused) if it never can be.
    StoreGame {
        /// Which game. There is one such question at a time for each.
        game: GameId,
        /// What.
        write: GameWrite,
        /// What other services are told when it is stored, beyond what follows from the end of a game.
        publications: GamePublications,
    },
}

/// What one player can be to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Relation {
    Friend,
    Foe,
}

/// Permissions of administrators and moderators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    /// End games and connections of others.
    KickServer,
    /// Show a text to everybody.
    BroadcastMessage,
    /// Make clients join a channel.
    JoinChannel,
}

impl Permission {
    /// Its name in the database.
    #[must_use]
    pub fn technical_name(self) -> &'static str {
        match self {
            Self::KickServer => "ADMIN_KICK_SERVER",
            Self::BroadcastMessage => "ADMIN_BROADCAST_MESSAGE",
            Self::JoinChannel => "ADMIN_JOIN_CHANNEL",
        }
    }
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
    /// The shell answered a question with something that is no answer to it.
    WrongAnswer {
        /// Of the question.
        ticket: Ticket,
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
            Self::WrongAnswer { ticket } => {
                write!(f, "question {} got an answer that does not fit", ticket.0)
            }
        }
    }
}
