//! Some evenings, and proof that each law detects a violation: the tests feed forged events and
//! effects to the checker.
//!
//! Many more evenings are played by `cargo run -p faf-testkit --release -- simulate --seeds 500`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod matches;

use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::request::{CheckToken, ListCoopMissions, SetRelation, SignIn, StoreGame};
use faf_lobby_core::{
    Account, Audience, ConnId, Effect, Event, GamePublications, GameState, GameWrite, HoldReason, LogLine,
    Profile, Relation, RequestId, RequestKind, Settings, Ticket,
};
use faf_protocol::client_message::ClientMessage;
use faf_protocol::gpgnet::{GpgNetMessage, ServerToGame};
use faf_protocol::server_message::{GameInfo, GameLaunch, GameList, Player, PlayerList, ServerMessage};
use faf_protocol::{Country, GameId, Message, PlayerId, Secret, SessionNumber};
use faf_testkit::simulation::invariants::{Checker, Law, Seen, SeenGame, Size, Violation};
use faf_testkit::simulation::{Evening, Plan, run_many};
use faf_testkit::store::FakeStore;

#[test]
fn evenings_keep_the_laws() {
    let plan = Plan { players: 60, length: Duration::from_secs(900), ..Plan::new(1_000_000) };
    let many = run_many(plan, 12, 2);
    if let Some(failure) = many.failures.first() {
        panic!("{failure}");
    }
    assert_eq!(many.evenings, 12);
}

#[test]
fn same_seed_gives_the_same_evening() {
    let plan =
        |seed| Plan { players: 50, length: Duration::from_secs(600), is_digested: true, ..Plan::new(seed) };
    let evening = |seed| Evening::play(plan(seed)).unwrap();
    let (first, again, other) = (evening(7), evening(7), evening(8));
    assert_eq!(first.digest, again.digest);
    assert_eq!(first.coverage, again.coverage);
    assert_ne!(first.digest, other.digest);
}

/// A checker without a lobby: the tests make up all events and effects.
#[derive(Default)]
struct Forged {
    checker: Checker,
    now: Duration,
    last_request: u64,
    games: Seen,
}

const ADA: (ConnId, PlayerId) = (ConnId(1), PlayerId(1));
const BOB: (ConnId, PlayerId) = (ConnId(2), PlayerId(2));
const CEM: (ConnId, PlayerId) = (ConnId(3), PlayerId(3));
const GAME: GameId = GameId(5);

type Outcome = Result<(), Violation>;

impl Forged {
    /// Creates a state with Ada, Bob and Cem online; Cem is a foe of Ada.
    fn new() -> Self {
        let mut forged = Self::default();
        for (conn, player) in [ADA, BOB, CEM] {
            let foes = if player == ADA.1 { vec![CEM.1] } else { Vec::new() };
            forged.log_in(conn, player, foes).unwrap();
        }
        forged
    }

    fn step(&mut self, event: Option<&Event>, effects: &[Effect]) -> Outcome {
        self.now += Duration::from_millis(10);
        self.checker.step(self.now, event, effects, Some(self.games.clone()))
    }

    fn does(&mut self, effects: &[Effect]) -> Outcome {
        self.step(None, effects)
    }

    fn connect(&mut self, conn: ConnId) -> Outcome {
        let session = SessionNumber(1);
        self.step(Some(&Event::Connected { conn, address: None, country: Country::UNKNOWN, session }), &[])
    }

    fn request<R: RequestKind>(&mut self, conn: Option<ConnId>, request: R) -> Ticket<R> {
        self.last_request += 1;
        let ticket = Ticket::new(RequestId(self.last_request));
        self.does(&[Effect::Request { conn, request: request.request(ticket) }]).unwrap();
        ticket
    }

    fn log_in(&mut self, conn: ConnId, player: PlayerId, foes: Vec<PlayerId>) -> Outcome {
        self.connect(conn)?;
        let ticket = self.request(Some(conn), CheckToken { token: Secret::new("t") });
        let account = Account { id: player, login: format!("p{player}"), ban: None };
        self.step(Some(&Event::Replied { reply: ticket.reply(Ok(Ok(Some(account)))) }), &[])?;
        let ticket = self.request(Some(conn), SignIn { player, address: None, user_agent: None });
        let profile = Profile {
            avatar: None,
            clan: None,
            ratings: Vec::new(),
            groups: Vec::new(),
            friends: Vec::new(),
            foes,
            ban: None,
        };
        let reply = ticket.reply(Ok(Box::new(profile)));
        self.step(Some(&Event::Replied { reply }), &[Effect::LoggedIn { conn }])
    }

