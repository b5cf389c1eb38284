//! Storing games: one write after the other for each game, tried again until the database takes it.
//!
//! A command that causes a write is done when the write is, so that what a client has sent is
//! durable before its next message is handled; but no command waits for a database that is away.
//! Saves that wait become one.

use std::time::Duration;

use faf_protocol::GameId;

use crate::games::visibility;
use crate::io::conn::ConnId;
use crate::io::effect::Effect;
use crate::io::log::LogLine;
use crate::io::metric::Count;
use crate::io::publication::{Publication, RatingUpdate};
use crate::io::records::Contradiction;
use crate::io::request::{ReplyTo, StoreGame, Unavailable};
use crate::ratings::RatingChange;
use crate::sign_in::admission;
use crate::state::Lobby;
use crate::state::game::GameState;
use crate::state::game_writes::{What, Write};
use crate::state::pending::{Progress, ResumeLobby};
use crate::state::stored::{GameEnd, GameWrite};
use crate::state::timers::Timer;

/// First pause before a failed write is tried again; it doubles up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Saves a live game. The connection, if there is one, waits for the save; if it has just ended the
/// game, for the end.
pub(crate) fn save_game(lobby: &mut Lobby, id: GameId, waiting: Option<ConnId>) -> Progress {
    match lobby.games.get(id) {
        Some(game) if game.state == GameState::Live => push_write(lobby, id, What::Save, waiting),
        _ => waiting.map_or(Progress::Done, |conn| wait_for_storage(lobby, id, conn)),
    }
}

/// Makes a connection wait until everything about a game is stored, or has failed to be.
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

/// Stores something about a game after everything else about it. The connection, if there is one,
/// waits for it.
pub(crate) fn store(lobby: &mut Lobby, id: GameId, write: GameWrite, waiting: Option<ConnId>) -> Progress {
    push_write(lobby, id, What::Other(write), waiting)
}

fn push_write(lobby: &mut Lobby, id: GameId, what: What, waiting: Option<ConnId>) -> Progress {
    // While a launch is being stored, nobody is told of the game.
    lobby.games.touch(id);
    let storage = lobby.games.storage.entry(id).or_default();
    let is_idle = storage.writes.is_empty();
    // A database that is away must not hold up the players: nobody waits for more than one try.
    let waiting = waiting.filter(|_| storage.failures == 0);
    storage.push(what, waiting);
    if is_idle {
        ask_to_store(lobby, id);
    }
    if waiting.is_some() { Progress::Pending } else { Progress::Done }
}

/// Requests the first write.
pub(crate) fn ask_to_store(lobby: &mut Lobby, id: GameId) {
    let Some(storage) = lobby.games.storage.get_mut(&id) else { return };
    let mut game = lobby.games.games.get_mut(&id);
    // A save that has failed is needless once the game is over: its end is the next write.
    let is_over = game.as_ref().is_none_or(|game| game.state != GameState::Live);
    if is_over && storage.writes.len() > 1 && matches!(storage.writes[0].what, What::Save) {
        storage.writes.pop_front();
    }
    let Some(first) = storage.writes.front() else { return };
    if let Some(live) = game.as_mut().and_then(|game| game.live.as_mut()) {
        storage.unpublished.append(&mut live.unpublished);
    }
    let write = match (&first.what, game) {
        (What::Other(write), _) => write.clone(),
        (What::Save, Some(game)) => GameWrite::Save(Box::new(game.clone())),
        (What::Save, None) => return,
    };
    lobby.request_for_lobby(StoreGame { game: id, write }, id);
}

/// Goes on after the first write, which is stored now or could not be.
fn stored(lobby: &mut Lobby, id: GameId, reply: ReplyTo<StoreGame>) {
    let (is_done, stored) = match reply {
        Ok(Ok(ratings)) => (true, Some(ratings)),
        Ok(Err(Contradiction)) => {
            lobby.log(LogLine::GameRefused { game: id });
            (true, None)
        }
        Err(Unavailable) => (false, None),
    };
    let now = lobby.now.elapsed;
    lobby.games.touch(id);
    let Some(storage) = lobby.games.storage.get_mut(&id) else { return };
    let mut waiting = Vec::new();
    if is_done {
        let Some(Write { what, waiting: released }) = storage.writes.pop_front() else { return };
        waiting = released;
        storage.failures = 0;
        let published = std::mem::take(&mut storage.unpublished);
        if storage.writes.is_empty() {
            lobby.games.storage.remove(&id);
        } else {
            ask_to_store(lobby, id);
        }
        if let Some(ratings) = stored {
            if let What::Other(GameWrite::End(end)) = what {
                results_stored(lobby, id, *end, &ratings);
            }
            publish(lobby, published);
        }
        publish_if_over(lobby, id);
        lobby.games.forget_if_over(id);
    } else {
        let pause = FIRST_PAUSE.saturating_mul(1 << storage.failures.min(6)).min(LONGEST_PAUSE);
        storage.failures = storage.failures.saturating_add(1);
        for write in &mut storage.writes {
            waiting.append(&mut write.waiting);
        }
        lobby.count(Count::GameNotStored);
        lobby.timers.set(now + pause, Timer::StoreAgain(id));
    }
    lobby.released.append(&mut waiting);
}

/// Of a game that is over and stored, nothing will be stored any more to wait for.
pub(crate) fn publish_if_over(lobby: &mut Lobby, id: GameId) {
    if lobby.games.storage.contains_key(&id) {
        return;
    }
    let over = lobby.games.get_mut(id).filter(|game| game.state == GameState::Ended);
    if let Some(live) = over.and_then(|game| game.live.as_mut()) {
        let unpublished = std::mem::take(&mut live.unpublished);
        publish(lobby, unpublished);
    }
}

/// The results of a game are durable.
pub(crate) fn results_stored(lobby: &mut Lobby, id: GameId, end: GameEnd, ratings: &[RatingChange]) {
    if let Some(results) = end.published {
        lobby.emit(Effect::Publish(Publication::GameResults(Box::new(results))));
    }
    apply_ratings(lobby, ratings);
    for change in ratings {
        lobby.emit(Effect::Publish(Publication::Rating(RatingUpdate {
            game_id: id,
            player_id: change.player,
            rating_type: change.leaderboard.clone(),
            new_rating_mean: change.after.mean,
            new_rating_deviation: change.after.deviation,
            old_rating_mean: change.before.mean,
            old_rating_deviation: change.before.deviation,
            outcome: change.outcome,
        })));
    }
}

fn publish(lobby: &mut Lobby, publications: Vec<Publication>) {
    for publication in publications {
        lobby.emit(Effect::Publish(publication));
    }
}

/// Tells everybody of new ratings. Which games a player sees may depend on the player's own.
pub(crate) fn apply_ratings(lobby: &mut Lobby, changes: &[RatingChange]) {
    for change in changes {
        admission::rated_while_logging_in(lobby, change.player);
        let before = visibility::seen_by(lobby, change.player);
        lobby.players.rate(change.player, &change.leaderboard, change.after);
        visibility::tell_difference(lobby, change.player, &before);
    }
}

impl ResumeLobby for StoreGame {
    type Memo = GameId;

    fn resume(game: GameId, lobby: &mut Lobby, reply: ReplyTo<Self>) {
        stored(lobby, game, reply);
    }
}
