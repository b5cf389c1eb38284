//! `game_join`: wants to play in a game (games.md section 1.2).

use faf_protocol::client_message::GameJoin;
use faf_protocol::server_message::GameJoinFailure;
use faf_protocol::{GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::commands::{Continuation, Progress};
use crate::effect::{Count, Question};
use crate::event::{Ban, ConnId};
use crate::games::{Game, GameState, JoinAttempt, check_can_play};
use crate::limits::Limit;
use crate::login;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

const COMMAND: &str = "game_join";

/// Join attempts noted for one game, one per player; further ones are not noted.
const NOTED_MAX: usize = 1000;

/// What is remembered while the player's bans are looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Permitted {
    pub(crate) request: GameJoin,
}

pub(crate) fn carry_out(world: &mut World, conn: ConnId, request: GameJoin) -> Result<Progress, Refusal> {
    check_can_play(world, conn, COMMAND)?;
    let (player, address) = (world.player_of(conn), world.session(conn).address);
    // Once for each game: a player who insists must not fill the disk. Nothing is noted of a game that
    // is hidden from the player, who would notice that it takes longer.
    let has_room = |game: &&Game| game.live.is_none() && game.noted.len() < NOTED_MAX;
    let joinable = shown(world, player, request.uid).filter(has_room);
    let game = joinable.map(|game| game.id).and_then(|game| world.games.get_mut(game));
    let joining = game.and_then(|game| game.noted.insert(player).then_some(game.id));
    let joining = joining.map(|game| JoinAttempt { game, address });
    let question = Question::FindBan { player, joining };
    world.ask(conn, question, Continuation::JoinPermitted(Permitted { request }))
}

pub(crate) fn permitted(
    world: &mut World,
    conn: ConnId,
    Permitted { request: GameJoin { uid, password } }: Permitted,
    ban: Option<Ban>,
) -> Result<Progress, Refusal> {
    check_can_play(world, conn, COMMAND)?;
    login::check_not_banned(world, ban)?;
    let failed = |reason| Refusal::CannotJoin { game: uid, reason };
    let game = shown(world, world.player_of(conn), uid);
    let game = game.ok_or_else(|| failed(GameJoinFailure::HostLeftGame))?;
    if game.state != GameState::Lobby || !game.is_listed() || game.is_full() {
        return Err(failed(GameJoinFailure::GameNotReady));
    }
    let (player, now) = (world.player_of(conn), world.now.elapsed);
    let password = password.filter(|password| !password.reveal().is_empty());
    let is_wrong = game.is_password_protected && password != game.password;
    // The same answer for a right and a wrong password, so that it reveals nothing.
    if game.is_password_protected && !world.limits.may_try_password(player, uid, now) {
        world.count(Count::Limited(Limit::Passwords));
        return Err(Refusal::declined(texts::TOO_MANY_PASSWORDS));
    }
    if is_wrong {
        world.limits.wrong_password(player, uid, now);
        return Err(failed(GameJoinFailure::BadPassword));
    }
    world.launch_game_process(conn, uid);
    Ok(Progress::Done)
}

/// The game with this number, as far as the player is told of games. One that is hidden is no other
/// than none, for whatever reason it is: for friends only, of a host who has made the player a foe,
/// or for others' ratings.
fn shown(world: &World, player: PlayerId, game: GameId) -> Option<&Game> {
    let joiner = world.players.get(player)?;
    world.games.untold_game(game).filter(|game| game.is_visible_to(joiner))
}
