//! A client that receives merged messages has the same state in the end as one that
//! receives everything.

use bytes::BytesMut;
use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::delivery::frames::FrameMemory;

/// A message that the server sends to everyone.
#[derive(Debug, Clone)]
enum Sent {
    Game {
        uid: u32,
        players: usize,
    },
    Players(Vec<(u32, bool)>),
    /// Queues by number, with how many players search.
    Queues(Vec<(u32, u32)>),
    Ping,
    Notice(u32),
    List(u32),
}

const QUEUES: u32 = 4;

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        (0..4_u32, 0..10_usize).prop_map(|(uid, players)| Sent::Game { uid, players }),
        vec((0..5_u32, any::<bool>()), 1..4).prop_map(Sent::Players),
        vec((0..QUEUES, any::<u32>()), 0..4).prop_map(Sent::Queues),
        Just(Sent::Ping),
        any::<u32>().prop_map(Sent::Notice),
    ]
}

/// The messages after a login: first the snapshots, then the changes.
fn evening(most: usize) -> impl Strategy<Value = Vec<Sent>> {
    (vec((0..5_u32).prop_map(Sent::List), 0..4), vec(sent(), 0..most))
        .prop_map(|(lists, sent)| [lists, sent].concat())
}

fn player(id: u32, is_offline: bool) -> Value {
    let rating = serde_json::json!([1500.0, 500.0]);
    let mut player = serde_json::json!({
        "id": id, "login": "x", "country": "", "ratings": {}, "global_rating": rating, "ladder_rating": rating,
        "number_of_games": 0,
    });
    if is_offline {
        player["state"] = "offline".into();
    }
    player
}

fn queue(number: u32, players: u32) -> Value {
    serde_json::json!({
        "queue_name": format!("tmm{number}"), "queue_pop_time": "2030-01-02T18:05:30+00:00",
        "queue_pop_time_delta": 41.07, "num_players": players, "boundary_80s": [[1040, 1440]],
        "boundary_75s": [[1140, 1340]], "team_size": number,
    })
}

fn message(sent: &Sent) -> Arc<Frames> {
    let json = match sent {
        Sent::Game { uid, players } => serde_json::json!({
            "command": "game_info", "visibility": "public", "password_protected": false, "uid": uid, "title": "t",
            "state": "open", "game_type": "custom", "featured_mod": "faf", "sim_mods": {}, "mapname": "m",
            "map_file_path": "maps/m.zip", "host": "Ada", "num_players": players, "max_players": 8, "hosted_at": null,
            "launched_at": null, "rating_type": "global", "rating_min": null, "rating_max": null,
            "enforce_rating_range": false, "teams_ids": [], "teams": {},
        }),
        Sent::Players(players) => {
            // Each id at most once in a message.
            let players: BTreeMap<_, _> = players.iter().copied().collect();
            let players: Vec<_> = players.into_iter().map(|(id, gone)| player(id, gone)).collect();
            serde_json::json!({"command": "player_info", "players": players})
        }
        Sent::Queues(queues) => {
            // Each queue at most once in a message.
            let queues: BTreeMap<_, _> = queues.iter().copied().collect();
            let queues: Vec<_> = queues.into_iter().map(|(number, players)| queue(number, players)).collect();
            serde_json::json!({"command": "matchmaker_info", "queues": queues})
        }
        Sent::Ping => serde_json::json!({"command": "ping"}),
        Sent::Notice(number) => {
            serde_json::json!({"command": "notice", "style": "info", "text": number.to_string()})
        }
        Sent::List(number) => {
            serde_json::json!({"command": "player_info", "players": [player(*number, false)]})
        }
    };
    let message: Message = json.to_string().parse().unwrap();
    let message = ServerMessage::read(message).unwrap();
    let memory = FrameMemory::default();
    if matches!(sent, Sent::List(_)) {
        Frames::of_snapshot(message, &memory)
    } else {
        Frames::new(message, &memory)
    }
}

