//! Decisions of bots that have nothing to do.

use std::fmt::Debug;

use faf_protocol::client_message::{
    AvatarAction, GameHost, GameJoin, GameMatchmaking, InviteToParty, KickPlayerFromParty, ModvaultAction,
    SetPartyFactions, SetPlayerVetoes, SocialSubject, Veto,
};
use faf_protocol::server_message::{GameInfo, Visibility};
use faf_protocol::{BracketId, ClientMessage, Factions, PlayerId, PoolEntryId, Secret};
use rand::RngExt;
use rand::seq::{IndexedRandom, IteratorRandom};

use crate::chance::within;
use crate::view::View;
use crate::{Rng, Shared};

/// Password of all bots' games that have one.
pub const GAME_PASSWORD: &str = "letmein";

/// A password that no bot's game has.
const WRONG_PASSWORD: &str = "letmeout";

/// A busy evening has about one open game for this many players.
const PLAYERS_PER_OPEN_GAME: usize = 8;

/// The largest games seat the players online divided by this: larger ones would not fill.
const LARGEST_GAME_DIVISOR: usize = 4;

/// Decides the next step of an idle bot. The bot asks it again after every [`Wish`], as soon as
/// that is over.
pub trait Behaviour: Debug + Send {
    /// Returns the next wish of the bot with this view of the lobby.
    fn next_wish(&mut self, rng: &mut Rng, view: &View, shared: &Shared) -> Wish;
}

/// A wish of a bot.
#[derive(Debug)]
pub enum Wish {
    /// Wait for now.
    Wait,
    /// Send a message that starts no game, such as a request of the user interface, or a command
    /// of parties.
    Send(ClientMessage),
    /// Accept the invitation of a player to a party.
    Accept(PlayerId),
    /// Search in these queues, by technical name.
    Search(Vec<String>),
    /// Host a game.
    Host(Box<GamePlan>),
    /// Join a game.
    Join(GameJoin),
    /// Log out, and reconnect after this time, in seconds of a bot's life.
    LogOut(f64),
}

/// The kind of a game, which determines teams and results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GameKind {
    /// Two teams.
    Teams,
    /// Every player for themselves; never rated.
    FreeForAll,
    /// All together through a mission.
    Coop,
}

/// Plan for a game that a bot hosts.
#[derive(Debug, Clone)]
pub struct GamePlan {
    /// Kind of the game.
    pub kind: GameKind,
    /// Number of players, including the host.
    pub seats: usize,
    /// Uids of the mods that the game uses.
    pub sim_mods: Vec<String>,
    /// Request to the server.
    pub request: GameHost,
}

/// Returns the request to host a game that everyone may join.
#[must_use]
pub fn public_game(title: &str, featured_mod: &str, map: &str) -> GameHost {
    GameHost {
        visibility: Visibility::Public,
        title: Some(title.to_owned()),
        featured_mod: Some(featured_mod.to_owned()),
        mapname: Some(map.to_owned()),
        password: None,
        rating_min: None,
        rating_max: None,
        enforce_rating_range: false,
    }
}

/// Maps, missions and mods that bots can play.
#[derive(Debug, Default)]
pub struct Content {
    /// Maps for games between players.
    pub maps: Vec<Map>,
    /// Co-op missions.
    pub missions: Vec<Mission>,
    /// Uids of simulation mods.
    pub sim_mods: Vec<String>,
}

/// A version of a map.
#[derive(Debug)]
pub struct Map {
    /// Name for titles of games.
    pub name: String,
    /// Folder that games are hosted with.
    pub folder: String,
    /// Largest number of players.
    pub max_players: usize,
}

/// A co-op mission.
#[derive(Debug)]
pub struct Mission {
    /// Name for titles of games.
    pub name: String,
    /// Folder that games are hosted with.
    pub folder: String,
}

/// Plays everything there is: looks around, forms parties, searches in queues, joins games that
/// fit, hosts if there are too few, and takes breaks.
#[derive(Debug)]
pub struct Sociable;

