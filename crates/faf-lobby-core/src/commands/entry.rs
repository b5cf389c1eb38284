//! What must hold before somebody gets into a game (games.md section 1): what `game_host`, `game_join` and
//! `restore_game_session` have in common.

use faf_protocol::client_message::{GameHost, GameJoin};
use faf_protocol::{ClientCommand, CommandError, Secret};
use serde::{Deserialize, Serialize};

use crate::commands::{Progress, game_host, game_join};
use crate::event::ConnId;
use crate::io::request::{FindBan, ReplyTo};
use crate::login::check_not_banned;
use crate::pending::Resume;
use crate::players::Activity;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// How a player wants to get into a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    Host,
    Join,
    Reconnect,
}

impl Entry {
    /// The way of entry that a command is about.
    fn of(command: ClientCommand) -> Option<Self> {
        match command {
            ClientCommand::GameHost => Some(Self::Host),
            ClientCommand::GameJoin => Some(Self::Join),
            ClientCommand::RestoreGameSession => Some(Self::Reconnect),
            _ => None,
        }
    }

    /// The wish, as it stands in texts.
    fn wish(self) -> &'static str {
        match self {
            Self::Host => "host a game",
            Self::Join => "join a game",
            Self::Reconnect => "reconnect to a game",
        }
    }
}

/// Checks that the client can play, and that the player does nothing else.
pub(crate) fn check_can_play(world: &World, conn: ConnId, entry: Entry) -> Result<(), Refusal> {
    if world.session(conn).is_outdated {
        return Err(Refusal::declined(texts::OUTDATED_CLIENT_NO_GAMES));
    }
    match world.players.get(world.player_of(conn)).map(|online| online.activity) {
        None | Some(Activity::Idle) => Ok(()),
        Some(busy) => Err(Refusal::declined(texts::busy(entry.wish(), busy.name()))),
    }
}

/// A command that goes on when the player's ban was looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum BanCheck {
    Host(Box<GameHost>),
    Join(GameJoin),
    /// A message of such a command that cannot be read.
    Refuse {
        entry: Entry,
        command: String,
        reason: String,
    },
}

impl Resume for FindBan {
    type Memo = BanCheck;

    fn resume(
        memo: BanCheck,
        world: &mut World,
        conn: ConnId,
        reply: ReplyTo<Self>,
    ) -> Result<Progress, Refusal> {
        let ban = reply?;
        let entry = match memo {
            BanCheck::Host(_) => Entry::Host,
            BanCheck::Join(_) => Entry::Join,
            BanCheck::Refuse { entry, .. } => entry,
        };
        check_can_play(world, conn, entry)?;
        check_not_banned(world, ban)?;
        match memo {
            BanCheck::Host(request) => game_host::open(world, conn, *request),
            BanCheck::Join(request) => game_join::join(world, conn, request),
            BanCheck::Refuse { command, reason, .. } => Err(Refusal::invalid(Some(command), reason)),
        }
    }

    fn secret(memo: &mut BanCheck) -> Option<&mut Secret> {
        match memo {
            BanCheck::Host(request) => request.password.as_mut(),
            BanCheck::Join(request) => request.password.as_mut(),
            BanCheck::Refuse { .. } => None,
        }
    }
}

/// Refuses a message that cannot be read. A player who may not play anyway is told of that first: one who is busy keeps
/// the connection, one who is banned does not.
pub(crate) fn refuse_unreadable(
    world: &mut World,
    conn: ConnId,
    error: CommandError,
) -> Result<Progress, Refusal> {
    let (Some(command), Some(player)) = (error.command.clone(), world.session(conn).player) else {
        return Err(error.into());
    };
    let entry = ClientCommand::from_name(&command).and_then(Entry::of);
    let Some(entry) = entry else { return Err(error.into()) };
    check_can_play(world, conn, entry)?;
    match entry {
        Entry::Host | Entry::Join => {
            let reason = error.error.to_string();
            world.request(conn, FindBan { player }, BanCheck::Refuse { entry, command, reason })
        }
        // A player who comes back was let into the game before.
        Entry::Reconnect => Err(error.into()),
    }
}
