//! Messages of clients and game processes that bots do not send.

use faf_protocol::client_message::{AskSession, Auth, Hello, RestoreGameSession};
use faf_protocol::{ClientMessage, CommandError, GameId, PlayerId, Secret};

use super::random::Random;

/// A message as the lobby receives it, which may be invalid.
type Incoming = Result<ClientMessage, CommandError>;

/// Messages of clients beyond playing, sensible or not.
const CHATTER: [&str; 34] = [
    r#"{"command":"ping"}"#,
    r#"{"command":"pong"}"#,
    r#"{"command":"ask_session","user_agent":"faf-client","version":"0.1"}"#,
    r#"{"command":"coop_list"}"#,
    r#"{"command":"avatar","action":"list_avatar"}"#,
    r#"{"command":"avatar","action":"select","avatar":null}"#,
    r#"{"command":"modvault","type":"start"}"#,
    r#"{"command":"modvault","type":"like","uid":"x"}"#,
    r#"{"command":"matchmaker_info"}"#,
    r#"{"command":"ice_servers"}"#,
    r#"{"command":"game_matchmaking","queue_name":"ladder1v1","state":"start"}"#,
    r#"{"command":"game_matchmaking","queue_name":"tmm2v2","state":"start","faction":"aeon"}"#,
    r#"{"command":"game_matchmaking","queue_name":"unknown","state":"start"}"#,
    r#"{"command":"game_matchmaking","queue_name":"tmm4v4","state":"pause"}"#,
    r#"{"command":"invite_to_party","recipient_id":1}"#,
    r#"{"command":"accept_party_invite","sender_id":1}"#,
    r#"{"command":"kick_player_from_party","kicked_player_id":2}"#,
    r#"{"command":"set_party_factions","factions":[]}"#,
    r#"{"command":"game_matchmaking","queue_name":"ladder1v1","state":"stop"}"#,
    r#"{"command":"set_party_factions","factions":["uef","aeon"]}"#,
    r#"{"command":"set_player_vetoes","vetoes":[]}"#,
    r#"{"command":"leave_party"}"#,
    r#"{"command":"unready_party"}"#,
    r#"{"command":"match_ready"}"#,
    r#"{"command":"admin","action":"closelobby","user_id":3}"#,
    r#"{"command":"admin","action":"closeFA","user_id":4}"#,
    r#"{"command":"game_join","uid":"nonsense"}"#,
    r#"{"command":"game_host","visibility":"public","title":" "}"#,
    r#"{"command":"game_host","visibility":"public","mod":"unknown"}"#,
    r#"{"command":"hello","login":"p1","password":"p1-pw","unique_id":"again"}"#,
    r#"{"command":"GameState","target":"game","args":["Idle"]}"#,
    r#"{"command":"IceMsg","target":"game","args":[1,"without a process"]}"#,
    r#"{"command":"Bottleneck","target":"game","args":[]}"#,
    r#"{"command":"restore_game_session","game_id":2147483647}"#,
];

/// Messages that end a connection.
const GARBAGE: [&str; 4] = [
    r#"{"command":"game_host"}"#,
    r#"{"command":"avatar","action":"nonsense"}"#,
    r#"{"no":"command"}"#,
    r#"{"command":"social_add","friend":"x"}"#,
];

/// Commands of game processes beyond playing, sensible or not.
const PROCESS_CHATTER: [&str; 23] = [
    r#""GameState","args":["Idle"]"#,
    r#""GameState","args":["Lobby"]"#,
    r#""GameState","args":["Launching"]"#,
    r#""GameState","args":["Unheard"]"#,
    r#""GameState","args":[]"#,
    r#""GameEnded","args":[]"#,
    r#""GameFull","args":[]"#,
    r#""Chat","args":["hello"]"#,
    r#""Bottleneck","args":["ack",1]"#,
    r#""LaunchStatus","args":["Ready"]"#,
    r#""EstablishedPeer","args":["1"]"#,
    r#""EstablishedPeer","args":[4294967295]"#,
    r#""DisconnectedPeer","args":[2]"#,
    r#""DisconnectedPeer","args":[]"#,
    r#""PlayerOption","args":["no number","Team",2]"#,
    r#""PlayerOption","args":[1]"#,
    r#""GameOption","args":["Victory",7]"#,
    r#""ClearSlot","args":["x"]"#,
    r#""IceMsg","args":[]"#,
    r#""GameResult","args":[1,"score 1"]"#,
    r#""GameResult","args":[99,"victory 10"]"#,
    r#""TeamkillReport","args":[1,"2","a","3","b"]"#,
    r#""Unknown","args":[{"a":1}]"#,
];

