//! `game_matchmaking`: begins or ends a search for a match (matchmaking.md section 7.1).

use faf_protocol::client_message::GameMatchmaking;
use faf_protocol::server_message::Notice;
use faf_protocol::{ClientCommand, PlayerId};

use crate::client_text::quoted;
use crate::connections::operator;
use crate::games::BanCheck;
use crate::io::{Ban, ConnId, FindBan};
use crate::matchmaking::queue::QueueId;
use crate::queues;
use crate::refusal::Refusal;
use crate::sign_in::bans::{ban_in_force, check_not_banned};
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;

/// The queue of a client that names none.
const DEFAULT_QUEUE: &str = "ladder1v1";

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: GameMatchmaking) -> CommandResult {
    if request.state == "stop" {
        return stop(lobby, conn, &request);
    }
    let members = queues::check_may_search(lobby, lobby.player_of(conn))?;
    if request.state != "start" {
        return Ok(Progress::Done);
    }
    find(lobby, &request, members.len())?;
    Ok(look_up(lobby, conn, request, Vec::new(), lobby.player_of(conn)))
}

/// Looks up whether the next member of the party is banned.
fn look_up(
    lobby: &mut Lobby,
    conn: ConnId,
    request: GameMatchmaking,
    mut looked_up: Vec<PlayerId>,
    player: PlayerId,
) -> Progress {
    looked_up.push(player);
    lobby.request(conn, FindBan { player }, BanCheck::Search { request, looked_up })
}

/// Handles the ban of the last member that was looked up, and begins the search if no member is
/// banned. Anything may have changed since the request.
pub(crate) fn ban_is_known(
    lobby: &mut Lobby,
    conn: ConnId,
    request: GameMatchmaking,
    looked_up: Vec<PlayerId>,
    ban: Option<Ban>,
) -> CommandResult {
    let owner = lobby.player_of(conn);
    let member = looked_up.last().copied().unwrap_or(owner);
    if member == owner {
        check_not_banned(lobby, ban)?;
    } else if let Some(notice) = ban.and_then(|ban| ban_in_force(lobby, &ban))
        && lobby.parties.owner_of(member) == Some(owner)
    {
        return Err(eject_member(lobby, member, notice));
    }
    let members = queues::check_may_search(lobby, owner)?;
    let queue = find(lobby, &request, members.len())?;
    if let Some(next) = members.iter().find(|member| !looked_up.contains(member)) {
        return Ok(look_up(lobby, conn, request, looked_up, *next));
    }
    start(lobby, conn, &request, queue, &members)
}

/// Disconnects a banned member of the party. Returns the refusal for its owner.
fn eject_member(lobby: &mut Lobby, member: PlayerId, notice: Notice) -> Refusal {
    let login = lobby.players.get(member).map(|online| online.info.login.clone());
    operator::eject_banned(lobby, member, notice);
    Refusal::declined(texts::member_banned(&login.unwrap_or_default()))
}

/// Begins the search of a party that may search.
fn start(
    lobby: &mut Lobby,
    conn: ConnId,
    request: &GameMatchmaking,
    queue: QueueId,
    members: &[PlayerId],
) -> CommandResult {
    let owner = lobby.player_of(conn);
    lobby.parties.create(owner);
    if let Some(faction) = request.faction {
        lobby.parties.set_factions(owner, std::iter::once(faction).collect(), false);
    }
    queues::start(lobby, queue, members);
    Ok(Progress::Done)
}

/// Ends the search of the sender's party in a queue. Clients also end searches that do not exist:
/// when a game starts, or when other searches change.
fn stop(lobby: &mut Lobby, conn: ConnId, request: &GameMatchmaking) -> CommandResult {
    let queue = lobby.queues.named(name(request)).map(|queue| queue.data.id);
    let player = lobby.player_of(conn);
    let Some(queue) = queue else { return Ok(Progress::Done) };
    if let Some(search) = lobby.queues.search_in(queue, player) {
        queues::cancel(lobby, queue, search);
    } else if !lobby.is_draining() {
        // A search of before a restart. During a shutdown clients know of no search, and those that
        // end one do not mean the one that the shutdown has ended.
        lobby.returning.cancel(queue, player);
    }
    Ok(Progress::Done)
}

/// Returns the queue, if the party is not too large for it and searches may begin.
fn find(lobby: &Lobby, request: &GameMatchmaking, members: usize) -> Result<QueueId, Refusal> {
    let name = name(request);
    let unknown = || Refusal::declined(texts::unknown_queue(&quoted(name.to_owned())));
    let queue = lobby.queues.named(name).ok_or_else(unknown)?;
    if members > queue.data.team_size as usize {
        return Err(Refusal::declined(texts::PARTY_TOO_LARGE));
    }
    if lobby.is_draining() {
        return Err(Refusal::Disabled { request: ClientCommand::GameMatchmaking.name() });
    }
    Ok(queue.data.id)
}

/// Returns the name of the queue.
fn name(request: &GameMatchmaking) -> &str {
    request.queue_name.as_deref().or(request.featured_mod.as_deref()).unwrap_or(DEFAULT_QUEUE)
}