/// The state that a client has, and the other messages that it has received.
#[derive(Debug, Default, PartialEq)]
struct Client {
    games: BTreeMap<u64, Value>,
    players: BTreeMap<u64, Value>,
    queues: BTreeMap<String, Value>,
    notices: Vec<Value>,
    has_ping: bool,
}

impl Client {
    fn receive(&mut self, decoder: &mut Decoder, frame: &Bytes) {
        let mut buffer = BytesMut::from(&frame[..]);
        while let Some(Decoded::Message(message)) = decoder.decode(&mut buffer).unwrap() {
            let value: Value = serde_json::from_str(&message.to_string()).unwrap();
            match value["command"].as_str().unwrap() {
                "game_info" => drop(self.games.insert(value["uid"].as_u64().unwrap(), value)),
                "player_info" => {
                    let players = value["players"].as_array().unwrap();
                    assert!((1..=PLAYERS_PER_MESSAGE).contains(&players.len()));
                    for player in players {
                        self.players.insert(player["id"].as_u64().unwrap(), player.clone());
                    }
                }
                "matchmaker_info" => {
                    for queue in value["queues"].as_array().unwrap() {
                        self.queues.insert(queue["queue_name"].as_str().unwrap().to_owned(), queue.clone());
                    }
                }
                "ping" => self.has_ping = true,
                _ => self.notices.push(value),
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_by_merging(sent in evening(60), most in 0..20_usize, cuts in vec(0..300_usize, 0..30)) {
        for format in [WireFormat::QDataStream, WireFormat::SimpleJson] {
            let decoder = || Decoder::new(format, Limits::default());
            let (mut merged, mut merged_decoder) = (Client::default(), decoder());
            let (mut full, mut full_decoder) = (Client::default(), decoder());
            let mut backlog = Backlog::new(format, 0);
            let mut cuts = cuts.iter();
            for sent in &sent {
                let frames = message(sent);
                full.receive(&mut full_decoder, frames.get(format).unwrap());
                backlog.push(&frames, Kind::Unsolicited, most);
                // Now and then the client takes some of the messages.
                if let Some(most) = cuts.next() {
                    backlog.confirm_taken();
                    for frame in backlog.take_front(*most) {
                        merged.receive(&mut merged_decoder, &frame);
                    }
                }
            }
            for frame in backlog.take_front(usize::MAX) {
                merged.receive(&mut merged_decoder, &frame);
            }
            prop_assert_eq!(&merged, &full);
            // Now the client has taken these, too.
            backlog.confirm_taken();
            prop_assert!(backlog.is_empty() && !backlog.counts_against_client());
            prop_assert_eq!((backlog.answers(), backlog.own_memory(), backlog.freeable_memory()), (0, 0, 0));
            prop_assert!(backlog.games.is_empty() && backlog.players.is_empty() && !backlog.has_ping);
            prop_assert!(backlog.player_lists.is_empty() && backlog.listed_players == 0);
            prop_assert!(backlog.queues.is_empty());
        }
    }

    /// The memory of states is bounded by the number of games, players and queues.
    #[test]
    fn state_does_not_grow(sent in vec(sent(), 0..300)) {
        let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
        let is_state = |sent: &&Sent| match sent {
            Sent::Game { .. } | Sent::Players(_) | Sent::Ping => true,
            Sent::Queues(queues) => !queues.is_empty(),
            Sent::Notice(_) | Sent::List(_) => false,
        };
        for sent in sent.iter().filter(is_state) {
            backlog.push(&message(sent), Kind::Unsolicited, 0);
        }
        let queues = QUEUES as usize;
        prop_assert!(backlog.entries.len() <= 4 + 1 + 1 + queues);
        prop_assert!(backlog.queues.values().map(Vec::len).sum::<usize>() <= queues);
        let messages = (4 + queues) * (1024 + ENTRY_COST_BYTES);
        prop_assert!(backlog.freeable_memory() <= messages + 5 * ENTRY_COST_BYTES + 3 * ENTRY_COST_BYTES);
    }
}

#[test]
fn players_are_sent_before_their_game() {
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    for sent in [
        Sent::Game { uid: 1, players: 1 },
        Sent::Players(vec![(7, false)]),
        Sent::Notice(1),
        Sent::Players(vec![(8, false)]),
        Sent::Game { uid: 1, players: 2 },
    ] {
        backlog.push(&message(&sent), Kind::Unsolicited, 0);
    }
    let frames = backlog.take_front(usize::MAX);
    let texts: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(frame)).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].contains("\"id\":7") && texts[0].contains("\"id\":8"));
    assert!(texts[1].contains("notice"));
    assert!(texts[2].contains("\"num_players\":2"));
}

