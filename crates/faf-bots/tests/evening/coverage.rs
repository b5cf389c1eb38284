//! An evening of bots exercises the whole protocol, so that a recording of one does.

use std::time::Duration;

use faf_lobby_store::seed::SeedFile;
use faf_protocol::client_message::{AvatarAction, ClientCommand, GameHost, ModvaultAction};
use faf_protocol::gpgnet::GameCommand;
use faf_protocol::server_message::Visibility;
use faf_protocol::{ClientMessage, PlayerId, Secret};
use faf_testkit::store::{FakeAccount, FakeStore};

use super::{Evening, LOGINS};

/// Commands that no bot sends, with the reason.
const NEVER: [(ClientCommand, &str); 4] = [
    (ClientCommand::Admin, "only clients of moderators send it"),
    (ClientCommand::CreateAccount, "every server refuses it"),
    (ClientCommand::InitiateTest, "only clients of 2016 and before send it"),
    (ClientCommand::Bottleneck, "game processes send it, with their target"),
];

/// Missions, mods and queues of the evening, as a seed.
const SEED: &str = r#"{
    "featured_mods": [
        {"id": 27, "technical_name": "fafdevelop", "name": "FAF Develop", "publish": true},
        {"id": 4, "technical_name": "nomads", "name": "Nomads", "publish": true}
    ],
    "maps": [
        {"map_id": 1, "version_id": 7, "display_name": "Theta Passage", "filename": "maps/scmp_007.zip",
         "version": 1, "ranked": true, "max_players": 4, "width": 256, "height": 256}
    ],
    "coop_maps": [{"id": 1, "type": 0, "name": "Black Day", "filename": "maps/scca_coop_e01.v0018.zip", "version": 18}],
    "mods": [
        {"id": 1, "version_id": 1, "display_name": "More units", "author": "Ada", "uid": "units", "type": "SIM",
         "version": 1, "description": "", "filename": "units.v0001.zip", "ranked": true, "hidden": false, "likes": 0,
         "likers": "[]", "downloads": 0, "played": 0, "created": "2023-03-03 12:00:00"}
    ],
    "map_pools": [{"id": 1, "name": "all", "maps": [{"version_id": 7, "weight": 1}]}],
    "queues": [
        {"id": 1, "technical_name": "ladder1v1", "featured_mod": "faf", "leaderboard": "ladder_1v1", "team_size": 1,
         "enabled": true, "pools": [{"pool": 1}]},
        {"id": 2, "technical_name": "tmm2v2", "featured_mod": "faf", "leaderboard": "global", "team_size": 2,
         "enabled": true, "pools": [{"pool": 1}]}
    ]
}"#;

/// Kinds of requests that an evening must have.
const KINDS: [&str; 21] = [
    "avatar list",
    "avatar select",
    "game_host enforced range",
    "game_host friends",
    "game_host of coop",
    "game_host password",
    "game_host public",
    "game_host rating range",
    "game_join",
    "game_join right password",
    "game_join wrong password",
    "game_matchmaking start",
    "game_matchmaking stop",
    "modvault download",
    "modvault like",
    "modvault start",
    "social_add foe",
    "social_add friend",
    "social_remove foe",
    "social_remove friend",
    "set_player_vetoes of a map",
];

/// Most hours that an evening lasts until everything has happened; two are usual.
const LONGEST_EVENING: u32 = 8;

/// Returns the kind of a request whose command has several.
pub(crate) fn kind(message: &ClientMessage) -> Option<String> {
    let relation = |friend: bool| if friend { "friend" } else { "foe" };
    Some(match message {
        ClientMessage::SocialAdd(subject) => format!("social_add {}", relation(subject.friend.is_some())),
        ClientMessage::SocialRemove(subject) => {
            format!("social_remove {}", relation(subject.friend.is_some()))
        }
        ClientMessage::Avatar(AvatarAction::List) => "avatar list".to_owned(),
        ClientMessage::Avatar(_) => "avatar select".to_owned(),
        ClientMessage::Modvault(ModvaultAction::Start) => "modvault start".to_owned(),
        ClientMessage::Modvault(ModvaultAction::Like { .. }) => "modvault like".to_owned(),
        ClientMessage::Modvault(ModvaultAction::Download { .. }) => "modvault download".to_owned(),
        ClientMessage::GameMatchmaking(search) => format!("game_matchmaking {}", search.state),
        ClientMessage::SetPlayerVetoes(vetoes) if !vetoes.vetoes.is_empty() => {
            "set_player_vetoes of a map".to_owned()
        }
        ClientMessage::GameJoin(join) => match join.password.as_ref().map(Secret::reveal) {
            None => "game_join".to_owned(),
            Some(faf_bots::GAME_PASSWORD) => "game_join right password".to_owned(),
            Some(_) => "game_join wrong password".to_owned(),
        },
        ClientMessage::GameHost(host) => format!("game_host {}", kind_of_host(host)),
        _ => return None,
    })
}

fn kind_of_host(host: &GameHost) -> &'static str {
    let is_bounded = host.rating_min.is_some() || host.rating_max.is_some();
    match (host.visibility, host.featured_mod.as_deref()) {
        _ if host.password.is_some() => "password",
        _ if is_bounded && host.enforce_rating_range => "enforced range",
        _ if is_bounded => "rating range",
        (Visibility::Friends, _) => "friends",
        (Visibility::Public, Some("coop")) => "of coop",
        (Visibility::Public, _) => "public",
    }
}

#[test]
fn every_command_of_clients_and_games_is_sent() {
    let mut store = FakeStore::default();
    store.plant(SeedFile::parse(SEED).unwrap()).unwrap();
    for (number, login) in (1..).zip(LOGINS) {
        store.add_account(FakeAccount::new(PlayerId(number), login.to_owned(), format!("{login}-pw")));
    }
    let mut evening = Evening::with(5, LOGINS.len(), store);
    let mut missing = Vec::new();
    for _ in 0..LONGEST_EVENING {
        evening.run(Duration::from_secs(3600));
        missing = missing_in(&evening);
        if missing.is_empty() {
            break;
        }
    }
    assert_eq!(missing, [""; 0], "{:?} {:?}", evening.tally, evening.kinds);
    for (command, _) in NEVER {
        assert!(!evening.tally.sent.contains_key(command.name()), "{}", command.name());
    }
}

/// Returns the commands and kinds of requests that nobody has sent yet.
fn missing_in(evening: &Evening) -> Vec<&'static str> {
    let tally = &evening.tally;
    let is_sent = |command: &ClientCommand| {
        tally.sent.contains_key(command.name()) || NEVER.iter().any(|(never, _)| never == command)
    };
    let of_clients =
        ClientCommand::ALL.iter().filter(|command| !is_sent(command)).map(|command| command.name());
    let of_games = GameCommand::ALL.iter().map(|command| command.name());
    let of_games = of_games.filter(|command| !tally.sent_by_games.contains_key(*command));
    let kinds = KINDS.into_iter().filter(|kind| !evening.kinds.contains_key(*kind));
    let counts =
        [("matches", tally.matches), ("matches cancelled", tally.cancelled), ("games ended", tally.ended)];
    let counts = counts.into_iter().filter(|(_, count)| *count == 0).map(|(what, _)| what);
    of_clients.chain(of_games).chain(kinds).chain(counts).collect()
}
