//! A lobby driven by arbitrary bytes: every byte selects something that a client or the server
//! does.
//!
//! The same bytes always drive the same run, so a failure can be repeated. The property tests of
//! the core and its fuzz target both use this module.

use std::time::Duration;

use faf_lobby_core::{ConnId, Settings};
use faf_protocol::PlayerId;

use crate::lobby::SimulatedLobby;
use crate::login_probe::probe_login;
use crate::store::FakeStore;

const LOGINS: [&str; 3] = ["Ada", "Bob", "Cem"];

/// Messages of clients, sensible or not.
const MESSAGES: [&str; 63] = [
    r#"{"command":"ping"}"#,
    r#"{"command":"pong"}"#,
    r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#,
    r#"{"command":"ask_session","user_agent":7}"#,
    r#"{"command":"hello","login":"Ada","password":"wrong","unique_id":""}"#,
    r#"{"command":"hello","login":"Ada"}"#,
    r#"{"command":"auth","token":"1","unique_id":""}"#,
    r#"{"command":"auth","token":"2","unique_id":""}"#,
    r#"{"command":"auth","token":"forbidden","unique_id":""}"#,
    r#"{"command":"create_account"}"#,
    r#"{"command":"social_add","friend":2}"#,
    r#"{"command":"social_add","foe":1}"#,
    r#"{"command":"social_add","foe":99}"#,
    r#"{"command":"social_remove","friend":2}"#,
    r#"{"command":"avatar","action":"list_avatar"}"#,
    r#"{"command":"avatar","action":"select","avatar":null}"#,
    r#"{"command":"avatar","action":"select","avatar":"https://example.org/a.png"}"#,
    r#"{"command":"admin","action":"closelobby","user_id":1}"#,
    r#"{"command":"admin","action":"closelobby","user_id":2}"#,
    r#"{"command":"admin","action":"closeFA","user_id":2}"#,
    r#"{"command":"admin","action":"broadcast","message":"hello"}"#,
    r##"{"command":"admin","action":"join_channel","user_ids":[1,2,3],"channel":"#x"}"##,
    r#"{"command":"coop_list"}"#,
    r#"{"command":"modvault","type":"start"}"#,
    r#"{"command":"modvault","type":"like","uid":"x"}"#,
    r#"{"command":"matchmaker_info"}"#,
    r#"{"command":"restore_game_session","game_id":1}"#,
    r#"{"command":"InitiateTest","target":"connectivity"}"#,
    r#"{"command":"game_host"}"#,
    r#"{"command":"game_host","visibility":"public"}"#,
    r#"{"command":"game_host","visibility":"public","password":"x","mod":"coop"}"#,
    r#"{"command":"game_host","visibility":"friends","rating_min":100,"enforce_rating_range":true}"#,
    r#"{"command":"game_host","visibility":"public","title":"\u00e4"}"#,
    r#"{"command":"game_join","uid":1}"#,
    r#"{"command":"game_join","uid":2,"password":"x"}"#,
    r#"{"command":"restore_game_session","game_id":2}"#,
    r#"{"command":"social_remove","foe":1}"#,
    r#"{"command":"social_add","friend":3}"#,
    r#"{"command":"GameState","target":"game","args":["Idle"]}"#,
    r#"{"command":"GameState","target":"game","args":["Lobby"]}"#,
    r#"{"command":"GameState","target":"game","args":["Launching"]}"#,
    r#"{"command":"GameState","target":"game","args":["Ended"]}"#,
    r#"{"command":"GameOption","target":"game","args":["Slots","4"]}"#,
    r#"{"command":"GameOption","target":"game","args":["ScenarioFile","/maps/x/x_scenario.lua"]}"#,
    r#"{"command":"GameMods","target":"game","args":["uids","a b"]}"#,
    r#"{"command":"GameMods","target":"game","args":["activated",0]}"#,
    r#"{"command":"PlayerOption","target":"game","args":["1","Army",1]}"#,
    r#"{"command":"PlayerOption","target":"game","args":[2,"Army","2"]}"#,
    r#"{"command":"PlayerOption","target":"game","args":[1,"Team",2]}"#,
    r#"{"command":"PlayerOption","target":"game","args":[2,"Team",3]}"#,
    r#"{"command":"AIOption","target":"game","args":["AI: Easy","StartSpot",3]}"#,
    r#"{"command":"ClearSlot","target":"game","args":[3]}"#,
    r#"{"command":"IceMsg","target":"game","args":[2,"{}"]}"#,
    r#"{"command":"GameResult","target":"game","args":[1,"victory 10"]}"#,
    r#"{"command":"GameResult","target":"game","args":["2","recall defeat -10"]}"#,
    r#"{"command":"JsonStats","target":"game","args":["{\"stats\":[]}"]}"#,
    r#"{"command":"Desync","target":"game","args":[]}"#,
    r#"{"command":"EnforceRating","target":"game","args":[]}"#,
    r#"{"command":"OperationComplete","target":"game","args":[1,1,"00:01:02"]}"#,
    r#"{"command":"TeamkillHappened","target":"game","args":[30,2,"Bob",1,"Ada"]}"#,
    r#"{"command":"GameEnded","target":"game","args":[]}"#,
    r#"{"command":"nonsense"}"#,
    r#"{"no":"command"}"#,
];

