//! The commands of game processes: the table here, and a file each under its wire name (games.md section 6).
//!
//! Without a game connection everything is ignored. What cannot be understood is ignored, too: games change, and nothing
//! they say ends the connection of a client.
//!
//! To add a command, as `EnforceRating`: a row in `faf-protocol/src/gpgnet/game_to_server.rs` with its wire name and
//! arguments; here `mod enforce_rating;` and a row of the table; and `handle` in `enforce_rating.rs`.

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
mod player_option;
mod teamkill_happened;

use faf_protocol::gpgnet::{GameCommand, GameToServer, GpgNetMessage};
use faf_protocol::{GameId, PlayerId};

use crate::client_text::quoted;
use crate::commands::Progress;
use crate::effect::LogLine;
use crate::event::ConnId;
use crate::games::{Game, GameState, Live};
use crate::pacing::CommandClass;
use crate::pending::{HasTable, PendingCommand, Resume};
use crate::players::{Activity, ConnectionState};
use crate::statistics::LONGEST_TEXT;
use crate::world::World;

/// Longest message that is read, in bytes: 512 KiB, as statistics have their quotes escaped. All others have some hundred bytes, or
/// thousands. To read texts takes time, and nobody else is served meanwhile.
const LONGEST_MESSAGE: usize = 2 * LONGEST_TEXT;

/// Whose game process has sent something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) conn: ConnId,
    pub(crate) player: PlayerId,
    pub(crate) game: GameId,
    pub(crate) state: ConnectionState,
    pub(crate) activity: Activity,
}

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
        fn is_heard_while_joining(command: &GameToServer) -> bool {
            match command {
                $( GameToServer::$command { .. } => $while_joining, )*
                GameToServer::Unknown { .. } => false,
            }
        }

        fn run(world: &mut World, sender: Sender, command: GameToServer) -> Progress {
            match command {
                $(
                    GameToServer::$command { $( $($argument)*, )? .. } => {
                        $($handle)::+(world, sender, $($given),*)
                    }
                )*
                GameToServer::Unknown { command } => {
                    let reason = format!("unknown command {}", quoted(command));
                    world.log(LogLine::GameMessageIgnored { player: sender.player, reason });
                    Progress::Done
                }
            }
        }
    };
}

// All commands at a glance. Handlers get the world and the sender first.
game_command_table! {
    // while joining, class
    (false, Game)        AiOption { name, key, value } => ai_option::handle(name, &key, &value);
    (false, Game)        Bottleneck => nothing();
    (false, Game)        BottleneckCleared => nothing();
    (false, Game)        Chat => nothing();
    (false, Game)        ClearSlot { slot } => clear_slot::handle(slot);
    (false, Game)        Desync => desync::handle();
    (false, Game)        Disconnected => nothing();
    (false, Game)        DisconnectedPeer => nothing();
    (false, Game)        EnforceRating => enforce_rating::handle();
    (false, Game)        EstablishedPeer => nothing();
    (false, Game)        GameEnded => game_ended::handle();
    (false, Game)        GameFull => nothing();
    (false, Game)        GameMods { 0: mods } => game_mods::handle(mods);
    (false, Game)        GameOption { key, value } => game_option::handle(&key, value);
    (false, Game)        GameResult { army, result } => game_result::handle(army, &result);
    (true,  Game)        GameState { state } => game_state::handle(&state);
    (false, Game)        IceMsg { receiver_id, message } => ice_msg::handle(receiver_id, message);
    (false, Statistics)  JsonStats { stats } => json_stats::handle(&stats);
    (false, Game)        LaunchStatus => nothing();
    (false, Game)        OperationComplete { primary, secondary, delta } => operation_complete::handle(primary, secondary, &delta);
    (false, Game)        PlayerOption { player_id, key, value } => player_option::handle(player_id, &key, &value);
    (false, Game)        Rehost => nothing();
    (false, Game)        TeamkillHappened { gametime, victim_id, teamkiller_id } => teamkill_happened::handle(&gametime, victim_id, teamkiller_id);
    (false, Game)        TeamkillReport => nothing();
}

/// What a message of a game process costs. All but statistics are a few words as a rule, and come in great numbers.
pub(crate) fn price(message: &GpgNetMessage) -> (CommandClass, usize) {
    (GameCommand::from_name(&message.command).map_or(CommandClass::Game, class), bytes(message))
}

/// How long a message is. An empty argument is work, too.
fn bytes(message: &GpgNetMessage) -> usize {
    message.command.len() + message.args.text().len()
}

/// Carries out what a game process has sent.
pub(crate) fn handle(world: &mut World, conn: ConnId, message: &GpgNetMessage) -> Progress {
    let Some(sender) = world.game_sender(conn) else { return Progress::Done };
    let length = bytes(message);
    if length > LONGEST_MESSAGE {
        let reason = format!("{length} bytes are more than {LONGEST_MESSAGE}");
        world.log(LogLine::GameMessageIgnored { player: sender.player, reason });
        return Progress::Done;
    }
    let command = match GameToServer::read(message) {
        Ok(read) => read.command,
        Err(error) => {
            let reason = quoted(error.to_string());
            world.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            return Progress::Done;
        }
    };
    // A process that is not in the game yet has nothing to say in it but how far it has come.
    if sender.state != ConnectionState::Connected && !is_heard_while_joining(&command) {
        return Progress::Done;
    }
    run(world, sender, command)
}

/// Handles commands that mean nothing to the lobby.
fn nothing(_world: &mut World, _sender: Sender) -> Progress {
    Progress::Done
}

impl World {
    /// The game process behind a connection, if there is one.
    fn game_sender(&self, conn: ConnId) -> Option<Sender> {
        let player = self.session_if_open(conn)?.player?;
        let online = self.players.get(player)?;
        let connection = online.game.as_ref()?;
        let (game, state) = (connection.game, connection.state);
        Some(Sender { conn, player, game, state, activity: online.activity })
    }

    /// Makes a request for a game process.
    fn request_for_game<R>(&mut self, sender: Sender, request: R, memo: <R as Resume>::Memo) -> Progress
    where
        R: Resume + HasTable<Entry = PendingCommand<<R as Resume>::Memo>>,
    {
        // A request is never refused; the result is for the commands of clients.
        self.request(sender.conn, request, memo).unwrap_or(Progress::Done)
    }

    /// The game in whose lobby the sender is the host, and may change everything.
    fn hosted_lobby(&mut self, sender: Sender) -> Option<&mut Game> {
        let is_lobby = |game: &&mut Game| game.state == GameState::Lobby && game.host.id == sender.player;
        self.games.get_mut(sender.game).filter(is_lobby).filter(|_| sender.activity == Activity::Hosting)
    }

    /// The live game in which the sender has a say: whoever plays, and only if nobody does, whoever
    /// watches.
    fn played_game(&mut self, sender: Sender) -> Option<&mut Live> {
        self.live_game(sender.game).filter(|live| live.has_say(sender.player))
    }
}