impl Behaviour for Sociable {
    fn next_wish(&mut self, rng: &mut Rng, view: &View, shared: &Shared) -> Wish {
        let roll = rng.random::<f64>();
        if roll < 0.02 {
            return Wish::LogOut(within(rng, &(20.0..90.0)));
        }
        if roll < 0.08 {
            return Wish::Send(browse(rng, view, shared));
        }
        if let Some(wish) = matchmaking(rng, view, shared) {
            return wish;
        }
        let fitting: Vec<&GameInfo> = view.open_games().filter(|game| fits(game, view, shared)).collect();
        if !fitting.is_empty() && rng.random_bool(0.5) {
            // A game that is nearly full begins soon.
            let fullest = fitting.iter().copied().min_by_key(|game| seats_left(game));
            let game = if rng.random_bool(0.5) { fullest } else { fitting.choose(rng).copied() };
            return game.map_or(Wish::Wait, |game| Wish::Join(join(rng, game, shared)));
        }
        let enough = 1 + view.online() / PLAYERS_PER_OPEN_GAME;
        if view.open_games().count() < enough && rng.random_bool(0.4) {
            let plan = plan(rng, view, &shared.content);
            return plan.map_or(Wish::Send(ClientMessage::CoopList), |plan| Wish::Host(Box::new(plan)));
        }
        Wish::Wait
    }
}

/// Returns the next wish around parties and queues; `None` if the player prefers another game.
fn matchmaking(rng: &mut Rng, view: &View, shared: &Shared) -> Option<Wish> {
    if !view.searches().is_empty() {
        let searched = view.searches().iter().next().cloned();
        return Some(match rng.random_range(0..100) {
            0..6 => Wish::Send(ClientMessage::GameMatchmaking(stop(searched))),
            6..8 => Wish::Send(ClientMessage::LeaveParty),
            8..10 => Wish::Send(choose_factions(rng)),
            10..20 => search(rng, view, shared).unwrap_or(Wish::Wait),
            _ => Wish::Wait,
        });
    }
    let invitation = view.invitation().filter(|sender| is_welcome(*sender, view, shared));
    if let Some(sender) = invitation.filter(|_| rng.random_bool(0.6)) {
        return Some(Wish::Accept(sender));
    }
    let companions = view.companions();
    let roll = rng.random_range(0..100);
    if companions.is_empty() {
        return match roll {
            0..20 => search(rng, view, shared),
            20..31 if view.queues().any(|(_, team_size)| team_size > 1) => invite(rng, view, shared),
            31..33 => Some(Wish::Send(choose_factions(rng))),
            _ => None,
        };
    }
    if view.party_owner() != view.me {
        // Guests of a party wait for its owner, and leave it in the end.
        return match roll {
            0..5 => Some(Wish::Send(ClientMessage::LeaveParty)),
            5..10 => Some(Wish::Send(choose_factions(rng))),
            10..80 => Some(Wish::Wait),
            _ => None,
        };
    }
    match roll {
        0..50 => search(rng, view, shared),
        50..65 => invite(rng, view, shared),
        65..68 => Some(Wish::Send(ClientMessage::LeaveParty)),
        68..71 => companions.choose(rng).map(|kicked| {
            let kicked_player_id = *kicked;
            Wish::Send(ClientMessage::KickPlayerFromParty(KickPlayerFromParty { kicked_player_id }))
        }),
        71..85 => Some(Wish::Wait),
        _ => None,
    }
}

/// Searches in one or more queues that have room for the whole party. Nothing but asking tells
/// which queues there are.
fn search(rng: &mut Rng, view: &View, shared: &Shared) -> Option<Wish> {
    if shared.settings.among_people {
        return None;
    }
    if view.queues().next().is_none() {
        return Some(Wish::Send(ClientMessage::MatchmakerInfo));
    }
    let players = view.companions().len() + 1;
    let fitting: Vec<&str> =
        view.queues().filter(|(_, team_size)| *team_size >= players).map(|(name, _)| name).collect();
    let mut chosen: Vec<String> =
        fitting.iter().filter(|_| rng.random_bool(0.3)).map(|name| (*name).to_owned()).collect();
    if chosen.is_empty() {
        chosen.push((*fitting.choose(rng)?).to_owned());
    }
    Some(Wish::Search(chosen))
}

fn stop(queue_name: Option<String>) -> GameMatchmaking {
    GameMatchmaking { state: "stop".to_owned(), queue_name, featured_mod: None, faction: None }
}

