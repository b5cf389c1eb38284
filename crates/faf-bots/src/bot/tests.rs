use faf_protocol::Message;
use faf_protocol::Secret;
use faf_protocol::client_message::{AskSession, Hello};
use rand::SeedableRng;

use super::*;
use crate::behaviour::Sociable;
use crate::fixture::{LOGINS, shared};

/// A bot in the lobby, with its clock.
struct Life {
    bot: Bot,
    now: Duration,
}

impl Life {
    fn begin(place: usize, shared: &Arc<Shared>) -> Self {
        let login = LOGINS[place].to_owned();
        let bot = Bot::new(login, Arc::clone(shared), Box::new(Sociable), Rng::seed_from_u64(1));
        let mut life = Self { bot, now: Duration::ZERO };
        life.log_in(place + 1);
        life
    }

    fn log_in(&mut self, id: usize) {
        let session = AskSession { user_agent: None, version: None };
        let (login, password) = (self.bot.login().to_owned(), Secret::new("x"));
        let hello = Hello { login, password, unique_id: String::new() };
        self.bot.connected(self.now, [ClientMessage::AskSession(session), ClientMessage::Hello(hello)]);
        assert_eq!(self.orders(), ["ask_session", "hello"]);
        let me = format!(
            r#"{{"id":{id},"login":"P","country":"","ratings":{{}},"global_rating":[1500,500],"ladder_rating":[1500,500],"number_of_games":0}}"#
        );
        self.receive(&format!(
            r#"{{"command":"welcome","me":{me},"current_time":"t","id":{id},"login":"{}"}}"#,
            self.bot.login()
        ));
    }

    fn receive(&mut self, message: &str) {
        let message: Message = message.parse().unwrap();
        self.bot.handle(self.now, &ServerMessage::read(message).unwrap());
    }

