//! `game_matchmaking`: begins or ends a search for a match (matchmaking.md section 7.1).

use faf_protocol::client_message::GameMatchmaking;
use faf_protocol::{ClientCommand, PlayerId};

use crate::client_text::quoted;
use crate::games::BanCheck;
use crate::io::{ConnId, FindBan};
use crate::matchmaking::queue::QueueId;
use crate::queues;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;

/// The queue of a client that names none.
const DEFAULT_QUEUE: &str = "ladder1v1";

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: GameMatchmaking) -> CommandResult {
    if request.state == "stop" {
        return stop(lobby, conn, &request);
    }
    let members = check(lobby, conn)?;
    if request.state != "start" {
        return Ok(Progress::Done);
    }
    find(lobby, &request, members.len())?;
    let player = lobby.player_of(conn);
    Ok(lobby.request(conn, FindBan { player }, BanCheck::Search(request)))
}

/// Begins the search of a player who is not banned. Anything may have changed since the request.
pub(crate) fn start(lobby: &mut Lobby, conn: ConnId, request: &GameMatchmaking) -> CommandResult {
    let members = check(lobby, conn)?;
    let queue = find(lobby, request, members.len())?;
    if let Some(faction) = request.faction {
        let factions = std::iter::once(faction).collect();
        lobby.parties.set_factions(lobby.player_of(conn), factions, false);
    }
    queues::start(lobby, queue, &members);
    Ok(Progress::Done)
}

/// Ends the search of the sender's party in a queue. Clients also end searches that do not exist:
/// when a game starts, or when other searches change.
fn stop(lobby: &mut Lobby, conn: ConnId, request: &GameMatchmaking) -> CommandResult {
    let queue = lobby.queues.named(name(request)).map(|queue| queue.data.id);
    let player = lobby.player_of(conn);
    let search = queue.and_then(|queue| Some((queue, lobby.queues.search_in(queue, player)?)));
    if let Some((queue, search)) = search {
        queues::cancel(lobby, queue, search);
    }
    Ok(Progress::Done)
}

/// Checks that the sender's party may search, and returns its members.
fn check(lobby: &Lobby, conn: ConnId) -> Result<Vec<PlayerId>, Refusal> {
    if lobby.session(conn).is_outdated {
        return Err(Refusal::declined(texts::OUTDATED_CLIENT_NO_GAMES));
    }
    queues::check_may_search(lobby, lobby.player_of(conn))
}

/// Returns the queue, if searches may begin and the party is not too large for it.
fn find(lobby: &Lobby, request: &GameMatchmaking, members: usize) -> Result<QueueId, Refusal> {
    if lobby.is_draining() {
        return Err(Refusal::Disabled { request: ClientCommand::GameMatchmaking.name() });
    }
    let name = name(request);
    let unknown = || Refusal::declined(texts::unknown_queue(&quoted(name.to_owned())));
    let queue = lobby.queues.named(name).ok_or_else(unknown)?;
    if members > queue.data.team_size as usize {
        return Err(Refusal::declined(texts::PARTY_TOO_LARGE));
    }
    Ok(queue.data.id)
}

/// Returns the name of the queue.
fn name(request: &GameMatchmaking) -> &str {
    request.queue_name.as_deref().or(request.featured_mod.as_deref()).unwrap_or(DEFAULT_QUEUE)
}