/// Returns whether a bot has dealings with a player: among people, only with bots.
fn is_welcome(player: PlayerId, view: &View, shared: &Shared) -> bool {
    !shared.settings.among_people || view.login(player).is_some_and(|login| shared.is_bot(login))
}

/// Returns the other players with whom a bot has dealings, by number.
fn others(view: &View, shared: &Shared) -> Vec<PlayerId> {
    let mut others = view.others();
    others.retain(|player| is_welcome(*player, view, shared));
    others
}

/// Invites a friend, or anybody.
fn invite(rng: &mut Rng, view: &View, shared: &Shared) -> Option<Wish> {
    let others = others(view, shared);
    let online: Vec<PlayerId> =
        view.friends.iter().copied().filter(|friend| others.binary_search(friend).is_ok()).collect();
    let of_friends = !online.is_empty() && rng.random_bool(0.7);
    let recipient_id = *if of_friends { online } else { others }.choose(rng)?;
    Some(Wish::Send(ClientMessage::InviteToParty(InviteToParty { recipient_id })))
}

fn choose_factions(rng: &mut Rng) -> ClientMessage {
    let mut factions: Factions = Factions::default().iter().filter(|_| rng.random_bool(0.5)).collect();
    if factions.is_empty() {
        factions = Factions::default();
    }
    ClientMessage::SetPartyFactions(SetPartyFactions { factions })
}

/// Returns whether a bot may and would like to join a game. It does not try games with a password
/// it cannot know.
fn fits(game: &GameInfo, view: &View, shared: &Shared) -> bool {
    let rating = view.me.map_or(0.0, |me| view.displayed_rating(me));
    let is_of_bot = shared.is_bot(&game.host);
    seats_left(game) > 0
        && (is_of_bot || !shared.settings.among_people)
        && game.rating_min.is_none_or(|min| rating >= min)
        && game.rating_max.is_none_or(|max| rating <= max)
        && (!game.password_protected || is_of_bot)
}

fn seats_left(game: &GameInfo) -> i64 {
    game.max_players - i64::try_from(game.num_players).unwrap_or(i64::MAX)
}

/// Returns the request to join a game, now and then with a wrong password.
fn join(rng: &mut Rng, game: &GameInfo, shared: &Shared) -> GameJoin {
    let password = game.password_protected.then(|| {
        let is_wrong = rng.random_bool(shared.settings.incidents);
        Secret::new(if is_wrong { WRONG_PASSWORD } else { GAME_PASSWORD })
    });
    GameJoin { uid: game.uid, password }
}

/// Returns a request of the user interface.
fn browse(rng: &mut Rng, view: &View, shared: &Shared) -> ClientMessage {
    let somebody = others(view, shared).choose(rng).copied();
    let friend = |friend| SocialSubject { friend, foe: None };
    let foe = |foe| SocialSubject { friend: None, foe };
    match rng.random_range(0..14) {
        0 => ClientMessage::CoopList,
        1 => ClientMessage::Modvault(ModvaultAction::Start),
        2 => rate_mod(rng, view, shared),
        3 => ClientMessage::Avatar(AvatarAction::List),
        4 => ClientMessage::MatchmakerInfo,
        5 => ClientMessage::IceServers,
        6 => choose_vetoes(rng),
        7 => ClientMessage::Ping,
        // Bots remove relations as well, so that no bot ends up as everyone's friend or foe.
        8 | 9 if !view.friends.is_empty() => {
            ClientMessage::SocialRemove(friend(view.friends.choose(rng).copied()))
        }
        10 if !view.foes.is_empty() => ClientMessage::SocialRemove(foe(view.foes.choose(rng).copied())),
        10 if somebody.is_some() => ClientMessage::SocialAdd(foe(somebody)),
        _ if somebody.is_some() => ClientMessage::SocialAdd(friend(somebody)),
        _ => ClientMessage::Ping,
    }
}

/// Likes a mod or counts a download; asks for mods if none is known.
fn rate_mod(rng: &mut Rng, view: &View, shared: &Shared) -> ClientMessage {
    let uid = view.mods().iter().choose(rng).filter(|_| !shared.settings.among_people).cloned();
    ClientMessage::Modvault(match uid {
        Some(uid) if rng.random_bool(0.5) => ModvaultAction::Like { uid },
        Some(uid) => ModvaultAction::Download { uid },
        None => ModvaultAction::Start,
    })
}

