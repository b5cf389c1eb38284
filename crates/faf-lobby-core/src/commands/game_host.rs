//! `game_host`: opens a game (games.md section 1.1).

use faf_protocol::client_message::GameHost;
use faf_protocol::{ClientCommand, GameId, Secret};
use serde::{Deserialize, Serialize};

use crate::client_text::quoted;
use crate::game_options::GameKind;
use crate::games::{BanCheck, Entry, check_can_play, joining};
use crate::io::{ConnId, Count, FindBan, MapVersion, OpenGame, ReplyTo};
use crate::maps::is_map_folder;
use crate::ratings::GLOBAL;
use crate::refusal::Refusal;
use crate::state::{
    CommandResult, FeaturedMod, Game, Host, Limit, Lobby, Map, Progress, Resume, Timer, game,
};
use crate::texts;

/// Featured mod for a client that does not choose one.
const DEFAULT_MOD: &str = "faf";
const DEFAULT_MAP: &str = "scmp_007";

/// The featured mod of co-op games.
const COOP: &str = "coop";

/// Longest password, in bytes.
const PASSWORD_LIMIT: usize = 1000;

/// Largest bound of ratings; larger ones are reduced to it. No rating comes near, and clients read
/// bounds as 32-bit integers.
const RATING_BOUND_MAX: f64 = 1_000_000.0;

/// Memo while the map is looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Opening {
    request: GameHost,
    id: GameId,
    title: String,
    folder: String,
    featured_mod: FeaturedMod,
}

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: GameHost) -> CommandResult {
    check_can_play(lobby, conn, Entry::Host)?;
    let player = lobby.player_of(conn);
    Ok(lobby.request(conn, FindBan { player }, BanCheck::Host(Box::new(request))))
}

/// Opens the game of a player who may play and is not banned.
pub(crate) fn open(lobby: &mut Lobby, conn: ConnId, request: GameHost) -> CommandResult {
    let title = match request.title.as_deref().filter(|title| !title.is_empty()) {
        Some(title) => title.to_owned(),
        None => {
            let host = lobby.players.get(lobby.player_of(conn)).map(|online| online.info.login.clone());
            format!("{}'s game", host.unwrap_or_default())
        }
    };
    let title = game::title(&title).map_err(Refusal::declined)?;
    if request.password.as_ref().is_some_and(|password| password.reveal().len() > PASSWORD_LIMIT) {
        return Err(Refusal::declined(texts::PASSWORD_TOO_LONG));
    }
    let chosen = |choice: &Option<String>, default: &str| match choice.as_deref() {
        None | Some("") => default.to_owned(),
        Some(choice) => choice.to_lowercase(),
    };
    let folder = chosen(&request.mapname, DEFAULT_MAP);
    if !is_map_folder(&folder) {
        return Err(Refusal::declined(texts::MAP_NAME_INVALID));
    }
    let name = chosen(&request.featured_mod, DEFAULT_MOD);
    let Some(id) = lobby.data.featured_mods.get(&name).copied() else {
        return Err(Refusal::declined(texts::unknown_featured_mod(&quoted(name))));
    };
    let featured_mod = FeaturedMod { id, name };
    let player = lobby.player_of(conn);
    if !lobby.limits.host(player, lobby.now.elapsed) {
        lobby.count(Count::Limited(Limit::HostedGames));
        return Err(Refusal::declined(texts::TOO_MANY_GAMES));
    }
    let Some(id) = lobby.games.next_id() else { return Err(Refusal::declined(texts::NO_MORE_GAMES)) };
    let memo = Opening { request, id, title, folder: folder.clone(), featured_mod };
    Ok(lobby.request(conn, OpenGame { host: player, game: id, folder }, Box::new(memo)))
}

impl Resume for OpenGame {
    type Memo = Box<Opening>;

    fn resume(memo: Box<Opening>, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let map = reply?;
        check_can_play(lobby, conn, Entry::Host)?;
        if lobby.is_draining() {
            return Err(Refusal::Disabled { request: ClientCommand::GameHost.name() });
        }
        insert(lobby, conn, *memo, map);
        Ok(Progress::Done)
    }

    fn secret(memo: &mut Box<Opening>) -> Option<&mut Secret> {
        memo.request.password.as_mut()
    }
}

/// Creates the game: all checks have passed.
fn insert(
    lobby: &mut Lobby,
    conn: ConnId,
    Opening { request, id, title, folder, featured_mod }: Opening,
    found: Option<MapVersion>,
) {
    let player = lobby.player_of(conn);
    let Some(host) = lobby.players.get(player) else { return };
    let host = Host::of(host);
    let kind = if featured_mod.name == COOP { GameKind::Coop } else { GameKind::Custom };
    let GameHost { visibility, password, rating_min, rating_max, enforce_rating_range, .. } = request;
    let within = |bound: Option<f64>| bound.map(|bound| bound.clamp(-RATING_BOUND_MAX, RATING_BOUND_MAX));
    let password = password.filter(|password| !password.reveal().is_empty());
    let mut map = Map::unknown(folder);
    map.look_up(found);
    let game = Game {
        visibility,
        is_password_protected: password.is_some(),
        password,
        rating_min: within(rating_min),
        rating_max: within(rating_max),
        enforce_rating_range,
        ..Game::new(id, kind, host, title, featured_mod, GLOBAL.to_owned(), map)
    };
    lobby.timers.set(lobby.now.elapsed + game.setup_timeout(&lobby.settings), Timer::GameSetup(id));
    lobby.games.insert(game);
    lobby.games.mark(id);
    joining::launch_game_process(lobby, conn, id);
}
