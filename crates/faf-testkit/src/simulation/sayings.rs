//! What clients and game processes say, as text.

use faf_protocol::{GameId, PlayerId};

use super::random::Random;

/// What clients say besides playing, sensible or not.
const CHATTER: [&str; 27] = [
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

/// What ends a connection.
const GARBAGE: [&str; 4] = [
    r#"{"command":"game_host"}"#,
    r#"{"command":"avatar","action":"nonsense"}"#,
    r#"{"no":"command"}"#,
    r#"{"command":"social_add","friend":"x"}"#,
];

/// What game processes say besides playing, sensible or not.
const PROCESS_CHATTER: [&str; 20] = [
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

pub(super) fn hello(login: &str, is_right: bool) -> String {
    let word = if is_right { "pw" } else { "wrong" };
    format!(r#"{{"command":"hello","login":"{login}","password":"{login}-{word}","unique_id":"of {login}"}}"#)
}

pub(super) fn auth(player: PlayerId) -> String {
    format!(r#"{{"command":"auth","token":"{player}","unique_id":"of {player}"}}"#)
}

pub(super) fn chatter(random: &mut Random) -> String {
    random.pick(&CHATTER).copied().unwrap_or_default().to_owned()
}

pub(super) fn garbage(random: &mut Random) -> String {
    random.pick(&GARBAGE).copied().unwrap_or_default().to_owned()
}

pub(super) fn process_chatter(random: &mut Random) -> String {
    let text = random.pick(&PROCESS_CHATTER).copied().unwrap_or_default();
    format!(r#"{{"target":"game","command":{text}}}"#)
}

pub(super) fn relation(command: &str, relation: &str, subject: u64) -> String {
    format!(r#"{{"command":"{command}","{relation}":{subject}}}"#)
}

/// The password of a game that has one.
pub(super) fn password_of(host: PlayerId) -> String {
    format!("secret of {host}")
}

pub(super) fn game_host(random: &mut Random, host: PlayerId) -> String {
    let visibility = if random.per_mille(150) { "friends" } else { "public" };
    let featured_mod = if random.per_mille(120) { "coop" } else { "faf" };
    let password = match random.below(10) {
        0 => format!(r#","password":"{}""#, password_of(host)),
        1 => r#","password":"""#.to_owned(),
        _ => String::new(),
    };
    let map = ["scmp_007", "scmp_007", "SCMP_009", "unknown_map"];
    let map = random.pick(&map).copied().unwrap_or_default();
    let range = match random.below(8) {
        0 => r#","rating_min":300,"enforce_rating_range":true"#,
        1 => r#","rating_min":-100,"rating_max":"900","enforce_rating_range":true"#,
        2 => r#","rating_min":1000"#,
        _ => "",
    };
    format!(
        r#"{{"command":"game_host","visibility":"{visibility}","mod":"{featured_mod}","mapname":"{map}","title":"game of {host}"{password}{range}}}"#
    )
}

pub(super) fn game_join(game: GameId, password: Option<&str>) -> String {
    let password = password.map(|password| format!(r#","password":"{password}""#)).unwrap_or_default();
    format!(r#"{{"command":"game_join","uid":{game}{password}}}"#)
}

pub(super) fn restore(game: GameId) -> String {
    format!(r#"{{"command":"restore_game_session","game_id":{game}}}"#)
}

/// A command of a game process with these arguments, as JSON without brackets.
pub(super) fn process(command: &str, args: &str) -> String {
    format!(r#"{{"target":"game","command":"{command}","args":[{args}]}}"#)
}

pub(super) fn state(state: &str) -> String {
    process("GameState", &format!(r#""{state}""#))
}

/// Statistics of a game with these players, as the game sends them.
pub(super) fn statistics(names: &[String]) -> String {
    let categories = "air land naval experimental cdr tech1 tech2 tech3 engineer transportation sacu";
    let units: Vec<String> = categories
        .split(' ')
        .map(|category| format!(r#"\"{category}\":{{\"built\":3,\"lost\":1,\"kills\":2}}"#))
        .collect();
    let units = units.join(",");
    let army = |name: &String| {
        format!(
            r#"{{\"type\":\"Human\",\"name\":\"{name}\",\"faction\":1,\"general\":{{\"score\":7}},\"units\":{{{units}}},\"blueprints\":{{}}}}"#
        )
    };
    let armies: Vec<String> = names.iter().map(army).collect();
    process("JsonStats", &format!(r#""{{\"stats\":[{}]}}""#, armies.join(",")))
}

/// What clients say before they log in.
pub(super) fn chatter_before_login(random: &mut Random) -> String {
    let sayings = [
        r#"{"command":"ping"}"#,
        r#"{"command":"Bottleneck","target":"game","args":[]}"#,
        r#"{"command":"create_account"}"#,
        r#"{"command":"auth","token":"forbidden","unique_id":""}"#,
        r#"{"command":"auth","token":"nobody","unique_id":""}"#,
        r#"{"command":"coop_list"}"#,
    ];
    random.pick(&sayings).copied().unwrap_or_default().to_owned()
}
