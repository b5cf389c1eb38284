//! `game_host`: opens a game (games.md section 1.1).

use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::client_message::GameHost;
use faf_protocol::{ClientCommand, GameId, Secret};
use serde::{Deserialize, Serialize};

use crate::client_text::quoted;
use crate::commands::Progress;
use crate::commands::entry::{BanCheck, Entry, check_can_play};
use crate::effect::Count;
use crate::event::ConnId;
use crate::game_options::{GameKind, GameOptions};
use crate::games::{self, FeaturedMod, Game, GameState, Host, Map};
use crate::io::records::MapVersion;
use crate::io::request::{FindBan, OpenGame, ReplyTo};
use crate::limits::Limit;
use crate::maps::is_map_folder;
use crate::pending::Resume;
use crate::ratings::GLOBAL;
use crate::refusal::Refusal;
use crate::texts;
use crate::timers::Timer;
use crate::world::World;

/// What is hosted if the client does not say.
const DEFAULT_MOD: &str = "faf";
const DEFAULT_MAP: &str = "scmp_007";

/// The featured mod of co-op games.
const COOP: &str = "coop";

/// Longest password, in bytes.
const PASSWORD_LIMIT: usize = 1000;

/// Bounds of ratings beyond this are taken for this: no rating comes near, and clients read them as 32-bit integers.
const RATING_BOUND_MAX: f64 = 1_000_000.0;

/// What is remembered while the map is looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Opening {
    request: GameHost,
    id: GameId,
    title: String,
    folder: String,
    featured_mod: FeaturedMod,
}

pub(crate) fn handle(world: &mut World, conn: ConnId, request: GameHost) -> Result<Progress, Refusal> {
    check_can_play(world, conn, Entry::Host)?;
    let player = world.player_of(conn);
    world.request(conn, FindBan { player }, BanCheck::Host(Box::new(request)))
}

/// The player may play, and is not banned.
pub(crate) fn open(world: &mut World, conn: ConnId, request: GameHost) -> Result<Progress, Refusal> {
    let title = match request.title.as_deref().filter(|title| !title.is_empty()) {
        Some(title) => title.to_owned(),
        None => {
            let host = world.players.get(world.player_of(conn)).map(|online| online.info.login.clone());
            format!("{}'s game", host.unwrap_or_default())
        }
    };
    let title = games::title(&title).map_err(Refusal::declined)?;
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
    let Some(id) = world.data.featured_mods.get(&name).copied() else {
        return Err(Refusal::declined(texts::unknown_featured_mod(&quoted(name))));
    };
    let featured_mod = FeaturedMod { id, name };
    let player = world.player_of(conn);
    if !world.limits.host(player, world.now.elapsed) {
        world.count(Count::Limited(Limit::HostedGames));
        return Err(Refusal::declined(texts::TOO_MANY_GAMES));
    }
    let Some(id) = world.games.next_id() else { return Err(Refusal::declined(texts::NO_MORE_GAMES)) };
    let memo = Opening { request, id, title, folder: folder.clone(), featured_mod };
    world.request(conn, OpenGame { host: player, game: id, folder }, Box::new(memo))
}

impl Resume for OpenGame {
    type Memo = Box<Opening>;

    fn resume(
        memo: Box<Opening>,
        world: &mut World,
        conn: ConnId,
        reply: ReplyTo<Self>,
    ) -> Result<Progress, Refusal> {
        let map = reply?;
        check_can_play(world, conn, Entry::Host)?;
        if world.is_draining() {
            return Err(Refusal::Disabled { request: ClientCommand::GameHost.name() });
        }
        insert(world, conn, *memo, map);
        Ok(Progress::Done)
    }

    fn secret(memo: &mut Box<Opening>) -> Option<&mut Secret> {
        memo.request.password.as_mut()
    }
}

/// Nothing is in the way: from here on there is a game.
fn insert(
    world: &mut World,
    conn: ConnId,
    Opening { request, id, title, folder, featured_mod }: Opening,
    found: Option<MapVersion>,
) {
    let player = world.player_of(conn);
    let Some(host) = world.players.get(player) else { return };
    let host = Host {
        id: host.info.id,
        login: host.info.login.clone(),
        friends: host.friends.clone(),
        foes: host.foes.clone(),
    };
    let kind = if featured_mod.name == COOP { GameKind::Coop } else { GameKind::Custom };
    let GameHost { visibility, password, rating_min, rating_max, enforce_rating_range, .. } = request;
    let within = |bound: Option<f64>| bound.map(|bound| bound.clamp(-RATING_BOUND_MAX, RATING_BOUND_MAX));
    let password = password.filter(|password| !password.reveal().is_empty());
    let mut map = Map::unknown(folder);
    map.look_up(found);
    let game = Game {
        id,
        kind,
        state: GameState::Initializing,
        host,
        title,
        visibility,
        is_password_protected: password.is_some(),
        password,
        featured_mod,
        leaderboard: GLOBAL.to_owned(),
        rating_min: within(rating_min),
        rating_max: within(rating_max),
        enforce_rating_range,
        map,
        options: GameOptions::new(kind),
        mods: BTreeMap::new(),
        unlisted_mod: None,
        slots: BTreeMap::new(),
        ais: BTreeMap::new(),
        members: Vec::new(),
        noted: BTreeSet::new(),
        lost: BTreeSet::new(),
        launching: BTreeSet::new(),
        hosted_at: None,
        is_told: false,
        live: None,
    };
    world.timers.set(world.now.elapsed + game.setup_timeout(&world.settings), Timer::GameSetup(id));
    world.games.insert(game);
    world.games.mark(id);
    world.launch_game_process(conn, id);
}
