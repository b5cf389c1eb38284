//! The commands of game processes: the table is here, and each command has a file under its wire
//! name (games.md section 6).
//!
//! Without a game connection everything is ignored. A command that cannot be read is ignored, too:
//! games change, and none of their messages may end the connection of a client.

mod ai_option;
mod clear_slot;
mod desync;
mod enforce_rating;
mod game_ended;
mod game_mods;
mod game_option;
mod game_result;
mod game_state;
mod ice_msg;
mod json_stats;
mod map_lookup;
mod operation_complete;
mod peers;
mod player_option;
mod sender;
mod teamkill_happened;

use faf_protocol::gpgnet::{GameCommand, GameToServer, GpgNetMessage};

use crate::client_text::quoted;
use crate::game_commands::sender::Sender;
use crate::io::{ConnId, LogLine};
use crate::state::{CommandClass, ConnectionState, Lobby, Progress};
use crate::statistics::LONGEST_TEXT;

/// Longest message that is read, in bytes: 512 KiB, because statistics have their quotes escaped.
/// All others have some hundred bytes, or some thousand. Reading texts takes time, during which no
/// other client is served.
const LONGEST_MESSAGE: usize = 2 * LONGEST_TEXT;

macro_rules! game_command_table {
    ($(
        ($while_joining:literal, $class:ident) $command:ident $({ $($argument:tt)* })?
            => $($handle:ident)::+($($given:expr),*);
    )*) => {
        fn class(command: GameCommand) -> CommandClass {
            match command {
                $( GameCommand::$command => CommandClass::$class, )*
            }
        }

        /// Whether a process that is not in the game yet may send a command.
        fn is_accepted_while_joining(command: &GameToServer) -> bool {
            match command {
                $( GameToServer::$command { .. } => $while_joining, )*
                GameToServer::Unknown { .. } => false,
            }
        }

        fn run(lobby: &mut Lobby, sender: Sender, command: GameToServer) -> Progress {
            match command {
                $(
                    GameToServer::$command { $( $($argument)*, )? .. } => {
                        $($handle)::+(lobby, sender, $($given),*)
                    }
                )*
                GameToServer::Unknown { command } => {
                    let reason = format!("unknown command {}", quoted(command));
                    lobby.log(LogLine::GameMessageIgnored { player: sender.player, reason });
                    Progress::Done
                }
            }
        }
    };
}

// All commands at a glance. Handlers get the lobby and the sender first.
game_command_table! {
    // while joining, class
    (false, Game)        AiOption { name, key, value } => ai_option::handle(name, &key, &value);
    (false, Game)        Bottleneck => nothing();
    (false, Game)        BottleneckCleared => nothing();
    (false, Game)        Chat => nothing();
    (false, Game)        ClearSlot { slot } => clear_slot::handle(slot);
    (false, Game)        Desync => desync::handle();
    (false, Game)        Disconnected => nothing();
    (false, Game)        DisconnectedPeer { peer_id } => peers::disconnected(peer_id);
    (false, Game)        EnforceRating => enforce_rating::handle();
    (false, Game)        EstablishedPeer { peer_id } => peers::established(peer_id);
    (false, Game)        GameEnded => game_ended::handle();
    (false, Game)        GameFull => nothing();
    (false, Game)        GameMods { 0: mods } => game_mods::handle(mods);
    (false, Game)        GameOption { key, value } => game_option::handle(&key, value);
    (false, Game)        GameResult { army, result } => game_result::handle(army, &result);
    (true,  Game)        GameState { state } => game_state::handle(&state);
    (false, Game)        IceMsg { receiver_id, message } => ice_msg::handle(receiver_id, message);
    (false, Statistics)  JsonStats { stats } => json_stats::handle(&stats);
    (false, Game)        LaunchStatus { status } => peers::launch_status(&status);
    (false, Game)        OperationComplete { primary, secondary, delta } => operation_complete::handle(primary, secondary, &delta);
    (false, Game)        PlayerOption { player_id, key, value } => player_option::handle(player_id, &key, &value);
    (false, Game)        Rehost => nothing();
    (false, Game)        TeamkillHappened { gametime, victim_id, teamkiller_id } => teamkill_happened::handle(&gametime, victim_id, teamkiller_id);
    (false, Game)        TeamkillReport => nothing();
}

/// Returns the price of a message of a game process. All but statistics are usually a few words,
/// and arrive in great numbers.
pub(crate) fn price(message: &GpgNetMessage) -> (CommandClass, usize) {
    (GameCommand::from_name(&message.command).map_or(CommandClass::Game, class), bytes(message))
}

/// Returns the length of a message in bytes. Even an empty argument is work.
fn bytes(message: &GpgNetMessage) -> usize {
    message.command.len() + message.args.text().len()
}

/// Handles a message of a game process.
pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, message: &GpgNetMessage) -> Progress {
    let Some(sender) = Sender::of(lobby, conn) else { return Progress::Done };
    let length = bytes(message);
    if length > LONGEST_MESSAGE {
        let reason = format!("{length} bytes are more than {LONGEST_MESSAGE}");
        lobby.log(LogLine::GameMessageIgnored { player: sender.player, reason });
        return Progress::Done;
    }
    let command = match GameToServer::read(message) {
        Ok(read) => read.command,
        Err(error) => {
            let reason = quoted(error.to_string());
            lobby.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            return Progress::Done;
        }
    };
    // A process that is not in the game yet may only send its state.
    if sender.state != ConnectionState::Connected && !is_accepted_while_joining(&command) {
        return Progress::Done;
    }
    run(lobby, sender, command)
}

/// Handles commands that have no meaning for the lobby.
fn nothing(_lobby: &mut Lobby, _sender: Sender) -> Progress {
    Progress::Done
}
