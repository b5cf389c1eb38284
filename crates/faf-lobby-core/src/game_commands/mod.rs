//! The commands of game processes, a file each under its wire name (games.md section 6).
//!
//! Without a game connection everything is ignored. What cannot be understood is ignored, too: games change, and nothing
//! they say ends the connection of a client.

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

use faf_protocol::gpgnet::{GameToServer, GpgNetMessage};
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

/// What a message of a game process costs. All but statistics are a few words as a rule, and come in great numbers.
pub(crate) fn price(message: &GpgNetMessage) -> (CommandClass, usize) {
    let class = match message.command.as_str() {
        "JsonStats" => CommandClass::Statistics,
        _ => CommandClass::Game,
    };
    (class, bytes(message))
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
    // Who is not in the game yet has nothing to say in it but how far the process has come.
    if sender.state != ConnectionState::Connected && !matches!(command, GameToServer::GameState { .. }) {
        return Progress::Done;
    }
    match command {
        GameToServer::GameState { state } => game_state::handle(world, sender, &state),
        GameToServer::GameOption { key, value } => game_option::handle(world, sender, &key, value),
        GameToServer::PlayerOption { player_id, key, value } => {
            player_option::handle(world, sender, player_id, &key, &value)
        }
        GameToServer::AiOption { name, key, value } => ai_option::handle(world, sender, name, &key, &value),
        GameToServer::ClearSlot { slot } => clear_slot::handle(world, sender, slot),
        GameToServer::GameMods(mods) => game_mods::handle(world, sender, mods),
        GameToServer::GameResult { army, result } => game_result::handle(world, sender, army, &result),
        GameToServer::GameEnded => game_ended::handle(world, sender),
        GameToServer::JsonStats { stats } => json_stats::handle(world, sender, &stats),
        GameToServer::Desync => desync::handle(world, sender),
        GameToServer::EnforceRating => enforce_rating::handle(world, sender),
        GameToServer::OperationComplete { primary, secondary, delta } => {
            operation_complete::handle(world, sender, primary, secondary, &delta)
        }
        GameToServer::TeamkillHappened { gametime, victim_id, teamkiller_id, .. } => {
            teamkill_happened::handle(world, sender, &gametime, victim_id, teamkiller_id)
        }
        GameToServer::IceMsg { receiver_id, message } => ice_msg::handle(world, sender, receiver_id, message),
        GameToServer::TeamkillReport
        | GameToServer::Chat { .. }
        | GameToServer::GameFull
        | GameToServer::Rehost
        | GameToServer::Bottleneck
        | GameToServer::BottleneckCleared
        | GameToServer::Disconnected
        | GameToServer::LaunchStatus { .. }
        | GameToServer::EstablishedPeer { .. }
        | GameToServer::DisconnectedPeer { .. } => Progress::Done,
        GameToServer::Unknown { command } => {
            let reason = format!("unknown command {}", quoted(command));
            world.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            Progress::Done
        }
    }
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
