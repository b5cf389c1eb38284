//! Recording and replaying without sockets.

mod disk;
mod matchmaking;
mod other_services;
mod rig;

use std::time::Duration;

use faf_lobby_core::{ConnId, Effect, Event};
use faf_protocol::{ClientMessage, Message};
use faf_sessions::transcript::{Record, Sent};
use faf_testkit::golden;
use faf_testkit::golden::sessions;
use faf_testkit::golden::wire::{bytes, vectors};

use super::Bounds;
use super::format::{FORMAT, Line, write_input, write_outcome};
use super::replay::{Ending, Replay, ReplayError, Verdict};
use super::scrub::Scrubber;
use rig::{NAMES, Rig, replay, verdicts};

/// Everything in one file.
const LARGE: Bounds = Bounds { size: u64::MAX, files: 10 };

/// A new file as soon as the inputs after the world are as long as the world itself.
const SMALL: Bounds = Bounds { size: 0, files: 10_000 };

const HOST: &str = r#"{"command":"game_host","visibility":"public","title":"t","password":"game-pw"}"#;

/// Sends a message of the game process of a connection.
fn game(rig: &mut Rig, conn: ConnId, command: &str, args: &str) {
    rig.send(conn, &format!(r#"{{"command":"{command}","target":"game","args":{args}}}"#));
}

/// Ada hosts a game with a password, and Bob joins it on the second try.
fn host_and_join(rig: &mut Rig) -> (ConnId, ConnId) {
    let (ada, bob) = (rig.log_in(1, "Ada"), rig.log_in(2, "Bob"));
    rig.send(ada, HOST);
    game(rig, ada, "GameState", r#"["Idle"]"#);
    game(rig, ada, "GameState", r#"["Lobby"]"#);
    rig.send(bob, r#"{"command":"game_join","uid":1,"password":"wrong-pw"}"#);
    rig.send(bob, r#"{"command":"game_join","uid":1,"password":"game-pw"}"#);
    game(rig, bob, "GameState", r#"["Idle"]"#);
    game(rig, bob, "GameState", r#"["Lobby"]"#);
    (ada, bob)
}

/// They play, and leave.
fn play(rig: &mut Rig, (ada, bob): (ConnId, ConnId)) {
    for (player, army) in [(1, 1), (2, 2)] {
        for key in ["Faction", "Color", "StartSpot", "Army"] {
            game(rig, ada, "PlayerOption", &format!(r#"[{player},"{key}",{army}]"#));
        }
        game(rig, ada, "PlayerOption", &format!(r#"[{player},"Team",{}]"#, army + 1));
    }
    for conn in [ada, bob] {
        game(rig, conn, "GameState", r#"["Launching"]"#);
    }
    rig.advance(Duration::from_secs(700));
    for conn in [ada, bob] {
        game(rig, conn, "GameResult", r#"[1,"victory 10"]"#);
        game(rig, conn, "GameResult", r#"[2,"defeat -10"]"#);
    }
    for conn in [ada, bob] {
        game(rig, conn, "GameEnded", "[]");
        game(rig, conn, "GameState", r#"["Ended"]"#);
    }
    rig.advance(Duration::from_secs(2));
    rig.tell(Some(Event::Disconnected { conn: bob }));
}

fn check_no_secrets(recording: &[u8]) {
    for secret in ["-pw", "a.secret.token"] {
        let found = recording.windows(secret.len()).position(|window| window == secret.as_bytes());
        assert_eq!(found, None, "{secret} is in {}", String::from_utf8_lossy(recording));
    }
}

#[test]
fn a_whole_game_is_replayed() {
    let mut rig = Rig::new(LARGE);
    let conns = host_and_join(&mut rig);
    play(&mut rig, conns);
    let seen = rig.effects.iter().map(|(_, effect)| format!("{effect:?}")).collect::<Vec<_>>();
    assert!(
        seen.iter().any(|effect| effect.contains("BadPassword"))
            && seen.iter().any(|effect| effect.contains("GameResults"))
    );
    let (inputs, state) = (rig.effects.last().unwrap().0, serde_json::to_string(&rig.world).unwrap());
    let disk = rig.finish();
    assert_eq!(disk.names(), ["lobby-20260701T120000Z-0001.jsonl"]);
    let [recording] = &disk.recordings()[..] else { panic!() };
    check_no_secrets(recording);
    let (replayed, last, ending) = replay(recording);
    assert_eq!((last, ending), (inputs, Ending::Marked("the server has ended".to_owned())));
    assert_eq!(serde_json::to_string(replayed.world()).unwrap(), state);
    // The effects are equal, apart from the secrets, which their text does not show.
    let (mut again, mut effects) = (Replay::read(&recording[..]).unwrap(), Vec::new());
    while let Some(played) = again.step().unwrap() {
        effects.extend(played.effects.iter().map(|effect| format!("{effect:?}")));
    }
    assert_eq!(effects, seen);
}

#[test]
fn secrets_in_the_world_are_replaced_and_still_work() {
    let mut rig = Rig::new(SMALL);
    let (ada, bob) = (rig.log_in(1, "Ada"), rig.log_in(2, "Bob"));
    let watcher = rig.connect(3);
    rig.send(ada, HOST);
    game(&mut rig, ada, "GameState", r#"["Idle"]"#);
    game(&mut rig, ada, "GameState", r#"["Lobby"]"#);
    rig.holds_replies = true;
    // A password that is kept while its owner's bans are looked up, and others in messages that
    // wait after it.
    rig.send(bob, r#"{"command":"game_join","uid":1,"password":"game-pw"}"#);
    rig.send(bob, r#"{"command":"of_tomorrow","password":"other-pw"}"#);
    let stranger = rig.connect(4);
    rig.send(stranger, r#"{"command":"auth","token":"a.secret.token","unique_id":""}"#);
    rig.send(stranger, r#"{"command":"hello","login":"Cem","password":"Cem-pw","unique_id":""}"#);
    let files = rig.disk.names().len();
    rig.ping_until(watcher, "a new file", |disk| disk.names().len() > files + 1);
    rig.holds_replies = false;
    while rig.reply_next() {}
    assert!(rig.effects.iter().any(|(_, effect)| format!("{effect:?}").contains("GameLaunch")), "Bob is in");
    let recordings = rig.finish().recordings();
    let worlds = recordings.iter().map(|file| file.split(|byte| *byte == b'\n').next().unwrap());
    let replaced = |world: &[u8]| String::from_utf8_lossy(world).matches("\"secret:").count();
    // The game's, that of the join, and the two that wait.
    assert_eq!(worlds.map(replaced).max(), Some(4));
    for recording in &recordings {
        check_no_secrets(recording);
        replay(recording);
    }
}

#[test]
fn every_file_can_be_replayed_alone_and_the_oldest_are_removed() {
    let mut rig = Rig::new(Bounds { size: 20_000, files: 3 });
    rig.disk.set(|disk| {
        for name in ["lobby-20250701T120000Z-0001.jsonl", "lobby-20250701T120000Z-0001.jsonl.gz", "notes.txt"]
        {
            disk.files.insert(name.to_owned(), Vec::new());
        }
    });
    let conns = host_and_join(&mut rig);
    play(&mut rig, conns);
    rig.ping_until(conns.0, "five files", |disk| {
        disk.names().iter().any(|name| name == "lobby-20260701T121142Z-0005.jsonl")
    });
    let disk = rig.finish();
    let names = disk.names();
    assert_eq!(names[0], "lobby-20250701T120000Z-0001.jsonl.gz");
    assert_eq!((names.len(), names[4].as_str()), (5, "notes.txt"));
    let mut next = None;
    for recording in disk.recordings() {
        assert!(recording.len() < 25_000, "{}", recording.len());
        let (replayed, last, _) = replay(&recording);
        let first = replayed.header().first;
        assert!(next.is_none_or(|next| next == first), "{next:?} {first}");
        next = Some(last + 1);
    }
}

#[test]
fn a_file_that_is_cut_anywhere_can_be_replayed_so_far() {
    let mut rig = Rig::new(LARGE);
    rig.log_in(1, "Ada");
    let recording = rig.finish().recordings().remove(0);
    let header = recording.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in 0..header {
        assert!(matches!(Replay::read(&recording[..length]), Err(ReplayError::Empty)), "{length}");
    }
    for length in header..recording.len() {
        let (_, last, ending) = replay(&recording[..length]);
        let lines = recording[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(last, lines - 1);
        match recording[length - 1] {
            b'\n' => assert_eq!(ending, Ending::Unmarked),
            _ => assert_eq!(ending, Ending::Cut(lines + 1)),
        }
    }
}

#[test]
fn changes_are_found() {
    let mut rig = Rig::new(LARGE);
    host_and_join(&mut rig);
    let recording = String::from_utf8(rig.finish().recordings().remove(0)).unwrap();
    let lines: Vec<&str> = recording.lines().collect();
    let hello = lines.iter().position(|line| line.contains("\"login\":\"Bob\"")).unwrap();
    let changed = |line: &str| {
        let mut lines = lines.clone();
        lines[hello] = line;
        lines.join("\n") + "\n"
    };
    let first_other = |text: &str| {
        let found = verdicts(text.as_bytes()).into_iter().find(|(_, verdict)| *verdict != Verdict::Same);
        found.map(|(number, _)| number as usize)
    };
    assert_eq!(first_other(&changed(lines[hello])), None);
    // Another player asks, or none; or the hash differs.
    assert_eq!(first_other(&changed(&lines[hello].replace("Bob", "Cem"))), Some(hello));
    let (input, _) = lines[hello].split_once(",\"event\"").unwrap();
    let (_, outcome) = lines[hello].split_once(",\"effects\"").unwrap();
    assert_eq!(first_other(&changed(&format!("{input},\"event\":null,\"effects\"{outcome}"))), Some(hello));
    let hash = lines[hello].find("\"hash\":\"").unwrap() + 8;
    let digit = if lines[hello].as_bytes()[hash] == b'0' { "1" } else { "0" };
    let mut other = lines[hello].to_owned();
    other.replace_range(hash..=hash, digit);
    assert_eq!(first_other(&changed(&other)), Some(hello));

    let damage = |text: &str| {
        let mut replay = Replay::read(text.as_bytes()).unwrap();
        loop {
            match replay.step() {
                Ok(played) => assert!(played.is_some(), "it is not found"),
                Err(error) => return error.to_string(),
            }
        }
    };
    let place = format!("line {} is damaged: ", hello + 1);
    assert_eq!(damage(&changed("")), format!("{place}EOF while parsing a value at line 2 column 0"));
    assert!(damage(&changed(&lines[hello][..50])).starts_with(&place));
    let without = [&lines[..hello], &lines[hello + 1..]].concat().join("\n") + "\n";
    assert_eq!(damage(&without), format!("{place}event {hello} should come here, not event {}", hello + 1));
}

#[test]
fn other_files_are_refused_with_a_reason() {
    let open = |text: &str| Replay::read(text.as_bytes()).unwrap_err().to_string();
    assert!(open("{\"faf_lobby\":1}\n").starts_with("this is not a recording"));
    assert!(open("SQLite format 3\0").starts_with("this is not a recording"));
    let head = |format: u32| format!("{{\"faf_lobby_recording\":{format}");
    let refused = format!("has format {}, and only format {FORMAT}", FORMAT + 1);
    assert!(open(&format!("{},\"x\":1}}\n", head(FORMAT + 1))).contains(&refused));
    assert!(open(&format!("{}}}\n", head(FORMAT))).starts_with("line 1 is damaged: missing field"));
    assert!(open(&head(FORMAT)).starts_with("it is empty"));
    let recording = String::from_utf8(Rig::new(LARGE).finish().recordings().remove(0)).unwrap();
    let other = recording.replace("\"server\":\"0", "\"server\":\"10").replace("\"next_ping\"", "\"ping\"");
    let error = open(&other);
    assert!(error.contains("was recorded by faf-lobby 10.") && error.contains("next_ping"), "{error}");
}

/// The lobby fails on an event that is recorded before it fails.
#[test]
fn the_event_on_which_the_lobby_fails_is_recorded() {
    let mut rig = Rig::new(LARGE);
    let ada = rig.log_in(1, "Ada");
    let event = Event::Received { conn: ada, message: Ok(ClientMessage::Ping) };
    let number = rig.effects.last().unwrap().0 + 1;
    let Rig { recorder, world, disk, .. } = rig;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let failed = runtime.block_on(async move {
        // Like the loop of the lobby: a task that has waited before.
        let task = tokio::spawn(async move {
            let mut recorder = recorder;
            tokio::task::yield_now().await;
            recorder.begin(&world, rig::moment(Duration::from_secs(1)), Some(&event));
            recorder.note(&Effect::Done { conn: ada });
            panic!("a part of this test");
        });
        task.await
    });
    assert!(failed.is_err());
    let recording = disk.recordings().remove(0);
    assert_eq!(verdicts(&recording).last(), Some(&(number, Verdict::FailedWhenRecorded)));
    let text = String::from_utf8(recording).unwrap();
    assert!(text.ends_with(&format!("{{\"end\":\"the lobby has failed on event {number}\"}}\n")), "{text}");
}

/// Every message a client can send is recorded so that it can be read again.
#[test]
fn every_recorded_message_can_be_read() {
    let mut messages: Vec<Message> = Vec::new();
    for (_, transcript) in sessions::all() {
        for record in transcript.records {
            if let Record::Send(_, Sent::Message(message)) = record {
                messages.push(message);
            }
        }
    }
    for op in ["decode_message", "read_stream"] {
        for vector in vectors("simplejson", op) {
            let inputs = match vector.input.get("chunks") {
                Some(chunks) => chunks.as_array().unwrap().iter().flat_map(bytes).collect(),
                None => bytes(&vector.input["bytes"]),
            };
            let lines = inputs.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
            messages.extend(lines.filter_map(|line| line.parse().ok()));
        }
    }
    let deep = format!("{{\"command\":\"x\",\"deep\":{}{}}}", "[".repeat(120), "]".repeat(120));
    messages.push(deep.parse().unwrap());
    messages.push(r#"{"command":"x","float":0.1,"big":123456789012345678901234567890}"#.parse().unwrap());
    assert!(!golden::is_own() || messages.len() > 300, "{}", messages.len());
    let (scrubber, now) = (Scrubber::new().unwrap(), rig::moment(Duration::from_nanos(1_234_567_891)));
    for message in messages {
        let event = Event::Received { conn: ConnId(1), message: ClientMessage::read(message) };
        let event = scrubber.event(&event).into_owned();
        let mut line = Vec::new();
        write_input(&mut line, 7, now, Some(&event), usize::MAX).unwrap();
        write_outcome(&mut line, None);
        let read = Line::read(&line);
        let Ok(Line::Input(input)) = read else { panic!("{read:?}: {}", String::from_utf8_lossy(&line)) };
        assert_eq!((input.number, input.now, input.event), (7, now, Some(event)));
    }
}

/// Runs many lobbies with random events and a new file every few events, so that the world is read
/// again in all of its states.
#[test]
fn anything_can_be_replayed() {
    let sayings = [
        r#"{"command":"ping"}"#,
        r#"{"command":"hello","login":"Ada","password":"wrong-pw","unique_id":""}"#,
        r#"{"command":"auth","token":"a.secret.token","unique_id":""}"#,
        r#"{"command":"social_add","friend":2}"#,
        r#"{"command":"social_add","foe":3}"#,
        r#"{"command":"avatar","action":"list_avatar"}"#,
        HOST,
        r#"{"command":"game_host","visibility":"friends","rating_min":"-0.1","rating_max":1000.3}"#,
        r#"{"command":"game_join","uid":1,"password":"game-pw"}"#,
        r#"{"command":"game_join","uid":2}"#,
        r#"{"command":"restore_game_session","game_id":1}"#,
        r#"{"command":"GameState","target":"game","args":["Idle"]}"#,
        r#"{"command":"GameState","target":"game","args":["Lobby"]}"#,
        r#"{"command":"GameState","target":"game","args":["Launching"]}"#,
        r#"{"command":"GameState","target":"game","args":["Ended"]}"#,
        r#"{"command":"PlayerOption","target":"game","args":[1,"Army",1]}"#,
        r#"{"command":"PlayerOption","target":"game","args":["2","Team",2]}"#,
        r#"{"command":"GameOption","target":"game","args":["Victory","demoralization"]}"#,
        r#"{"command":"GameResult","target":"game","args":[1,"victory 5"]}"#,
        r#"{"command":"Desync","target":"game","args":[]}"#,
        r#"{"command":"IceMsg","target":"game","args":[2,{"any":["thing"]}]}"#,
        r#"{"command":"nonsense","password":"other-pw"}"#,
        r#"{"command":"modvault","type":"start"}"#,
        r#"{"no":"command"}"#,
    ];
    for story in 0..20_u64 {
        let mut state = story;
        let mut random = |below: u64| {
            // Knuth's multiplicative generator: the same sequences every time.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut rig = Rig::new(SMALL);
        let mut conns = 0;
        for _ in 0..300 {
            let conn = ConnId(1 + random(conns + 1));
            match random(12) {
                0 => {
                    conns += 1;
                    let name = NAMES[random(3) as usize];
                    rig.log_in(conns, name);
                }
                1 => rig.holds_replies = !rig.holds_replies,
                2 => _ = rig.reply_next(),
                3 => {
                    if let Some(request) = rig.requests.pop() {
                        rig.reply(request.unavailable());
                    }
                }
                4 => rig.advance(Duration::from_millis(random(40_000))),
                5 if random(4) == 0 => rig.tell(Some(Event::Disconnected { conn })),
                6 if random(60) == 0 => rig.tell(Some(Event::Shutdown)),
                _ => rig.send(conn, sayings[random(sayings.len() as u64) as usize]),
            }
        }
        let recordings = rig.finish().recordings();
        assert!(recordings.len() > 5, "{}", recordings.len());
        for recording in recordings {
            check_no_secrets(&recording);
            replay(&recording);
        }
    }
}

/// Three players who send nothing but long messages take a part of the recording, and the rest
/// is there.
#[test]
fn long_messages_do_not_displace_others() {
    let size = 4 * 1024 * 1024;
    let mut rig = Rig::new(Bounds { size, files: 10 });
    let conns: Vec<ConnId> = (1..).zip(NAMES).map(|(number, name)| rig.log_in(number, name)).collect();
    let long =
        |length: usize| format!(r#"{{"command":"long","target":"game","args":["{}"]}}"#, "x".repeat(length));
    for _ in 0..40 {
        for conn in &conns {
            rig.send(*conn, &long(100_000));
        }
    }
    rig.send(conns[0], &long(10_000_000));
    rig.send(conns[0], &long(10_000));
    rig.send(conns[0], r#"{"command":"ping"}"#);
    let disk = rig.finish();
    let recordings = disk.recordings();
    assert_eq!(recordings.len(), 1, "a new file was begun");
    let recording = &recordings[0];
    // A quarter for long messages, as far as the longest would fit, and the beginnings of
    // the others.
    assert!(recording.len() < 2 * 1024 * 1024, "{} bytes", recording.len());
    let text = String::from_utf8_lossy(recording);
    assert_eq!(text.lines().filter(|line| line.contains(&"x".repeat(100_000))).count(), 8);
    let cut = text.lines().filter(|line| line.contains(r#""event":null,"cut":"{"#)).collect::<Vec<_>>();
    assert_eq!(cut.len(), 40 * conns.len() - 8 + 1);
    assert!(cut.iter().all(|line| line.len() < 8 * 1024 && line.contains(&"x".repeat(3000))));
    assert!(text.contains(&"x".repeat(10_000)));
    let verdicts = verdicts(recording);
    assert!(verdicts.iter().any(|(_, verdict)| *verdict == Verdict::Same));
    assert_eq!(verdicts.last().map(|(_, verdict)| *verdict), Some(Verdict::Unknown));
}
