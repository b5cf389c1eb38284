//! The measured messages: those that a lobby sends and receives most, and the largest message of
//! clients.

use std::sync::Arc;

use faf_protocol::server_message::{
    Avatar, LeaderboardRating, Player, PlayerList, Rating, Ratings, ServerMessage,
};
use faf_protocol::{Encode as _, Message, PlayerId};

/// A message with its name in reports.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) message: ServerMessage,
}

impl Sample {
    /// Returns the message as text, as a peer would send it.
    pub(crate) fn text(&self) -> String {
        let mut json = Vec::new();
        self.message.write_json(&mut json).expect("samples are representable");
        String::from_utf8(json).expect("JSON is UTF-8")
    }
}

pub(crate) fn all() -> Vec<Sample> {
    vec![
        Sample { name: "ping", message: ServerMessage::Ping },
        Sample { name: "player_info of 1", message: players(1) },
        Sample { name: "player_info of 100", message: players(100) },
        Sample { name: "game_info", message: read(GAME) },
        Sample { name: "JsonStats of 20 KB", message: stats() },
    ]
}

fn read(text: &str) -> ServerMessage {
    let message: Message = text.parse().expect("samples are messages");
    ServerMessage::read(message).expect("samples are messages of the server")
}

fn players(count: u32) -> ServerMessage {
    let leaderboards: Vec<Arc<str>> =
        ["global", "ladder_1v1", "tmm_2v2", "tmm_4v4_full_share"].map(Arc::from).into();
    let player = |number: u32| {
        let rating = |offset: u32| LeaderboardRating {
            rating: Rating { mean: 812.5 + f64::from(number * 7 % 1300 + offset) + 0.0625, deviation: 78.25 },
            number_of_games: number * 31 % 2000 + offset,
        };
        let ratings = leaderboards.iter().cloned().zip((0..).map(rating)).collect();
        Arc::new(Player {
            id: PlayerId(100_000 + number),
            login: format!("Commander{number}"),
            avatar: number.is_multiple_of(3).then(|| {
                Box::new(Avatar {
                    url: "https://content.faforever.com/faf/avatars/ICE_Test.png".to_owned(),
                    tooltip: "Tournament winner".to_owned(),
                })
            }),
            country: "DE".parse().expect("it is a code"),
            clan: number.is_multiple_of(2).then(|| "XYZ".to_owned()),
            state: None,
            ratings: Ratings(ratings),
            global_rating: rating(0).rating,
            ladder_rating: rating(1).rating,
            number_of_games: rating(0).number_of_games,
        })
    };
    ServerMessage::PlayerInfo(Arc::new(PlayerList { players: (1..=count).map(player).collect() }))
}

const GAME: &str = r#"{"command":"game_info","visibility":"public","password_protected":false,"uid":23456789,"title":"4v4 Setons 1500+ all welcome","state":"open","game_type":"custom","featured_mod":"faf","sim_mods":{"e7846e9b-23a4-4b95-ae3a-fb69b289a585":"Score for all armies","62e2j64a-53a2-y6sg-32h5-146as555a18u3":"Total Mayhem"},"mapname":"setons_clutch.v0002","map_file_path":"maps/setons_clutch.v0002.zip","host":"Commander1","num_players":7,"max_players":8,"hosted_at":"2026-07-01T12:00:00.250000+00:00","launched_at":null,"rating_type":"global","rating_min":1500.0,"rating_max":null,"enforce_rating_range":false,"teams_ids":[{"team_id":2,"player_ids":[100001,100003,100005,100007]},{"team_id":3,"player_ids":[100002,100004,100006]}],"teams":{"2":["Commander1","Commander3","Commander5","Commander7"],"3":["Commander2","Commander4","Commander6"]}}"#;

/// The statistics that a game reports when it ends: JSON text in a string, so every quote of it
/// is escaped.
fn stats() -> ServerMessage {
    let mut armies = String::new();
    let mut army = 0;
    while armies.len() < 17_500 {
        army += 1;
        let units = [
            "land",
            "air",
            "naval",
            "cdr",
            "experimental",
            "tech1",
            "tech2",
            "tech3",
            "engineer",
            "transportation",
            "sacu",
        ];
        let units: Vec<String> = units
            .iter()
            .map(|unit| format!(r#""{unit}":{{"lost":{army},"built":{},"kills":{}}}"#, army * 17, army * 13))
            .collect();
        armies += &format!(
            r#"{{"faction":{},"type":"Human","name":"Commander{army}","general":{{"mass":{{"produced":{}.5,"consumed":{}.25}},"kills":{{"count":{},"mass":{}.75}},"score":{}}},"blueprints":{{"uel0105":{{"built":{}}}}},"units":{{{}}}}},"#,
            army % 4 + 1,
            army * 40_321,
            army * 39_999,
            army * 211,
            army * 51_234,
            army * 1234,
            army * 40,
            units.join(",")
        );
    }
    let stats = format!(r#"{{"stats":[{}]}}"#, armies.trim_end_matches(','));
    let text = serde_json::to_string(&stats).expect("text");
    read(&format!(r#"{{"command":"JsonStats","target":"game","args":[{text}]}}"#))
}
