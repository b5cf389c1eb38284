//! The look-up of a player's ban before the player gets into a game, and the refusal of such a
//! command if it cannot be read.

use faf_protocol::{ClientCommand, CommandError, Secret};

use crate::commands::{game_host, game_join, game_matchmaking};
use crate::games::{BanCheck, Entry, check_can_play};
use crate::io::{ConnId, FindBan, ReplyTo};
use crate::refusal::Refusal;
use crate::sign_in::bans::check_not_banned;
use crate::state::{CommandResult, Lobby, Resume};

impl Resume for FindBan {
    type Memo = BanCheck;

    fn resume(memo: BanCheck, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let ban = reply?;
        let check = |entry| {
            check_can_play(lobby, conn, entry)?;
            check_not_banned(lobby, ban.clone())
        };
        match memo {
            BanCheck::Search { request, looked_up } => {
                game_matchmaking::ban_is_known(lobby, conn, request, looked_up, ban)
            }
            BanCheck::Host(request) => {
                check(Entry::Host)?;
                game_host::open(lobby, conn, *request)
            }
            BanCheck::Join(request) => {
                check(Entry::Join)?;
                game_join::join(lobby, conn, request)
            }
            BanCheck::Refuse { entry, command, reason } => {
                check(entry)?;
                Err(Refusal::invalid(Some(command), reason))
            }
        }
    }

    fn secret(memo: &mut BanCheck) -> Option<&mut Secret> {
        match memo {
            BanCheck::Host(request) => request.password.as_mut(),
            BanCheck::Join(request) => request.password.as_mut(),
            BanCheck::Search { .. } | BanCheck::Refuse { .. } => None,
        }
    }
}

/// Refuses a message that cannot be read. Other reasons not to play come first: a busy player keeps
/// the connection, a banned one does not.
pub(crate) fn refuse_unreadable(lobby: &mut Lobby, conn: ConnId, error: CommandError) -> CommandResult {
    let (Some(command), Some(player)) = (error.command.clone(), lobby.session(conn).player) else {
        return Err(error.into());
    };
    let entry = ClientCommand::from_name(&command).and_then(Entry::of);
    let Some(entry) = entry else { return Err(error.into()) };
    check_can_play(lobby, conn, entry)?;
    match entry {
        Entry::Host | Entry::Join => {
            let reason = error.error.to_string();
            Ok(lobby.request(conn, FindBan { player }, BanCheck::Refuse { entry, command, reason }))
        }
        // A returning player was let into the game before.
        Entry::Reconnect => Err(error.into()),
    }
}