/// Chooses maps that the bot does not want to play. No message of the lobby tells their numbers, so
/// these are those of small databases; a server ignores numbers that it does not know.
fn choose_vetoes(rng: &mut Rng) -> ClientMessage {
    let veto = |rng: &mut Rng| Veto {
        bracket: BracketId(rng.random_range(1..=4)),
        entry: PoolEntryId(rng.random_range(1..=16)),
        tokens: 1,
    };
    let vetoes = (0..rng.random_range(0..4)).map(|_| veto(rng)).collect();
    ClientMessage::SetPlayerVetoes(SetPlayerVetoes { vetoes })
}

/// Returns a plan for a game; `None` if it would be a mission and none is known.
fn plan(rng: &mut Rng, view: &View, content: &Content) -> Option<GamePlan> {
    let most = (view.online() / LARGEST_GAME_DIVISOR).max(2);
    let (kind, seats) = match rng.random_range(0..100) {
        0..10 => (GameKind::Coop, rng.random_range(2..=4)),
        10..16 => (GameKind::FreeForAll, rng.random_range(3..=6)),
        16..46 => (GameKind::Teams, 2),
        46..72 => (GameKind::Teams, 4),
        72..88 => (GameKind::Teams, 6),
        _ => (GameKind::Teams, 8),
    };
    let seats = match kind {
        GameKind::Teams => seats.min(most / 2 * 2),
        _ => seats.min(most),
    };
    let (map, name) = match kind {
        GameKind::Coop => {
            let missions = if content.missions.is_empty() { view.missions() } else { &content.missions };
            let mission = missions.choose(rng)?;
            (mission.folder.as_str(), mission.name.as_str())
        }
        _ => {
            let fits = |map: &&Map| (seats..=seats + 4).contains(&map.max_players);
            let maps: Vec<&Map> = content.maps.iter().filter(fits).collect();
            maps.choose(rng).map_or(("", ""), |map| (map.folder.as_str(), map.name.as_str()))
        }
    };
    let featured_mod = match kind {
        GameKind::Coop => "coop",
        _ if rng.random_bool(0.05) => "nomads",
        _ if rng.random_bool(0.05) => "fafdevelop",
        _ => "faf",
    };
    let sim_mods = match kind {
        GameKind::Coop => Vec::new(),
        _ if rng.random_bool(0.08) => {
            let known = content.sim_mods.choose(rng).or_else(|| view.mods().iter().choose(rng));
            known.cloned().into_iter().collect()
        }
        _ => Vec::new(),
    };
    let mut request = public_game("", featured_mod, map);
    let mut remark = "";
    match rng.random_range(0..100) {
        0..8 if view.friends.len() + 1 >= seats => {
            request.visibility = Visibility::Friends;
            remark = " (friends)";
        }
        8..18 => {
            request.password = Some(Secret::new(GAME_PASSWORD));
            remark = " (you know the password)";
        }
        18..38 if kind == GameKind::Teams => {
            // People choose bounds around their own rating, in round numbers.
            let mine = view.me.map_or(0.0, |me| view.displayed_rating(me));
            let reach = within(rng, &(300.0..700.0));
            // No rating is displayed far below zero, so a bound there would have no effect.
            request.rating_min = Some(round(mine - reach)).filter(|min| *min > 0.0);
            let is_bounded = request.rating_min.is_some() && rng.random_bool(0.5);
            request.rating_max = (!is_bounded).then(|| round(mine.max(0.0) + reach));
            request.enforce_rating_range = rng.random_bool(0.5);
        }
        _ => {}
    }
    request.title = Some(title(rng, kind, seats, name, &request) + remark);
    Some(GamePlan { kind, seats, sim_mods, request })
}

fn round(rating: f64) -> f64 {
    (rating / 100.0).round() * 100.0
}