#[test]
fn many_players_come_in_several_messages() {
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    let all = (0..1000).map(|id| (id, false)).collect();
    backlog.push(&message(&Sent::Players(all)), Kind::Unsolicited, 999);
    assert_eq!(backlog.own_memory(), 1001 * ENTRY_COST_BYTES);
    let mut counts = Vec::new();
    while !backlog.is_empty() {
        for frame in backlog.take_front(1) {
            counts.push(String::from_utf8_lossy(&frame).matches("\"login\"").count());
        }
    }
    assert_eq!(counts, [256, 256, 256, 232]);
    // The last message counts until the client has taken it.
    assert!(backlog.own_memory() > 0);
    backlog.confirm_taken();
    assert_eq!(backlog.own_memory(), 0);
}

#[test]
fn players_are_not_merged_before_it_pays() {
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    for id in 0..10 {
        backlog.push(&message(&Sent::Players(vec![(id, false)])), Kind::Unsolicited, 10);
    }
    assert_eq!((backlog.entries.len(), backlog.players.len()), (10, 0));
    backlog.push(&message(&Sent::Players(vec![(3, true)])), Kind::Unsolicited, 10);
    assert_eq!((backlog.entries.len(), backlog.players.len()), (1, 10));
    assert_eq!(backlog.take_merged(), 1);
}

/// Returns the queues of each message that waits, in its order, with their numbers of players.
fn queues_of(front: &[Bytes]) -> Vec<Vec<(String, u64)>> {
    let lines = front.iter().map(|frame| serde_json::from_slice::<Value>(frame).unwrap());
    let queues = |message: Value| {
        let queues = message["queues"].as_array().unwrap().iter();
        let of = |queue: &Value| {
            (queue["queue_name"].as_str().unwrap().to_owned(), queue["num_players"].as_u64().unwrap())
        };
        queues.map(of).collect()
    };
    lines.map(queues).collect()
}

#[test]
fn report_of_queues_is_replaced_when_later_ones_have_all_of_its_queues() {
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    let reports: [&[(u32, u32)]; 5] = [&[(1, 1), (2, 1)], &[(1, 2)], &[(3, 1)], &[(2, 3), (1, 3)], &[(2, 4)]];
    for queues in reports {
        backlog.push(&message(&Sent::Queues(queues.to_vec())), Kind::Unsolicited, 0);
    }
    assert_eq!((backlog.take_merged(), backlog.own_memory()), (2, 3 * ENTRY_COST_BYTES));
    let tmm = |number: u32, players| (format!("tmm{number}"), players);
    let expected = [vec![tmm(3, 1)], vec![tmm(1, 3), tmm(2, 3)], vec![tmm(2, 4)]];
    assert_eq!(queues_of(&backlog.take_front(usize::MAX)), expected);
}

#[test]
fn report_of_queues_is_encoded_once_for_all_clients_that_are_behind() {
    let report = message(&Sent::Queues(vec![(1, 1), (2, 1)]));
    let later = message(&Sent::Queues(vec![(2, 2)]));
    let mut fronts = [1, 2].map(|_| {
        let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
        backlog.push(&report, Kind::Unsolicited, 0);
        backlog.push(&later, Kind::Unsolicited, 0);
        backlog.take_front(usize::MAX)
    });
    let places = fronts.each_mut().map(|front| front.iter().map(|frame| frame.as_ptr()).collect::<Vec<_>>());
    assert_eq!(places[0].len(), 2);
    assert_eq!(places[0], places[1]);
}

