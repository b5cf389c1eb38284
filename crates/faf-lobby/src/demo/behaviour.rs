//! What bots do next, when they have nothing to do.

use faf_protocol::client_message::{AvatarAction, GameHost, GameJoin, ModvaultAction, SocialSubject};
use faf_protocol::server_message::{GameInfo, Visibility};
use faf_protocol::{ClientMessage, Secret};
use fastrand::Rng;

use super::seed::Stage;
use super::tempo::{happens, one_of, within};
use super::view::View;

/// Opens the bots' games that have a password.
pub const GAME_PASSWORD: &str = "letmein";

/// One open game for so many players is about what there is on a busy evening.
const PLAYERS_PER_OPEN_GAME: usize = 8;

/// Most players of a game, as a part of all: larger ones would not fill.
const LARGEST_SHARE: usize = 4;

/// What a bot wants to do.
#[derive(Debug)]
pub(super) enum Wish {
    /// Nothing for now.
    Wait,
    /// Ask the server something, or tell it something, that a client does by the way.
    Browse(ClientMessage),
    Host(Box<GamePlan>),
    Join(GameJoin),
    LogOut,
}

/// What kind of game it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Two teams.
    Teams,
    /// Everybody against everybody; never rated.
    FreeForAll,
    /// All together through a mission.
    Coop,
}

/// A game that a bot is about to host.
#[derive(Debug, Clone)]
pub(super) struct GamePlan {
    pub(super) kind: Kind,
    pub(super) seats: usize,
    pub(super) sim_mods: Vec<String>,
    pub(super) request: GameHost,
}

/// What a bot without anything to do wants to do next.
pub(super) fn next_wish(rng: &mut Rng, view: &View, stage: &Stage) -> Wish {
    let roll = rng.f64();
    if roll < 0.02 {
        return Wish::LogOut;
    }
    if roll < 0.08 {
        return Wish::Browse(browse(rng, view));
    }
    let fitting: Vec<&GameInfo> = view.open_games().filter(|game| fits(game, view, stage)).collect();
    if !fitting.is_empty() && happens(rng, 0.5) {
        // Whoever joins a game that is nearly full plays soon.
        let fullest = fitting.iter().copied().min_by_key(|game| seats_left(game));
        let game = if happens(rng, 0.5) { fullest } else { one_of(rng, &fitting).copied() };
        return game.map_or(Wish::Wait, |game| Wish::Join(join(game)));
    }
    let enough = 1 + view.online() / PLAYERS_PER_OPEN_GAME;
    if view.open_games().count() < enough && happens(rng, 0.4) {
        return Wish::Host(Box::new(plan(rng, view, stage)));
    }
    Wish::Wait
}

/// Whether a bot may and would like to join a game. A game with an unknown password is none of its business.
fn fits(game: &GameInfo, view: &View, stage: &Stage) -> bool {
    let rating = view.me.map_or(0.0, |me| view.displayed_rating(me));
    seats_left(game) > 0
        && game.rating_min.is_none_or(|min| rating >= min)
        && game.rating_max.is_none_or(|max| rating <= max)
        && (!game.password_protected || stage.is_cast(&game.host))
}

fn seats_left(game: &GameInfo) -> i64 {
    game.max_players - i64::try_from(game.num_players).unwrap_or(i64::MAX)
}

fn join(game: &GameInfo) -> GameJoin {
    GameJoin { uid: game.uid, password: game.password_protected.then(|| Secret::new(GAME_PASSWORD)) }
}

fn browse(rng: &mut Rng, view: &View) -> ClientMessage {
    let somebody = one_of(rng, &view.others()).copied();
    let friend = |friend| SocialSubject { friend, foe: None };
    match rng.u8(..6) {
        0 => ClientMessage::CoopList,
        1 => ClientMessage::Modvault(ModvaultAction::Start),
        2 => ClientMessage::Avatar(AvatarAction::List),
        3 => ClientMessage::MatchmakerInfo,
        // Friends come and go, so that nobody is everybody's friend in the end.
        4 if !view.friends.is_empty() => {
            ClientMessage::SocialRemove(friend(one_of(rng, &view.friends).copied()))
        }
        _ if somebody.is_some() => ClientMessage::SocialAdd(friend(somebody)),
        _ => ClientMessage::Ping,
    }
}