/// Returns a title as people write them.
fn title(rng: &mut Rng, kind: GameKind, seats: usize, map: &str, request: &GameHost) -> String {
    match (request.rating_min, request.rating_max) {
        (Some(min), Some(max)) => return format!("{0}v{0} {map} {min}-{max}", seats / 2),
        (Some(min), None) => return format!("{0}v{0} {map} {min}+", seats / 2),
        (None, Some(max)) => return format!("{0}v{0} {map}, up to {max}", seats / 2),
        (None, None) => {}
    }
    let remarks: &[&str] = match kind {
        GameKind::Coop => {
            &["co-op, all welcome", "achievement run", "first try, be patient", "hard, no restarts"]
        }
        GameKind::FreeForAll => &["ffa", "ffa, no teaming", "last one standing"],
        GameKind::Teams => {
            &["all welcome", "chill game", "balanced teams", "no rush please", "quick one", "gg", "tryhards"]
        }
    };
    let remark = remarks.choose(rng).copied().unwrap_or_default();
    match kind {
        GameKind::Teams => format!("{0}v{0} {map}, {remark}", seats / 2),
        _ => format!("{map} - {remark}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use faf_protocol::server_message::{GameType, ServerMessage};
    use rand::SeedableRng;

    use super::*;
    use crate::fixture::shared;

    /// Returns a lobby with this many players, as seen by the first, whose displayed rating
    /// is 1100.
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
        view.handle(&read(&format!(r#"{{"command":"player_info","players":[{list}]}}"#)));
        view.me = Some(PlayerId(1));
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
        let shared = shared();
        let joins = |change: &dyn Fn(&mut GameInfo)| {
            let mut view = view(8);
            view.handle(&open_game(5, change));
            view.open_games().next().is_some_and(|game| fits(game, &view, &shared))
        };
        assert!(joins(&|_| {}));
        assert!(!joins(&|game| game.num_players = 2));
        assert!(joins(&|game| game.rating_min = Some(1100.0)));
        assert!(!joins(&|game| game.rating_min = Some(1200.0)));
        assert!(!joins(&|game| game.rating_max = Some(1000.0)));
        assert!(!joins(&|game| game.game_type = GameType::Matchmaker));
        assert!(joins(&|game| game.password_protected = true));
        assert!(!joins(&|game| {
            game.password_protected = true;
            game.host = "demo".to_owned();
        }));
    }

    #[test]
    fn every_wish_occurs() {
        let (shared, mut view, mut rng) = (shared(), view(40), Rng::seed_from_u64(1));
        view.handle(&read(
            r#"{"command":"matchmaker_info","queues":[{"queue_name":"q","queue_pop_time":"t","queue_pop_time_delta":1,"num_players":0,"boundary_80s":[],"boundary_75s":[],"team_size":2}]}"#,
        ));
        view.handle(&read(r#"{"command":"party_invite","sender":2}"#));
        let mut seen = [0; 6];
        for _ in 0..500 {
            seen[match Sociable.next_wish(&mut rng, &view, &shared) {
                Wish::Wait => 0,
                Wish::Send(_) => 1,
                Wish::Host(_) => 2,
                Wish::LogOut(_) => 3,
                Wish::Accept(sender) => {
                    assert_eq!(sender, PlayerId(2));
                    4
                }
                Wish::Search(queues) => {
                    assert_eq!(queues, ["q"]);
                    5
                }
                Wish::Join(_) => panic!("there is no game"),
            }] += 1;
        }
        assert!(seen.iter().all(|times| *times > 0), "{seen:?}");
        view.handle(&open_game(5, |_| {}));
        assert!((0..50).any(|_| matches!(Sociable.next_wish(&mut rng, &view, &shared), Wish::Join(_))));
    }

    #[test]
    fn plans_can_be_hosted_in_a_lobby_of_any_size() {
        let shared = shared();
        for players in [1, 3, 8, 40] {
            let (view, mut rng) = (view(players), Rng::seed_from_u64(7));
            for _ in 0..300 {
                let plan = plan(&mut rng, &view, &shared.content).unwrap();
                let title = plan.request.title.clone().unwrap();
                assert!(title.is_ascii() && title.len() <= 128 && !title.contains('{'), "{title}");
                assert!(!plan.request.mapname.unwrap().is_empty(), "{title}");
                assert!((2..=(players as usize / 4).max(2)).contains(&plan.seats), "{title}");
                assert!(plan.kind != GameKind::Teams || plan.seats.is_multiple_of(2), "{title}");
            }
        }
    }
}