    fn receive_game_command(&mut self, command: &str, args: &str) {
        self.receive(&format!(r#"{{"command":"{command}","args":{args},"target":"game"}}"#));
    }

    fn receive_game_info(&mut self, state: &str, players: &str) {
        self.receive(&format!(
            r#"{{"command":"game_info","visibility":"public","password_protected":false,"uid":5,"title":"t","state":"{state}","game_type":"custom","featured_mod":"faf","sim_mods":{{}},"mapname":"m","map_file_path":"maps/m.zip","host":"Lumo","num_players":1,"max_players":2,"hosted_at":"t","launched_at":null,"rating_type":"global","rating_min":null,"rating_max":null,"enforce_rating_range":false,"teams_ids":[{{"team_id":2,"player_ids":{players}}}],"teams":{{}}}}"#
        ));
    }

    fn launch(&mut self) {
        self.receive(
            r#"{"command":"game_launch","args":["/numgames",0],"uid":5,"mod":"faf","name":"t","init_mode":0,"game_type":"custom","rating_type":"global"}"#,
        );
    }

    /// Receives the order to start the process of a match of two players, at this start position.
    fn launch_match(&mut self, position: usize) {
        self.receive(r#"{"command":"match_found","queue_name":"ladder1v1"}"#);
        assert!(!self.bot.looks_idle());
        self.receive(&format!(
            r#"{{"command":"game_launch","args":["/numgames",0],"uid":5,"mod":"ladder1v1","name":"t","init_mode":1,"game_type":"matchmaker","rating_type":"ladder_1v1","mapname":"m","team":2,"faction":3,"expected_players":2,"map_position":{position},"game_options":{{"Share":"ShareUntilDeath"}}}}"#
        ));
    }

    /// Returns its actions: the names of commands, with the state for `GameState`.
    fn orders(&mut self) -> Vec<String> {
        let mut orders = Vec::new();
        while let Some(order) = self.bot.poll_action() {
            orders.push(match order {
                Action::Send(ClientMessage::Game(game)) if game.command == "GameState" => {
                    game.arguments().next().unwrap().as_str().unwrap().into_owned()
                }
                Action::Send(message) => message.command().unwrap().into_owned(),
                other => format!("{other:?}"),
            });
        }
        orders
    }

    /// Advances to its next deadline.
    fn step(&mut self) -> Vec<String> {
        self.now = self.now.max(self.bot.next_deadline().unwrap());
        self.bot.handle_timeout(self.now);
        self.orders()
    }

    /// Advances until this action; returns it with all before.
    fn advance_until(&mut self, wanted: &str) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..1000 {
            all.extend(self.step());
            if all.iter().any(|order| order == wanted) {
                return all;
            }
            if self.bot.leaving.is_some() {
                self.reconnect();
            }
        }
        panic!("{wanted} never happens: {all:?}");
    }

    /// Ends the connection and opens a new one.
    fn reconnect(&mut self) {
        self.now += self.bot.disconnected();
        assert_eq!(self.bot.next_deadline(), None);
        self.log_in(1);
    }

    fn is_idle(&self) -> bool {
        self.bot.is_logged_in() && self.bot.game().is_none()
    }
}

/// Returns a host with a game of two, in which the other player is `guest`.
fn launched(shared: &Arc<Shared>, guest: &mut Life) -> Life {
    let mut host = Life::begin(0, shared);
    host.advance_until("game_host");
    host.launch();
    assert_eq!(host.step(), ["Idle", "Lobby"]);
    host.receive_game_command("HostGame", r#"["m"]"#);
    assert!(host.orders().iter().filter(|order| *order == "PlayerOption").count() == 5);
    guest.now = host.now;
    guest.bot.activity = Activity::Asking(None);
    guest.launch();
    assert_eq!(guest.step(), ["Idle", "Lobby"]);
    guest.receive_game_command("JoinGame", r#"["Brackenfall",1]"#);
    host.receive_game_command("ConnectToPeer", r#"["Lumo",2,true]"#);
    let mut orders = host.orders();
    assert_eq!(orders.remove(0), "IceMsg");
    assert_eq!(orders, ["PlayerOption"; 5]);
    guest.receive_game_command("IceMsg", r#"[1,"candidates"]"#);
    assert_eq!(guest.orders(), ["IceMsg"]);
    guest.receive_game_info("open", "[1,2]");
    let last = host.advance_until("Launching");
    assert_eq!(last, ["PlayerOption", "PlayerOption", "Launching"]);
    host
}

#[test]
fn a_game_is_hosted_joined_and_played_to_its_end() {
    let shared = Arc::new(shared());
    let mut guest = Life::begin(1, &shared);
    let mut host = launched(&shared, &mut guest);
    guest.now = host.now;
    guest.receive_game_info("playing", "[1,2]");
    assert_eq!(guest.orders(), ["Launching"]);
    for player in [&mut host, &mut guest] {
        let orders = player.advance_until("Ended");
        assert!(orders.iter().any(|order| order == "GameResult"), "{orders:?}");
        assert!(orders.iter().any(|order| order == "EnforceRating"), "{orders:?}");
        assert!(player.is_idle());
    }
}

#[test]
fn guests_without_a_seat_or_a_host_leave() {
    let shared = Arc::new(shared());
    let mut bot = Life::begin(0, &shared);
    let join = |bot: &mut Life| {
        bot.bot.activity = Activity::Asking(None);
        bot.launch();
        assert_eq!(bot.step(), ["Idle", "Lobby"]);
    };
    join(&mut bot);
    assert_eq!(bot.step(), ["Ended"]);
    join(&mut bot);
    bot.receive_game_command("JoinGame", r#"["Brackenfall",1]"#);
    bot.receive_game_info("open", "[9]");
    assert_eq!(bot.step(), ["Ended"]);
    join(&mut bot);
    bot.receive_game_command("JoinGame", r#"["Brackenfall",1]"#);
    bot.receive_game_info("closed", "[]");
    assert_eq!(bot.orders(), ["Ended"]);
    assert!(bot.is_idle());
}

#[test]
fn refusals_and_missing_replies_end_a_request() {
    let shared = Arc::new(shared());
    for refusal in [
        r#"{"command":"game_join_failed","reason":"bad_password","uid":5}"#,
        r#"{"command":"disabled","request":"game_host"}"#,
        r#"{"command":"notice","style":"error","text":"Can't host a game while in state PLAYING"}"#,
    ] {
        let mut bot = Life::begin(0, &shared);
        bot.bot.activity = Activity::Asking(None);
        bot.receive(refusal);
        assert!(bot.is_idle(), "{refusal}");
    }
    let mut bot = Life::begin(0, &shared);
    bot.bot.activity = Activity::Asking(None);
    bot.step();
    assert!(bot.is_idle());
    for strange in [
        r#"{"command":"ping"}"#,
        r#"{"command":"no_such_command","x":[]}"#,
        r#"{"command":"HostGame","args":[],"target":"game"}"#,
        r#"{"command":"JoinGame","args":["x",1],"target":"game"}"#,
        r#"{"command":"NewCommand","args":[{}],"target":"game"}"#,
        r#"{"command":"notice","style":"kill"}"#,
    ] {
        bot.receive(strange);
    }
    assert_eq!(bot.orders(), ["pong"]);
}

#[test]
fn a_game_continues_while_the_connection_is_lost() {
    let shared = Arc::new(shared());
    let mut host = launched(&shared, &mut Life::begin(1, &shared));
    host.reconnect();
    assert_eq!(host.orders(), ["restore_game_session"]);
    host.advance_until("Ended");
    assert!(host.is_idle());
}

#[test]
fn pauses_get_longer_and_kicked_bots_stay_away() {
    let shared = Arc::new(shared());
    let mut bot = Life::begin(0, &shared).bot;
    let pauses: Vec<Duration> = (0..12).map(|_| bot.disconnected()).collect();
    assert!(pauses[0] <= BACKOFF.0 && pauses[11] >= BACKOFF.1 / 2);
    assert!(pauses.iter().all(|pause| (BACKOFF.0 / 2..=BACKOFF.1).contains(pause)));
    let mut bot = Life::begin(0, &shared);
    bot.receive(r#"{"command":"notice","style":"kick","text":"bye"}"#);
    assert_eq!(bot.orders(), ["LogOut"]);
    assert_eq!(bot.bot.disconnected(), BAN_PAUSE);
}

/// Settings in which every match goes well.
fn flawless() -> Arc<Shared> {
    let mut shared = shared();
    shared.settings.match_faults = 0.0;
    Arc::new(shared)
}

/// Returns the host and the guest of a match whose processes are connected.
fn matched(shared: &Arc<Shared>) -> (Life, Life) {
    let (mut host, mut guest) = (Life::begin(0, shared), Life::begin(1, shared));
    host.launch_match(2);
    assert_eq!(host.step(), ["Idle", "Lobby", "LaunchStatus"]);
    host.receive_game_command("HostGame", r#"["m"]"#);
    let orders = host.orders();
    assert_eq!(orders.iter().filter(|order| *order == "PlayerOption").count(), 5);
    guest.launch_match(1);
    assert_eq!(guest.step(), ["Idle", "Lobby", "LaunchStatus"]);
    guest.receive_game_command("JoinGame", r#"["Brackenfall",1]"#);
    (host, guest)
}

#[test]
fn a_match_is_launched_when_all_expected_players_are_seated() {
    let shared = flawless();
    let (mut host, mut guest) = matched(&shared);
    for _ in 0..50 {
        assert_eq!(host.step(), [""; 0]);
    }
    host.receive_game_command("ConnectToPeer", r#"["Lumo",2,true]"#);
    let Some(Action::Send(ClientMessage::Game(candidates))) = host.bot.poll_action() else { panic!() };
    assert_eq!(candidates.command, "IceMsg");
    let mut seated = Vec::new();
    while let Some(Action::Send(ClientMessage::Game(option))) = host.bot.poll_action() {
        seated.push(option.args.text().to_owned());
    }
    // Its own process has told the host's its place: the start position and the faction.
    assert_eq!(seated[..3], [r#"[2,"Faction",3]"#, r#"[2,"Color",1]"#, r#"[2,"Team",2]"#]);
    guest.receive_game_command("IceMsg", r#"[1,"candidates"]"#);
    assert_eq!(guest.orders(), ["IceMsg", "EstablishedPeer", "LaunchStatus"]);
    host.receive_game_command("IceMsg", r#"[2,"candidates"]"#);
    assert_eq!(host.orders(), ["EstablishedPeer", "LaunchStatus"]);
    assert!(host.advance_until("Launching").ends_with(&["Launching".to_owned()]));
    guest.now = host.now;
    guest.receive_game_info("playing", "[1,2]");
    assert_eq!(guest.orders(), ["Launching"]);
    for player in [&mut host, &mut guest] {
        let orders = player.advance_until("Ended");
        assert!(orders.iter().any(|order| order == "GameResult"), "{orders:?}");
        assert!(player.is_idle());
    }
}

#[test]
fn a_cancelled_match_ends_the_process_or_is_ignored_for_a_while() {
    const CANCELLED: &str = r#"{"command":"match_cancelled","game_id":5}"#;
    let (mut host, mut guest) = matched(&flawless());
    for player in [&mut host, &mut guest] {
        player.receive(CANCELLED);
        assert_eq!(player.orders(), ["Ended"]);
        assert!(player.is_idle());
    }
    guest.receive(r#"{"command":"match_found","queue_name":"ladder1v1"}"#);
    guest.receive(r#"{"command":"match_cancelled","game_id":null}"#);
    assert_eq!(guest.orders(), [""; 0]);
    assert!(guest.bot.looks_idle());

    let mut shared = shared();
    (shared.settings.match_faults, shared.settings.ignores_cancellation) = (0.0, 1.0);
    let mut bot = Life::begin(0, &Arc::new(shared));
    bot.launch_match(1);
    bot.receive(CANCELLED);
    assert_eq!(bot.orders(), [""; 0]);
    assert_eq!(bot.step(), ["Idle", "Lobby"]);
    assert_eq!(bot.step(), ["Ended"]);
    assert!(bot.is_idle());
}

#[test]
fn every_fault_of_a_match_occurs() {
    let mut shared = shared();
    shared.settings.match_faults = 1.0;
    let shared = Arc::new(shared);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let mut bot = Life::begin(1, &shared);
        bot.bot.rng = Rng::seed_from_u64(seed);
        bot.launch_match(1);
        let start = bot.step().join(" ");
        bot.receive_game_command("JoinGame", r#"["Brackenfall",1]"#);
        let is_told = shared.introductions.place_of(GameId(5), PlayerId(2)).is_some();
        seen.insert((start, is_told));
    }
    // Nothing is sent by a process that does not start, and by a client that loses its connection.
    let starts: Vec<&str> = seen.iter().map(|(start, _)| start.as_str()).collect();
    assert!(
        ["", "Drop", "Idle Ended", "Idle Lobby LaunchStatus"].iter().all(|start| starts.contains(start)),
        "{seen:?}"
    );
}