fn plan(rng: &mut Rng, view: &View, stage: &Stage) -> GamePlan {
    let most = (view.online() / LARGEST_SHARE).max(2);
    let (kind, seats) = match rng.u8(..100) {
        0..10 => (Kind::Coop, rng.usize(2..=4)),
        10..16 => (Kind::FreeForAll, rng.usize(3..=6)),
        16..46 => (Kind::Teams, 2),
        46..72 => (Kind::Teams, 4),
        72..88 => (Kind::Teams, 6),
        _ => (Kind::Teams, 8),
    };
    let seats = match kind {
        Kind::Teams => seats.min(most / 2 * 2),
        _ => seats.min(most),
    };
    let (map, name) = match kind {
        Kind::Coop => {
            one_of(rng, &stage.coop_maps).map_or(("", ""), |mission| (mission.folder(), &mission.name))
        }
        _ => {
            let maps: Vec<_> = stage
                .maps
                .iter()
                .filter(|map| map.max_players >= seats && map.max_players <= seats + 4)
                .collect();
            one_of(rng, &maps).map_or(("", ""), |map| (map.folder(), &map.display_name))
        }
    };
    let featured_mod = match kind {
        Kind::Coop => "coop",
        _ if happens(rng, 0.05) => "nomads",
        _ if happens(rng, 0.05) => "fafdevelop",
        _ => "faf",
    };
    let sim_mods = match kind {
        Kind::Coop => Vec::new(),
        _ if happens(rng, 0.08) => {
            one_of(rng, &stage.sim_mods()).map(|uid| (*uid).to_owned()).into_iter().collect()
        }
        _ => Vec::new(),
    };
    let mut request = GameHost {
        visibility: Visibility::Public,
        title: None,
        featured_mod: Some(featured_mod.to_owned()),
        mapname: Some(map.to_owned()),
        password: None,
        rating_min: None,
        rating_max: None,
        enforce_rating_range: false,
    };
    let mut remark = "";
    match rng.u8(..100) {
        0..8 if view.friends.len() >= seats => {
            request.visibility = Visibility::Friends;
            remark = " (friends)";
        }
        8..18 => {
            request.password = Some(Secret::new(GAME_PASSWORD));
            remark = " (you know the password)";
        }
        18..38 if kind == Kind::Teams => {
            // Bounds that people choose: around themselves, in round numbers.
            let mine = view.me.map_or(0.0, |me| view.displayed_rating(me));
            let reach = within(rng, 300.0..700.0);
            // Nobody is displayed far below zero, so a bound there would be none.
            request.rating_min = Some(round(mine - reach)).filter(|min| *min > 0.0);
            let is_bounded = request.rating_min.is_some() && happens(rng, 0.5);
            request.rating_max = (!is_bounded).then(|| round(mine.max(0.0) + reach));
            request.enforce_rating_range = happens(rng, 0.5);
        }
        _ => {}
    }
    request.title = Some(title(rng, kind, seats, name, &request) + remark);
    GamePlan { kind, seats, sim_mods, request }
}

fn round(rating: f64) -> f64 {
    (rating / 100.0).round() * 100.0
}