    /// A client sends a message, and the lobby reacts at once.
    fn send(&mut self, conn: ConnId, text: &str, effects: &[Effect]) -> Outcome {
        let message = ClientMessage::read(text.parse::<Message>().unwrap());
        let mut effects = effects.to_vec();
        effects.push(Effect::Done { conn });
        self.step(Some(&Event::Received { conn, message }), &effects)
    }

    fn game(&mut self, state: GameState, members: &[PlayerId]) {
        let is_listed = matches!(state, GameState::Lobby | GameState::Live);
        self.games.insert(GAME, SeenGame { state, host: ADA.1, is_listed, members: members.to_vec() });
    }

    /// Creates a state in which Ada hosts an open game with these properties.
    fn hosted(more: &str) -> Self {
        let mut forged = Self::new();
        forged.game(GameState::Initializing, &[]);
        let host = format!(r#"{{"command":"game_host","visibility":"public"{more}}}"#);
        forged.send(ADA.0, &host, &[launch(ADA.0)]).unwrap();
        forged.game(GameState::Lobby, &[ADA.1]);
        let idle = r#"{"target":"game","command":"GameState","args":["Idle"]}"#;
        forged.send(ADA.0, idle, &[]).unwrap();
        forged
    }

    /// Creates a state in which Bob has joined that game.
    fn joined() -> Self {
        let mut forged = Self::hosted("");
        forged.send(BOB.0, &join(""), &[launch(BOB.0)]).unwrap();
        forged.game(GameState::Lobby, &[ADA.1, BOB.1]);
        forged.does(&introduction()).unwrap();
        forged
    }
}

fn join(more: &str) -> String {
    format!(r#"{{"command":"game_join","uid":{GAME}{more}}}"#)
}

fn one(conn: ConnId, message: ServerMessage) -> Effect {
    Effect::Send { to: Audience::One(conn), message }
}

fn launch(conn: ConnId) -> Effect {
    let json = format!(
        r#"{{"args":["/numgames",0],"uid":{GAME},"mod":"faf","name":"x","init_mode":0,"game_type":"custom","rating_type":"global"}}"#
    );
    one(conn, ServerMessage::GameLaunch(serde_json::from_str::<GameLaunch>(&json).unwrap()))
}

fn info(state: &str) -> Arc<GameInfo> {
    let json = format!(
        r#"{{"visibility":"public","password_protected":false,"uid":{GAME},"title":"x","state":"{state}","game_type":"custom","featured_mod":"faf","sim_mods":{{}},"mapname":"x","map_file_path":"x","host":"p1","num_players":1,"max_players":12,"hosted_at":null,"launched_at":null,"rating_type":"global","rating_min":null,"rating_max":null,"enforce_rating_range":false,"teams_ids":[],"teams":{{}}}}"#
    );
    Arc::new(serde_json::from_str(&json).unwrap())
}

fn info_to(conn: ConnId, state: &str) -> Effect {
    one(conn, ServerMessage::GameInfo(info(state)))
}

fn gpg(conn: ConnId, command: ServerToGame) -> Effect {
    one(conn, ServerMessage::Game(GpgNetMessage::from(command)))
}

fn join_game() -> Effect {
    gpg(BOB.0, ServerToGame::JoinGame { login: "p1".to_owned(), player_id: ADA.1 })
}

fn connect_to(conn: ConnId, player_id: PlayerId, offer: bool) -> Effect {
    gpg(conn, ServerToGame::ConnectToPeer { login: format!("p{player_id}"), player_id, offer })
}

/// Returns the introduction of Bob to Ada.
fn introduction() -> [Effect; 2] {
    [join_game(), connect_to(ADA.0, BOB.1, true)]
}

fn ice(conn: ConnId, sender_id: PlayerId) -> Effect {
    gpg(conn, ServerToGame::IceMsg { sender_id, message: "x".into() })
}

#[track_caller]
fn breaks(outcome: Outcome, law: Law) {
    assert_eq!(outcome.expect_err("it breaks a law").law, law);
}

#[test]
fn valid_steps_break_no_law() {
    let mut forged = Forged::joined();
    forged.does(&[info_to(BOB.0, "open"), ice(BOB.0, ADA.1), ice(ADA.0, BOB.1)]).unwrap();
    let settings = Settings::default();
    forged.checker.second(Size { connections: 3, players: 3 }, &settings).unwrap();
}

#[test]
fn tickets_are_used_once() {
    let mut forged = Forged::new();
    let ticket = forged.request(Some(ADA.0), ListCoopMissions {});
    let request = ListCoopMissions {}.request(ticket);
    breaks(forged.does(&[Effect::Request { conn: None, request }]), Law::RequestedOnce);
    let replied = Event::Replied { reply: ticket.reply(Ok(Vec::new())) };
    forged.step(Some(&replied), &[]).unwrap();
    breaks(forged.step(Some(&replied), &[]), Law::RepliedOnce);
    let request = ticket.id();
    breaks(forged.does(&[Effect::Log(LogLine::UnknownRequest { request })]), Law::RepliesAreExpected);
}

#[test]
fn closed_connections_are_left_alone() {
    let pong = |conn| one(conn, ServerMessage::Pong);
    let mut forged = Forged::new();
    forged.step(Some(&Event::Disconnected { conn: BOB.0 }), &[]).unwrap();
    breaks(forged.does(&[pong(BOB.0)]), Law::ClosedIsSilent);
    let several = Effect::Send { to: Audience::Several(vec![ADA.0, BOB.0]), message: ServerMessage::Pong };
    breaks(forged.does(&[several]), Law::ClosedIsSilent);
    let reason = HoldReason::Busy;
    breaks(forged.does(&[Effect::Hold { conn: BOB.0, reason }]), Law::ClosedIsSilent);
    breaks(forged.does(&[Effect::Close { conn: BOB.0 }]), Law::ClosedIsSilent);
    forged.does(&[Effect::Close { conn: ADA.0 }]).unwrap();
    breaks(forged.does(&[pong(ADA.0)]), Law::ClosedIsSilent);
    breaks(forged.does(&[Effect::Stop]), Law::ShutdownEnds);
}

#[test]
fn messages_are_read_and_handled_in_order() {
    let mut forged = Forged::new();
    let reason = HoldReason::Busy;
    breaks(forged.does(&[Effect::Release { conn: ADA.0, reason }]), Law::ReadInTurn);
    let hold = Effect::Hold { conn: ADA.0, reason };
    breaks(forged.does(&[hold.clone(), hold]), Law::ReadInTurn);
    let too_fast = Effect::Hold { conn: ADA.0, reason: HoldReason::OverRate };
    breaks(forged.does(&[too_fast]), Law::NobodyIsTooFast);
    breaks(forged.does(&[Effect::Done { conn: ADA.0 }]), Law::DoneOnce);
    let message = ClientMessage::read(r#"{"command":"coop_list"}"#.parse().unwrap());
    forged.step(Some(&Event::Received { conn: ADA.0, message }), &[]).unwrap();
    let (size, settings) = (Size { connections: 3, players: 3 }, Settings::default());
    breaks(forged.checker.second(size, &settings), Law::NobodyIsStuck);
}

#[test]
fn login_needs_a_proof() {
    let mut forged = Forged::new();
    forged.connect(ConnId(9)).unwrap();
    breaks(forged.does(&[Effect::LoggedIn { conn: ConnId(9) }]), Law::LoginIsProven);
    breaks(Forged::new().log_in(ConnId(10), ADA.1, Vec::new()), Law::LoginIsProven);
}

#[test]
fn nothing_is_kept_without_an_owner() {
    let settings = Settings::default();
    let sizes = [(4, 3, Law::SessionsAreConnections), (3, 2, Law::PlayersAreLoggedIn)];
    for (connections, players, law) in sizes {
        breaks(Forged::new().checker.second(Size { connections, players }, &settings), law);
    }
    let mut forged = Forged::hosted("");
    forged.game(GameState::Ended, &[]);
    let size = Size { connections: 3, players: 3 };
    forged.does(&[]).unwrap();
    forged.checker.second(size, &settings).unwrap();
    forged.now += Duration::from_secs(10);
    forged.does(&[]).unwrap();
    breaks(forged.checker.second(size, &settings), Law::GamesHaveOwners);
    let store = FakeStore::default();
    breaks(forged.checker.ended(true, &store), Law::EverythingEnds);
}

#[test]
fn games_are_hosted_by_online_players() {
    let mut forged = Forged::new();
    forged.game(GameState::Initializing, &[]);
    breaks(forged.does(&[]), Law::GamesAreHosted);
    breaks(Forged::new().does(&[info_to(BOB.0, "open")]), Law::GamesAreHosted);

    let mut forged = Forged::joined();
    forged.game(GameState::Lobby, &[BOB.1]);
    breaks(forged.does(&[]), Law::LobbiesHaveHosts);

    let mut forged = Forged::joined();
    forged.game(GameState::Initializing, &[]);
    breaks(forged.does(&[]), Law::StatesGoForward);

    let mut forged = Forged::joined();
    let other =
        SeenGame { state: GameState::Initializing, host: ADA.1, is_listed: false, members: vec![BOB.1] };
    forged.game(GameState::Lobby, &[ADA.1, BOB.1, BOB.1]);
    breaks(forged.does(&[]), Law::OneGameEach);
    forged.games.insert(GameId(6), other);
    breaks(forged.does(&[]), Law::OneGameEach);

    let mut forged = Forged::joined();
    breaks(forged.step(Some(&Event::Disconnected { conn: BOB.0 }), &[]), Law::MembersAreOnline);
}

#[test]
fn members_must_have_joined() {
    let mut forged = Forged::hosted("");
    forged.game(GameState::Lobby, &[ADA.1, BOB.1]);
    breaks(forged.does(&[]), Law::MembersComeProperly);
    // A request to return does not admit a player who was never a member.
    let mut forged = Forged::hosted("");
    forged.game(GameState::Lobby, &[ADA.1, BOB.1]);
    let restore = format!(r#"{{"command":"restore_game_session","game_id":{GAME}}}"#);
    breaks(forged.send(BOB.0, &restore, &[]), Law::MembersComeProperly);
}

#[test]
fn hidden_games_are_hidden() {
    let mut forged = Forged::hosted("");
    forged.does(&[info_to(BOB.0, "open")]).unwrap();
    breaks(forged.does(&[info_to(CEM.0, "open")]), Law::HiddenStaysHidden);
    breaks(Forged::hosted("").does(&[info_to(CEM.0, "closed")]), Law::HiddenStaysHidden);
    let everybody = Effect::Send { to: Audience::LoggedIn, message: ServerMessage::GameInfo(info("open")) };
    breaks(Forged::hosted("").does(&[everybody]), Law::HiddenStaysHidden);
    let but_cem = Effect::Send {
        to: Audience::LoggedInExcept(vec![CEM.0]),
        message: ServerMessage::GameInfo(info("open")),
    };
    Forged::hosted("").does(&[but_cem]).unwrap();
    for range in
        [r#","rating_min":100,"enforce_rating_range":true"#, r#","rating_max":-1,"enforce_rating_range":1"#]
    {
        breaks(Forged::hosted(range).does(&[info_to(BOB.0, "open")]), Law::HiddenStaysHidden);
    }

    // One message removes the game where it was shown; a second one breaks the law.
    let ticket =
        forged.request(Some(ADA.0), SetRelation { player: ADA.1, subject: BOB.1, relation: Relation::Foe });
    let changed = Event::Replied { reply: ticket.reply(Ok(Ok(()))) };
    forged.step(Some(&changed), &[info_to(BOB.0, "closed")]).unwrap();
    breaks(forged.does(&[info_to(BOB.0, "closed")]), Law::HiddenStaysHidden);
    let store = FakeStore::default();
    forged.does(&[]).unwrap();
    breaks(Forged::joined().reported_after_telling(&store), Law::NoGhosts);
}

impl Forged {
    /// Sends the game to Ada and not to Bob.
    fn reported_after_telling(mut self, store: &FakeStore) -> Outcome {
        let to = Audience::Several(vec![ADA.0]);
        self.does(&[Effect::Send { to, message: ServerMessage::GameInfo(info("open")) }]).unwrap();
        self.checker.step(self.now + Duration::from_millis(10), None, &[], None)?;
        self.checker.reported(store)
    }
}

#[test]
fn game_list_at_login_is_exact() {
    let list = |conn, games| one(conn, ServerMessage::GameList(Arc::new(GameList { games })));
    let mut forged = Forged::hosted("");
    forged.does(&[list(BOB.0, vec![info("open")])]).unwrap();
    breaks(forged.does(&[list(BOB.0, Vec::new())]), Law::ListIsComplete);
    breaks(forged.does(&[list(CEM.0, vec![info("open")])]), Law::ListIsComplete);
    forged.does(&[list(BOB.0, vec![info("open")]), list(BOB.0, Vec::new())]).unwrap();
    let twice = [list(BOB.0, vec![info("open")]), list(BOB.0, vec![info("open")])];
    breaks(forged.does(&twice), Law::ListIsComplete);
}

#[test]
fn player_list_at_login_is_complete() {
    let list = |ids: &[u32]| {
        let players = ids.iter().map(|id| player(*id, 0)).collect();
        one(BOB.0, ServerMessage::PlayerInfo(Arc::new(PlayerList { players })))
    };
    Forged::new().does(&[list(&[3, 1]), list(&[2])]).unwrap();
    breaks(Forged::new().does(&[list(&[3, 1])]), Law::RosterIsComplete);
    breaks(Forged::new().does(&[list(&[1, 2, 3]), list(&[2])]), Law::RosterIsComplete);
    breaks(Forged::new().does(&[list(&[1, 2, 3, 4])]), Law::RosterIsComplete);
}

#[test]
fn games_are_sent_in_order_and_once_durable() {
    breaks(Forged::hosted("").does(&[info_to(BOB.0, "playing")]), Law::LiveIsDurable);
    let to_bob = |state| Effect::Send {
        to: Audience::Several(vec![BOB.0]),
        message: ServerMessage::GameInfo(info(state)),
    };
    let mut forged = Forged::hosted("");
    forged.game(GameState::Ended, &[]);
    forged.does(&[to_bob("closed")]).unwrap();
    breaks(forged.does(&[to_bob("open")]), Law::StatesInOrder);
}

#[test]
fn processes_are_started_only_on_request() {
    breaks(Forged::new().does(&[launch(BOB.0)]), Law::LaunchIsAsked);
    let with_password =
        |more: &str| Forged::hosted(r#","password":"secret""#).send(BOB.0, &join(more), &[launch(BOB.0)]);
    breaks(with_password(""), Law::PasswordIsNeeded);
    breaks(with_password(r#","password":"wrong""#), Law::PasswordIsNeeded);
    with_password(r#","password":"secret""#).unwrap();
    breaks(Forged::hosted("").send(CEM.0, &join(""), &[launch(CEM.0)]), Law::FoesStayOut);
    let mut forged = Forged::hosted(r#","rating_min":100,"enforce_rating_range":true"#);
    breaks(forged.send(BOB.0, &join(""), &[launch(BOB.0)]), Law::RatingIsWelcome);
    let mut forged = Forged::new();
    forged.game(GameState::Initializing, &[]);
    let host = r#"{"command":"game_host","visibility":"friends"}"#;
    forged.send(ADA.0, host, &[launch(ADA.0)]).unwrap();
    forged.game(GameState::Lobby, &[ADA.1]);
    let idle = r#"{"target":"game","command":"GameState","args":["Idle"]}"#;
    forged.send(ADA.0, idle, &[]).unwrap();
    breaks(forged.send(BOB.0, &join(""), &[launch(BOB.0)]), Law::HiddenIsUnknown);
}

#[test]
fn game_numbers_are_not_reused() {
    let mut forged = Forged::hosted("");
    forged.games.clear();
    forged.checker.killed(&FakeStore::default()).unwrap();
    forged.log_in(ADA.0, ADA.1, Vec::new()).unwrap();
    let host = r#"{"command":"game_host","visibility":"public"}"#;
    breaks(forged.send(ADA.0, host, &[launch(ADA.0)]), Law::NumbersAreNew);
}

#[test]
fn processes_are_connected_only_within_their_game() {
    breaks(Forged::joined().does(&[ice(CEM.0, ADA.1)]), Law::PeersShareAGame);
    breaks(Forged::joined().does(&[ice(ADA.0, CEM.1)]), Law::PeersShareAGame);
    let stranger = [connect_to(ADA.0, CEM.1, true)];
    breaks(Forged::joined().does(&stranger), Law::PeersShareAGame);
}

#[test]
fn one_side_offers_and_the_host_comes_first() {
    let joining = || {
        let mut forged = Forged::hosted("");
        forged.send(BOB.0, &join(""), &[launch(BOB.0)]).unwrap();
        forged.game(GameState::Lobby, &[ADA.1, BOB.1]);
        forged
    };
    breaks(joining().does(&[join_game(), connect_to(ADA.0, BOB.1, false)]), Law::OneSideOffers);
    breaks(joining().does(&[join_game()]), Law::OneSideOffers);
    breaks(joining().does(&[connect_to(ADA.0, BOB.1, true)]), Law::OneSideOffers);
    breaks(joining().does(&[ice(BOB.0, ADA.1)]), Law::JoinGameComesFirst);
    joining().does(&introduction()).unwrap();

    // Dan is introduced to Ada, but not to Bob.
    let (dan, id) = (ConnId(4), PlayerId(4));
    let mut forged = Forged::joined();
    forged.log_in(dan, id, Vec::new()).unwrap();
    forged.send(dan, &join(""), &[launch(dan)]).unwrap();
    forged.game(GameState::Lobby, &[ADA.1, BOB.1, id]);
    let join_ada = gpg(dan, ServerToGame::JoinGame { login: "p1".to_owned(), player_id: ADA.1 });
    breaks(forged.does(&[join_ada, connect_to(ADA.0, id, true)]), Law::JoinsMeetEverybody);
}

#[test]
fn every_law_has_a_sentence() {
    for law in Law::ALL {
        assert!(law.sentence().ends_with('.'), "{law:?}");
    }
}

/// Returns a store with a real game, for the checks of stored games.
fn played() -> FakeStore {
    use faf_testkit::lobby::SimulatedLobby;
    let mut lobby = SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["p1", "p2"]));
    let (ada, bob) = (lobby.log_in("p1"), lobby.log_in("p2"));
    let process = |lobby: &mut SimulatedLobby, conn, text: &str| {
        lobby.send(conn, &format!(r#"{{"target":"game","command":{text}}}"#));
    };
    lobby.send(ada, r#"{"command":"game_host","visibility":"public"}"#);
    process(&mut lobby, ada, r#""GameState","args":["Idle"]"#);
    process(&mut lobby, ada, r#""GameState","args":["Lobby"]"#);
    lobby.send(bob, r#"{"command":"game_join","uid":1}"#);
    process(&mut lobby, bob, r#""GameState","args":["Idle"]"#);
    process(&mut lobby, bob, r#""GameState","args":["Lobby"]"#);
    for player in [1, 2] {
        // Only players who have a place are stored, and only stored ones are rated.
        for (option, value) in [("Army", player), ("Team", player + 1), ("StartSpot", player)] {
            process(&mut lobby, ada, &format!(r#""PlayerOption","args":[{player},"{option}",{value}]"#));
        }
    }
    process(&mut lobby, ada, r#""GameState","args":["Launching"]"#);
    lobby.advance(Duration::from_secs(600));
    process(&mut lobby, ada, r#""GameResult","args":[1,"victory 10"]"#);
    process(&mut lobby, ada, r#""GameEnded","args":[]"#);
    process(&mut lobby, bob, r#""GameEnded","args":[]"#);
    assert_eq!(lobby.store.games[&GameId(1)].ratings.len(), 2);
    lobby.store
}

/// Returns the request to store data of Ada's game.
fn store(write: GameWrite) -> Effect {
    let request = StoreGame { game: GAME, write, publications: GamePublications::default() }
        .request(Ticket::new(RequestId(99)));
    Effect::Request { conn: None, request }
}

/// Creates a state in which the launch of Ada's game is being stored.
fn launching() -> (Forged, Ticket<StoreGame>, Effect) {
    let stored = played().games[&GameId(1)].clone();
    let mut forged = Forged::joined();
    let write = GameWrite::Launch(Box::new(stored.launched));
    let ticket = forged.request(
        None,
        StoreGame { game: GAME, write: write.clone(), publications: GamePublications::default() },
    );
    (forged, ticket, store(write))
}

#[test]
fn writes_are_made_one_at_a_time_and_in_order() {
    let (mut forged, ticket, again) = launching();
    breaks(forged.does(std::slice::from_ref(&again)), Law::OneWriteAtATime);
    let (mut forged, ..) = launching();
    forged.step(Some(&Event::Replied { reply: ticket.reply(Ok(Ok(Vec::new()))) }), &[]).unwrap();
    breaks(forged.does(&[again]), Law::LaunchedThenEnded);

    let end = played().games[&GameId(1)].end.clone().unwrap();
    let end_first = store(GameWrite::End(Box::new(end)));
    breaks(Forged::joined().does(&[end_first]), Law::LaunchedThenEnded);
}

/// Creates a state in which Ada's game is live, with both players in it.
fn launched() -> Forged {
    let (mut forged, ticket, _) = launching();
    forged.game(GameState::Live, &[ADA.1, BOB.1]);
    forged.step(Some(&Event::Replied { reply: ticket.reply(Ok(Ok(Vec::new()))) }), &[]).unwrap();
    forged
}

#[test]
fn only_players_who_have_begun_are_rated() {
    let end = || {
        let end = played().games[&GameId(1)].end.clone().unwrap();
        store(GameWrite::End(Box::new(end)))
    };
    let says = |forged: &mut Forged, conn, command: &str| {
        forged.send(conn, &format!(r#"{{"target":"game","command":{command}}}"#), &[]).unwrap();
    };
    let mut forged = launched();
    says(&mut forged, ADA.0, r#""GameState","args":["Launching"]"#);
    breaks(forged.does(&[end()]), Law::RatedHaveBegun);
    let mut forged = launched();
    says(&mut forged, ADA.0, r#""GameState","args":["Launching"]"#);
    says(&mut forged, BOB.0, r#""GameResult","args":[2,"defeat 0"]"#);
    forged.does(&[end()]).unwrap();
}

#[test]
fn players_whose_simulation_ended_stay_out() {
    let back = |command: &str| {
        let mut forged = launched();
        forged.send(BOB.0, &format!(r#"{{"target":"game","command":"{command}"}}"#), &[]).unwrap();
        forged.game(GameState::Live, &[ADA.1]);
        forged.does(&[]).unwrap();
        forged.game(GameState::Live, &[ADA.1, BOB.1]);
        forged.send(BOB.0, &format!(r#"{{"command":"restore_game_session","game_id":{GAME}}}"#), &[])
    };
    back("EnforceRating").unwrap();
    breaks(back("GameEnded"), Law::EndedStayOut);
}

#[test]
fn acknowledged_reports_must_be_stored() {
    // The launch itself is lost.
    breaks(launched().checker.killed(&FakeStore::default()), Law::AcknowledgedIsKept);
    let mut store = FakeStore::default();
    let mut game = played().games[&GameId(1)].clone();
    (game.saved, game.end) = (Some(game.launched.game.clone()), None);
    store.games.insert(GAME, game);
    launched().checker.killed(&store).unwrap();
    for command in
        [r#""GameResult","args":[2,"defeat 0"]"#, r#""Desync""#, r#""EnforceRating""#, r#""GameEnded""#]
    {
        let mut forged = launched();
        let command = format!(r#"{{"target":"game","command":{command}}}"#);
        forged.send(BOB.0, &command, &[]).unwrap();
        breaks(forged.checker.killed(&store), Law::AcknowledgedIsKept);
    }
}

#[test]
fn every_game_ends_once_and_is_rated_once() {
    let ended = |store: &FakeStore| Checker::default().ended(true, store);
    let store = played();
    ended(&store).unwrap();
    let mut lasting = store.clone();
    lasting.games.get_mut(&GameId(1)).unwrap().end = None;
    breaks(ended(&lasting), Law::EndedOnce);
    let mut twice = store.clone();
    let game = twice.games.get_mut(&GameId(1)).unwrap();
    game.ratings.push(game.ratings[0].clone());
    breaks(ended(&twice), Law::RatedOnce);
    let mut miscounted = store;
    miscounted.account("p2").ratings[0].1.number_of_games += 1;
    breaks(ended(&miscounted), Law::RatedOnce);
}

fn player(id: u32, number_of_games: u32) -> Arc<Player> {
    let json = format!(
        r#"{{"id":{id},"login":"p{id}","country":"","ratings":{{"global":{{"rating":[1500.0,500.0],"number_of_games":{number_of_games}}}}},"global_rating":[1500.0,500.0],"ladder_rating":[1500.0,500.0],"number_of_games":{number_of_games}}}"#
    );
    Arc::new(serde_json::from_str(&json).unwrap())
}

#[test]
fn shown_ratings_equal_stored_ratings() {
    let shown = |number_of_games: u32| {
        let players = vec![player(1, number_of_games)];
        let message = ServerMessage::PlayerInfo(Arc::new(PlayerList { players }));
        Effect::Send { to: Audience::LoggedIn, message }
    };
    Forged::new().does(&[shown(0)]).unwrap();
    breaks(Forged::new().does(&[shown(1)]), Law::RatingsAreShown);
}
