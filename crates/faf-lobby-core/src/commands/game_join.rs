//! `game_join`: lets a player into a game (games.md section 1.2).

use faf_protocol::client_message::GameJoin;
use faf_protocol::server_message::GameJoinFailure;
use faf_protocol::{GameId, PlayerId, Secret};

use crate::games::{BanCheck, Entry, check_can_play, joining};
use crate::io::{AttemptJoin, ConnId, Count, FindBan, JoinAttempt, ReplyTo};
use crate::refusal::Refusal;
use crate::sign_in::bans::check_not_banned;
use crate::state::{CommandResult, Game, GameState, Limit, Lobby, Progress, Resume};
use crate::texts;

/// Maximum number of join attempts recorded for one game, one per player; further ones are
/// not recorded.
const NOTED_MAX: usize = 1000;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: GameJoin) -> CommandResult {
    check_can_play(lobby, conn, Entry::Join)?;
    let (player, address) = (lobby.player_of(conn), lobby.session(conn).address);
    // Recorded once per player and game: a player who repeats it must not fill the disk. Nothing is
    // recorded about a game that is hidden from the player, who could notice the delay.
    let has_room = |game: &&Game| game.live.is_none() && game.noted.len() < NOTED_MAX;
    let joinable = shown(lobby, player, request.uid).filter(has_room);
    let game = joinable.map(|game| game.id).and_then(|game| lobby.games.get_mut(game));
    let joining = game.and_then(|game| game.noted.insert(player).then_some(game.id));
    match joining {
        Some(game) => {
            let attempt = JoinAttempt { game, address };
            Ok(lobby.request(conn, AttemptJoin { player, attempt }, request))
        }
        None => Ok(lobby.request(conn, FindBan { player }, BanCheck::Join(request))),
    }
}

impl Resume for AttemptJoin {
    type Memo = GameJoin;

    fn resume(memo: GameJoin, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let ban = reply?;
        check_can_play(lobby, conn, Entry::Join)?;
        check_not_banned(lobby, ban)?;
        join(lobby, conn, memo)
    }

    fn secret(memo: &mut GameJoin) -> Option<&mut Secret> {
        memo.password.as_mut()
    }
}

/// Joins the game of a player who may play and is not banned.
pub(crate) fn join(lobby: &mut Lobby, conn: ConnId, GameJoin { uid, password }: GameJoin) -> CommandResult {
    let failed = |reason| Refusal::CannotJoin { game: uid, reason };
    let game = shown(lobby, lobby.player_of(conn), uid);
    let game = game.ok_or_else(|| failed(GameJoinFailure::HostLeftGame))?;
    if game.arranged.is_some() && game.state == GameState::Lobby {
        return Err(Refusal::declined(texts::GAME_IS_A_MATCH));
    }
    if game.state != GameState::Lobby || !game.is_listed() || game.is_full() {
        return Err(failed(GameJoinFailure::GameNotReady));
    }
    let (player, now) = (lobby.player_of(conn), lobby.now.elapsed);
    let password = password.filter(|password| !password.reveal().is_empty());
    let is_wrong = game.is_password_protected && password != game.password;
    // The same text for a correct and a wrong password, so that it reveals nothing.
    if game.is_password_protected && !lobby.limits.may_try_password(player, uid, now) {
        lobby.count(Count::Limited(Limit::Passwords));
        return Err(Refusal::declined(texts::TOO_MANY_PASSWORDS));
    }
    if is_wrong {
        lobby.limits.wrong_password(player, uid, now);
        return Err(failed(GameJoinFailure::BadPassword));
    }
    joining::launch_game_process(lobby, conn, uid);
    Ok(Progress::Done)
}

/// Returns the game with this id, if the player may know of it. A hidden game looks like one that
/// does not exist, whatever hides it: it is for friends only, its host has made the player a foe,
/// or it is for other ratings.
fn shown(lobby: &Lobby, player: PlayerId, game: GameId) -> Option<&Game> {
    let joiner = lobby.players.get(player)?;
    lobby.games.current_game(game).filter(|game| game.is_visible_to(joiner))
}
