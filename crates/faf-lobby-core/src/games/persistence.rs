//! Storing of games: one write after the other for each game, repeated until the database accepts
//! it.
//!
//! A command that causes a write finishes when the write has, so that everything a client has sent
//! is durable before its next message is handled; but no command waits for a database that is
//! unavailable. Queued saves are merged into one.

use std::time::Duration;

use faf_protocol::GameId;

use crate::games::visibility;
use crate::io::{ConnId, Contradiction, Count, GamePublications, LogLine, ReplyTo, StoreGame, Unavailable};
use crate::ratings::RatingChange;
use crate::sign_in::admission;
use crate::state::{Content, GameState, GameWrite, Lobby, Progress, ResumeLobby, Timer};

/// Pause before the first retry of a failed write; it doubles up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause between two retries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Saves a live game. The connection, if there is one, waits for the save; if it has just ended the
/// game, for the write of the end.
pub(crate) fn save_game(lobby: &mut Lobby, id: GameId, waiting: Option<ConnId>) -> Progress {
    match lobby.games.get(id) {
        Some(game) if game.state == GameState::Live => push_write(lobby, id, Content::Save, waiting),
        _ => waiting.map_or(Progress::Done, |conn| wait_for_storage(lobby, id, conn)),
    }
}

/// Makes a connection wait until every write about a game is stored, or has failed.
pub(crate) fn wait_for_storage(lobby: &mut Lobby, id: GameId, conn: ConnId) -> Progress {
    let storage = lobby.games.storage.get_mut(&id).filter(|storage| storage.failures == 0);
    match storage.and_then(|storage| storage.writes.back_mut()) {
        Some(last) => {
            last.waiting.push(conn);
            Progress::Pending
        }
        None => Progress::Done,
    }
}

/// Stores a write about a game after all earlier ones. The connection, if there is one, waits
/// for it.
pub(crate) fn store(lobby: &mut Lobby, id: GameId, write: GameWrite, waiting: Option<ConnId>) -> Progress {
    push_write(lobby, id, Content::Other(write), waiting)
}

fn push_write(lobby: &mut Lobby, id: GameId, what: Content, waiting: Option<ConnId>) -> Progress {
    // While a launch is being stored, the game is not reported.
    lobby.games.touch(id);
    let storage = lobby.games.storage.entry(id).or_default();
    let is_idle = storage.writes.is_empty();
    // Players must not wait for a database that is unavailable: nobody waits for more than one try.
    let waiting = waiting.filter(|_| storage.failures == 0);
    storage.push(what, waiting);
    if is_idle {
        ask_to_store(lobby, id);
    }
    if waiting.is_some() { Progress::Pending } else { Progress::Done }
}

/// Requests the first write of the queue.
pub(crate) fn ask_to_store(lobby: &mut Lobby, id: GameId) {
    let Some(storage) = lobby.games.storage.get_mut(&id) else { return };
    let mut game = lobby.games.games.get_mut(&id);
    // A failed save is obsolete once the game is over: its end is the next write.
    let is_over = game.as_ref().is_none_or(|game| game.state != GameState::Live);
    if is_over && storage.writes.len() > 1 && matches!(storage.writes[0].what, Content::Save) {
        storage.writes.pop_front();
    }
    let Some(first) = storage.writes.front() else { return };
    let carries_publications = first.carries_publications();
    if carries_publications && let Some(live) = game.as_mut().and_then(|game| game.live.as_mut()) {
        live.published += live.unpublished.len() as u32;
        storage.unpublished.append(&mut live.unpublished);
        storage.published = live.published;
    }
    let list = if carries_publications { storage.unpublished.clone() } else { Vec::new() };
    let publications = GamePublications { first: storage.published - list.len() as u32, list };
    let write = match (&first.what, game) {
        (Content::Other(write), _) => write.clone(),
        (Content::Save, Some(game)) => GameWrite::Save(Box::new(game.clone())),
        (Content::Save, None) => return,
    };
    lobby.request_for_lobby(StoreGame { game: id, write, publications }, id);
}

/// Handles the reply to the first write, which is stored now or has failed.
fn stored(lobby: &mut Lobby, id: GameId, reply: ReplyTo<StoreGame>) {
    let (is_done, stored) = match reply {
        Ok(Ok(ratings)) => (true, Some(ratings)),
        Ok(Err(Contradiction)) => {
            lobby.log(LogLine::GameRefused { game: id });
            (true, None)
        }
        Err(Unavailable) => (false, None),
    };
    let (now, is_closing) = (lobby.now.elapsed, lobby.has_stopped());
    lobby.games.touch(id);
    let Some(storage) = lobby.games.storage.get_mut(&id) else { return };
    let mut waiting = Vec::new();
    if is_done {
        let Some(first) = storage.writes.pop_front() else { return };
        storage.failures = 0;
        if first.carries_publications() {
            storage.unpublished.clear();
        }
        waiting = first.waiting;
        if storage.writes.is_empty() {
            lobby.games.storage.remove(&id);
        } else {
            ask_to_store(lobby, id);
        }
        // The publications about it are in the outbox of the database by now.
        apply_ratings(lobby, &stored.unwrap_or_default());
        publish_if_over(lobby, id);
        lobby.games.forget_if_over(id);
    } else {
        let doublings = if is_closing { 0 } else { storage.failures.min(6) };
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        storage.failures = storage.failures.saturating_add(1);
        for write in &mut storage.writes {
            waiting.append(&mut write.waiting);
        }
        lobby.count(Count::GameNotStored);
        lobby.timers.set(now + pause, Timer::StoreAgain(id));
    }
    lobby.released.append(&mut waiting);
}

/// Stores the publications of a game that is over and stored: no other write will carry them.
pub(crate) fn publish_if_over(lobby: &mut Lobby, id: GameId) {
    if lobby.games.storage.contains_key(&id) {
        return;
    }
    let over = lobby.games.get(id).filter(|game| game.state == GameState::Ended);
    if over.and_then(|game| game.live.as_ref()).is_some_and(|live| !live.unpublished.is_empty()) {
        store(lobby, id, GameWrite::Publish, None);
    }
}

/// Applies new ratings, which all clients receive. They may also change which games the
/// player sees.
pub(crate) fn apply_ratings(lobby: &mut Lobby, changes: &[RatingChange]) {
    for change in changes {
        admission::profile_changed(lobby, change.player);
        let before = visibility::seen_by(lobby, change.player);
        lobby.players.rate(change.player, &change.leaderboard, change.after);
        visibility::send_difference(lobby, change.player, &before);
    }
}

impl ResumeLobby for StoreGame {
    type Memo = GameId;

    fn resume(game: GameId, lobby: &mut Lobby, reply: ReplyTo<Self>) {
        stored(lobby, game, reply);
    }
}