/// Runs the lobby as these bytes say, and checks its invariants after every step.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(story: &[u8]) {
    let mut store = FakeStore::with_accounts(LOGINS);
    store.account("Ada").permissions =
        vec!["ADMIN_KICK_SERVER", "ADMIN_BROADCAST_MESSAGE", "ADMIN_JOIN_CHANNEL"];
    let settings =
        Settings { idle_timeout: Some(Duration::from_secs(120)), login_attempts: 2, ..Settings::default() };
    let mut lobby = SimulatedLobby::new(settings, store);
    lobby.expects_unknown_requests = true;
    let mut conns: Vec<ConnId> = Vec::new();
    let mut bytes = story.iter().copied();
    while let (Some(step), Some(choice)) = (bytes.next(), bytes.next()) {
        let choice = usize::from(choice);
        let open: Vec<ConnId> = conns.iter().copied().filter(|conn| lobby.is_open(*conn)).collect();
        let somebody = open.get(choice % open.len().max(1)).copied();
        match (step % 16, somebody) {
            (0 | 1, _) if open.len() < 8 => conns.push(lobby.connect()),
            (2 | 3, Some(conn)) => lobby.send_hello(conn, LOGINS[choice / 8 % LOGINS.len()]),
            (4..=8, Some(conn)) => {
                let number = bytes.next().unwrap_or_default();
                lobby.send(conn, MESSAGES[usize::from(number) % MESSAGES.len()]);
            }
            (9, Some(conn)) => lobby.disconnect(conn),
            (10, _) => lobby.holds_replies = !lobby.holds_replies,
            (11, _) => {
                lobby.reply_next();
            }
            (12, _) if lobby.open_requests() > 0 => match choice % 4 {
                0 => _ = lobby.refuse_next_as_busy(),
                1 => {
                    // The shell returns a reply twice.
                    let reply = lobby.perform_next();
                    lobby.reply(reply.clone());
                    lobby.reply(reply);
                }
                _ => _ = lobby.fail_next(),
            },
            (13, _) => lobby.advance(Duration::from_millis(choice as u64 * 40)),
            (14, _) => lobby.advance(Duration::from_secs(choice as u64)),
            (15, _) if choice > 250 => lobby.shut_down(),
            (15, _) => lobby.store.is_unavailable = choice % 8 == 0,
            _ => {}
        }
        lobby.check();
        if choice % 8 == 0 {
            // The player may be online already, or may never have been online.
            probe_login(&lobby.world, lobby.moment(), PlayerId(1 + choice as u32 / 8 % 4));
        }
    }
    lobby.holds_replies = false;
    lobby.store.is_unavailable = false;
    while lobby.reply_next() {}
    // A ping may close a silent connection, and the next report mentions it. A failed write about a
    // game is retried after at most a minute.
    for _ in 0..65 {
        lobby.advance(Duration::from_secs(1));
        lobby.check();
        // A lobby that has stopped leaves unsaved data to its successor.
        if lobby.world.is_settled() || lobby.has_stopped {
            return;
        }
    }
    panic!("work is left: {:?}", lobby.world);
}