/// A title as people write them.
fn title(rng: &mut Rng, kind: Kind, seats: usize, map: &str, request: &GameHost) -> String {
    match (request.rating_min, request.rating_max) {
        (Some(min), Some(max)) => return format!("{0}v{0} {map} {min}-{max}", seats / 2),
        (Some(min), None) => return format!("{0}v{0} {map} {min}+", seats / 2),
        (None, Some(max)) => return format!("{0}v{0} {map}, up to {max}", seats / 2),
        (None, None) => {}
    }
    let remarks: &[&str] = match kind {
        Kind::Coop => {
            &["co-op, all welcome", "achievement run", "first try, be patient", "hard, no restarts"]
        }
        Kind::FreeForAll => &["ffa", "ffa, no teaming", "last one standing"],
        Kind::Teams => {
            &["all welcome", "chill game", "balanced teams", "no rush please", "quick one", "gg", "tryhards"]
        }
    };
    let remark = one_of(rng, remarks).copied().unwrap_or_default();
    match kind {
        Kind::Teams => format!("{0}v{0} {map}, {remark}", seats / 2),
        _ => format!("{map} - {remark}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use faf_protocol::server_message::ServerMessage;

    use super::*;

    /// A lobby with the first players of the cast; the one who looks is displayed with 1100.
    fn view(players: u32) -> View {
        let mut view = View::default();
        let list = (1..=players)
            .map(|id| {
                format!(
                    r#"{{"id":{id},"login":"P{id}","country":"","ratings":{{"global":{{"rating":[1400,100],"number_of_games":3}}}},"global_rating":[1400,100],"ladder_rating":[1500,500],"number_of_games":3}}"#
                )
            })
            .collect::<Vec<_>>()
            .join(",");
        view.hear(&read(&format!(r#"{{"command":"player_info","players":[{list}]}}"#)));
        view.me = Some(faf_protocol::PlayerId(1));
        view
    }

    fn read(text: &str) -> ServerMessage {
        ServerMessage::read(text.parse().unwrap()).unwrap()
    }

    fn open_game(uid: u32, change: impl FnOnce(&mut GameInfo)) -> ServerMessage {
        let text = format!(
            r#"{{"command":"game_info","visibility":"public","password_protected":false,"uid":{uid},"title":"t","state":"open","game_type":"custom","featured_mod":"faf","sim_mods":{{}},"mapname":"m","map_file_path":"maps/m.zip","host":"Lumo","num_players":1,"max_players":2,"hosted_at":null,"launched_at":null,"rating_type":"global","rating_min":null,"rating_max":null,"enforce_rating_range":false,"teams_ids":[],"teams":{{}}}}"#
        );
        let ServerMessage::GameInfo(mut game) = read(&text) else { panic!("no game") };
        change(Arc::make_mut(&mut game));
        ServerMessage::GameInfo(game)
    }

    #[test]
    fn bots_join_what_fits_and_nothing_else() {
        let stage = Stage::read();
        let joins = |change: &dyn Fn(&mut GameInfo)| {
            let mut view = view(8);
            view.hear(&open_game(5, change));
            view.open_games().next().is_some_and(|game| fits(game, &view, &stage))
        };
        assert!(joins(&|_| {}));
        assert!(!joins(&|game| game.num_players = 2));
        assert!(joins(&|game| game.rating_min = Some(1100.0)));
        assert!(!joins(&|game| game.rating_min = Some(1200.0)));
        assert!(!joins(&|game| game.rating_max = Some(1000.0)));
        assert!(joins(&|game| game.password_protected = true));
        assert!(!joins(&|game| {
            game.password_protected = true;
            game.host = "demo".to_owned();
        }));
    }

    #[test]
    fn whoever_looks_long_enough_does_everything() {
        let (stage, mut view, mut rng) = (Stage::read(), view(40), Rng::with_seed(1));
        let mut seen = [0; 5];
        for _ in 0..500 {
            seen[match next_wish(&mut rng, &view, &stage) {
                Wish::Wait => 0,
                Wish::Browse(_) => 1,
                Wish::Host(_) => 2,
                Wish::LogOut => 3,
                Wish::Join(_) => panic!("there is no game"),
            }] += 1;
        }
        assert!(seen[..4].iter().all(|times| *times > 0), "{seen:?}");
        view.hear(&open_game(5, |_| {}));
        assert!((0..50).any(|_| matches!(next_wish(&mut rng, &view, &stage), Wish::Join(_))));
    }

    #[test]
    fn plans_can_be_hosted_in_a_lobby_of_any_size() {
        let stage = Stage::read();
        for players in [1, 3, 8, 40] {
            let (view, mut rng) = (view(players), Rng::with_seed(7));
            for _ in 0..300 {
                let plan = plan(&mut rng, &view, &stage);
                let title = plan.request.title.clone().unwrap();
                assert!(title.is_ascii() && title.len() <= 128 && !title.contains('{'), "{title}");
                assert!(!plan.request.mapname.unwrap().is_empty(), "{title}");
                assert!((2..=(players as usize / 4).max(2)).contains(&plan.seats), "{title}");
                assert!(plan.kind != Kind::Teams || plan.seats.is_multiple_of(2), "{title}");
            }
        }
    }
}