/// Commands of a host's game process in the lobby, sensible or not.
const LOBBY_OPTIONS: [&str; 9] = [
    r#""GameOption","args":["Slots","8"]"#,
    r#""GameOption","args":["ScenarioFile","/maps/scmp_009/scmp_009_scenario.lua"]"#,
    r#""GameOption","args":["FogOfWar","none"]"#,
    r#""GameMods","args":["uids","some-mod other-mod"]"#,
    r#""GameMods","args":["activated",0]"#,
    r#""AIOption","args":["AI: Rush","StartSpot",5]"#,
    r#""ClearSlot","args":["5"]"#,
    r#""ClearSlot","args":["2"]"#,
    r#""PlayerOption","args":["2","Team",-1]"#,
];

pub(super) fn ask_session() -> ClientMessage {
    let (user_agent, version) = (Some("x".to_owned()), Some("1".to_owned()));
    ClientMessage::AskSession(AskSession { user_agent, version })
}

pub(super) fn hello(login: &str, is_right: bool) -> ClientMessage {
    let word = if is_right { "pw" } else { "wrong" };
    let password = Secret::new(format!("{login}-{word}"));
    ClientMessage::Hello(Hello { login: login.to_owned(), password, unique_id: format!("of {login}") })
}

pub(super) fn auth(player: PlayerId) -> ClientMessage {
    ClientMessage::Auth(Auth { token: Secret::new(player.to_string()), unique_id: format!("of {player}") })
}

pub(super) fn host() -> Incoming {
    read(Some(&r#"{"command":"game_host","visibility":"public","title":"probe","mod":"faf"}"#))
}

pub(super) fn restore(game_id: GameId) -> ClientMessage {
    ClientMessage::RestoreGameSession(RestoreGameSession { game_id })
}

pub(super) fn chatter(random: &mut Random) -> Incoming {
    read(random.pick(&CHATTER))
}

pub(super) fn garbage(random: &mut Random) -> Incoming {
    read(random.pick(&GARBAGE))
}

pub(super) fn process_chatter(random: &mut Random) -> Incoming {
    of_process(random.pick(&PROCESS_CHATTER))
}

pub(super) fn lobby_option(random: &mut Random) -> Incoming {
    of_process(random.pick(&LOBBY_OPTIONS))
}

pub(super) fn relation(random: &mut Random, subject: u64) -> Incoming {
    let relation = if random.per_mille(400) { "foe" } else { "friend" };
    let command = if random.per_mille(250) { "social_remove" } else { "social_add" };
    read(Some(&format!(r#"{{"command":"{command}","{relation}":{subject}}}"#).as_str()))
}

/// Returns a command of a game process with these arguments, given as JSON without brackets.
pub(super) fn process(command: &str, args: &str) -> Incoming {
    of_process(Some(&format!(r#""{command}","args":[{args}]"#).as_str()))
}

/// Returns a message of a client before its login.
pub(super) fn chatter_before_login(random: &mut Random) -> Option<ClientMessage> {
    let messages = [
        r#"{"command":"ping"}"#,
        r#"{"command":"Bottleneck","target":"game","args":[]}"#,
        r#"{"command":"create_account"}"#,
        r#"{"command":"auth","token":"forbidden","unique_id":""}"#,
        r#"{"command":"auth","token":"nobody","unique_id":""}"#,
        r#"{"command":"coop_list"}"#,
    ];
    read(random.pick(&messages)).ok()
}

fn of_process(command: Option<&&str>) -> Incoming {
    read(command.map(|command| format!(r#"{{"target":"game","command":{command}}}"#)).as_deref().as_ref())
}

fn read(text: Option<&&str>) -> Incoming {
    let text = text.copied().unwrap_or(r#"{"command":"ping"}"#);
    ClientMessage::read(text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
}