/// A client may need all queues in one message, so that reports of single queues do not replace it.
#[test]
fn response_with_all_queues_is_always_delivered() {
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    let mut push =
        |queues: &[(u32, u32)], kind| backlog.push(&message(&Sent::Queues(queues.to_vec())), kind, 0);
    push(&[(1, 1)], Kind::Unsolicited);
    push(&[(1, 1), (2, 1)], Kind::Answer);
    push(&[(1, 2)], Kind::Unsolicited);
    push(&[(2, 3)], Kind::Unsolicited);
    push(&[(1, 2), (2, 3)], Kind::Answer);
    push(&[], Kind::Answer);
    assert!(backlog.answers() > 3 * ENTRY_COST_BYTES);
    let counts: Vec<_> = queues_of(&backlog.take_front(usize::MAX)).iter().map(Vec::len).collect();
    assert_eq!(counts, [2, 1, 1, 2, 0]);
    assert_eq!((backlog.answers(), backlog.take_merged()), (0, 1));
}

#[test]
fn only_answers_to_commands_count_as_answers() {
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    let social = r#"{"command":"social","autojoin":[],"channels":[],"friends":[1],"foes":[2],"power":0}"#;
    let social = ServerMessage::read(social.parse().unwrap()).unwrap();
    backlog.push(&Frames::new(social, &FrameMemory::default()), Kind::Answer, 0);
    for sent in [Sent::List(1), Sent::Players(vec![(1, false)]), Sent::Game { uid: 1, players: 1 }] {
        backlog.push(&message(&sent), Kind::Answer, 0);
    }
    backlog.push(&message(&Sent::Notice(1)), Kind::Unsolicited, 0);
    assert_eq!(backlog.answers(), 0);
    backlog.push(&message(&Sent::Notice(1)), Kind::Answer, 0);
    assert!(backlog.answers() > ENTRY_COST_BYTES);
}

#[test]
fn offered_messages_count_until_they_are_taken() {
    let memory = FrameMemory::default();
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    let text = ServerMessage::Notice(faf_protocol::server_message::Notice::new(
        faf_protocol::server_message::NoticeStyle::Info,
        "x".repeat(1000),
    ));
    backlog.push(&Frames::new(text, &memory), Kind::Unsolicited, 0);
    assert_eq!(backlog.take_front(1).len(), 1);
    assert!(memory.bytes() > 1000 && backlog.freeable_memory() > 1000 && backlog.counts_against_client());
    backlog.confirm_taken();
    assert_eq!((memory.bytes(), backlog.freeable_memory(), backlog.counts_against_client()), (0, 0, false));
}

#[test]
fn merged_players_with_long_texts_fit_into_messages_that_clients_read() {
    let with_texts = |id: u32| {
        let mut player = player(id, false);
        player["avatar"] = serde_json::json!({"url": "u".repeat(20_000), "tooltip": "t"});
        player
    };
    let list = |ids: std::ops::Range<u32>| {
        let players: Vec<_> = ids.map(with_texts).collect();
        let json = serde_json::json!({"command": "player_info", "players": players});
        let message = ServerMessage::read(json.to_string().parse().unwrap()).unwrap();
        Frames::new(message, &FrameMemory::default())
    };
    let mut backlog = Backlog::new(WireFormat::SimpleJson, 0);
    (0..6).for_each(|part| backlog.push(&list(part * 10..part * 10 + 10), Kind::Unsolicited, 20));
    let front = backlog.take_front(usize::MAX);
    assert!(front.len() > 1);
    for frame in &front {
        assert!(frame.len() <= lists::LIST_LIMIT, "{} bytes", frame.len());
    }
    assert_eq!(
        front.iter().map(|frame| frame.windows(4).filter(|part| *part == b"\"id\"").count()).sum::<usize>(),
        60
    );
}
