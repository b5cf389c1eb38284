//! The cost of hostile messages: memory of at most three times their size, and work that is linear
//! in their size.
//!
//! Work is measured as allocated bytes, reallocations included: everything that is written twice
//! must be stored somewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocation_counter::measure;
use bytes::BytesMut;
use faf_protocol::gpgnet::{GameToServer, GpgNetMessage, framing};
use faf_protocol::{ClientMessage, Decoder, Limits, WireFormat, qdatastream, websocket};

/// Memory bound, as a multiple of a message's size.
const MEMORY_FACTOR: u64 = 3;

/// Constant part of the memory bound, in bytes.
const MEMORY_CONSTANT: u64 = 20_000;

/// The name of a kind of message, and a function that returns one of about this many bytes.
type Shape = (&'static str, fn(usize) -> String);

fn repeat(size: usize, before: &str, piece: &str, after: &str) -> String {
    [before, &piece.repeat(size / piece.len()), after].concat()
}

/// Returns pieces that differ in a number, which is written with these letters.
fn count(size: usize, before: &str, piece: impl Fn(&str) -> String, after: &str) -> String {
    const LETTERS: &[u8] =
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&()*+-./:;<=>?@[]^_{|}~";

    let mut out = before.to_owned();
    for number in 0.. {
        let (mut letters, mut rest) = (String::new(), number);
        while rest > 0 {
            letters.push(char::from(LETTERS[rest % LETTERS.len()]));
            rest /= LETTERS.len();
        }
        out += &piece(&letters);
        if out.len() >= size {
            break;
        }
    }
    out + after
}

const SHAPES: &[Shape] = &[
    ("small arguments", |size| repeat(size, r#"{"command":"IceMsg","target":"game","args":["#, "0,", "0]}")),
    ("empty arguments", |size| repeat(size, r#"{"command":"X","target":"game","args":["#, r#""","#, "[]]}")),
    ("nested arguments", |size| {
        repeat(size, r#"{"command":"X","target":"game","args":["#, "[[],{}],", "0]}")
    }),
    ("arguments that repeat keys", |size| {
        repeat(size, r#"{"command":"X","target":"game","args":["#, r#"{"":0,"a":0,"":1},"#, "0]}")
    }),
    ("a long argument", |size| repeat(size, r#"{"command":"Chat","target":"game","args":[""#, "x", r#""]}"#)),
    ("an argument of escapes", |size| {
        repeat(size, r#"{"command":"Chat","target":"game","args":[""#, r"\n\u0041\u0000", r#""]}"#)
    }),
    ("one repeated key", |size| repeat(size, r#"{"command":"ping","#, r#""a":0,"#, r#""a":0}"#)),
    ("two repeated keys", |size| repeat(size, r#"{"command":"ping","#, r#""a":0,"b":0,"#, r#""a":0}"#)),
    ("pairs of repeated keys", |size| {
        let pairs = |n: &str| format!(r#"{{"":1,"{n}":[{{"a":1,"b":2,"a":3}}],"c":0,"":2}},"#);
        count(size, r#"{"command":"ping","x":["#, pairs, "0]}")
    }),
    ("many keys", |size| {
        count(size, r#"{"command":"ping","#, |n| format!(r#""{n}":0,"#), r#""command":"ping"}"#)
    }),
    ("many keys with white space", |size| {
        count(size, r#" {"command": "ping","#, |n| format!(r#""{n}":0,"#), r#""command":"ping"}"#)
    }),
    ("many keys, each twice", |size| {
        let keys = count(size / 2, "", |n| format!(r#""{n}":0,"#), "");
        [r#"{"command":"ping","#, &keys, &keys, r#""a":0}"#].concat()
    }),
    ("many keys, each twice, the second behind the next", |size| {
        let object = |n: &str| {
            let keys: Vec<char> = ('!'..='~').filter(|key| *key != '"' && *key != '\\').collect();
            let pairs = keys.windows(2).map(|two| format!(r#""{}":1,"{}":2,"#, two[1], two[0]));
            format!(r#"{{"!":0,{}"{n}":0}},"#, pairs.collect::<String>())
        };
        count(size, r#"{"command":"ping","x":["#, object, "0]}")
    }),
    ("long keys that differ at the end", |size| {
        let long = "k".repeat(10_000);
        count(size, r#"{"command":"ping","#, |n| format!(r#""{long}{n}":0,"#), r#""a":0}"#)
    }),
    ("a long key of escapes, repeated", |size| {
        let key = r"\u0041\n".repeat(size / 16);
        format!(r#"{{"command":"ping","{key}":1,"b":2,"{key}":3}}"#)
    }),
    ("repeated keys on every level, next to each other", |size| {
        let text = "x".repeat(size);
        format!(r#"{{"command":"ping","x":{}"{text}"{}}}"#, r#"{"a":1,"a":"#.repeat(120), "}".repeat(120))
    }),
    ("repeated keys on every level, with others between", |size| {
        let text = "x".repeat(size);
        format!(
            r#"{{"command":"ping","x":{}"{text}"{}}}"#,
            r#"{"a":1,"b":2,"a":"#.repeat(120),
            "}".repeat(120)
        )
    }),
    ("values that go, on every level", |size| {
        let text = "x".repeat(size);
        let last = r#","b":2,"a":3}"#.repeat(120);
        format!(r#"{{"command":"ping","x":{}"{text}"{last}}}"#, r#"{"a":"#.repeat(120))
    }),
    ("small values", |size| repeat(size, r#"{"command":"no_such","x":["#, "1.5,{},[],null,", "0]}")),
    ("white space", |size| repeat(size, r#"{"command":"ping","x":["#, "0, \t ", "0]}")),
    ("a user agent that is a list", |size| {
        repeat(size, r#"{"command":"ask_session","user_agent":["#, "0,", "0]}")
    }),
    ("a user agent that is an object", |size| {
        count(size, r#"{"command":"ask_session","user_agent":{"#, |n| format!(r#""{n}":[],"#), r#""z":0}}"#)
    }),
    ("a login of escapes", |size| {
        repeat(size, r#"{"command":"hello","password":"","unique_id":"","login":""#, r"\n", r#""}"#)
    }),
    ("a password of letters beyond ASCII", |size| {
        repeat(size, r#"{"command":"hello","login":"","unique_id":"","password":""#, "日", r#""}"#)
    }),
    ("an id that is a text", |size| repeat(size, r#"{"command":"social_add","friend":""#, "x", r#""}"#)),
    ("an id that is a list", |size| repeat(size, r#"{"command":"social_add","friend":["#, r#""x","#, "0]}")),
    ("an id of many digits", |size| {
        repeat(
            size,
            r#"{"command":"game_join","x":["#,
            &format!("{},", "9".repeat(4300)),
            "0.0],\"uid\":1.0}",
        )
    }),
    ("many players", |size| {
        repeat(size, r#"{"command":"admin","action":"join_channel","channel":"","user_ids":["#, "0,", "0]}")
    }),
    ("an action nobody knows", |size| repeat(size, r#"{"command":"avatar","action":""#, "é", r#""}"#)),
    ("bounds that are lists", |size| {
        let list = repeat(size / 2, "[", "0,", "0]");
        format!(
            r#"{{"command":"game_host","visibility":"public","enforce_rating_range":{list},"rating_min":{list}}}"#
        )
    }),
    ("a visibility nobody knows", |size| {
        repeat(size, r#"{"command":"game_host","visibility":""#, r"\t", r#""}"#)
    }),
    ("a wrong type in a long text", |size| repeat(size, r#"{"command":"hello","login":["#, r#""x","#, "0]}")),
];

/// Returns the peak of memory and the total of allocations, in bytes.
fn cost(format: WireFormat, frame: &[u8]) -> (u64, u64) {
    let mut buffer = BytesMut::from(frame);
    let mut decoder = Decoder::new(format, Limits::default());
    let used = measure(|| {
        let Ok(Some(faf_protocol::Decoded::Message(message))) = decoder.decode(&mut buffer) else {
            panic!("it is a message");
        };
        if let Ok(ClientMessage::Game(message)) = ClientMessage::read(message) {
            let _ = GameToServer::read(&message);
        }
    });
    (used.bytes_max, used.bytes_total)
}

fn check(name: &str, format: WireFormat, frame: impl Fn(usize) -> Vec<u8>) {
    let sizes = [400_000, 850_000];
    let [small, large] = sizes.map(|size| {
        let frame = frame(size);
        let (most, total) = cost(format, &frame);
        let size = frame.len() as u64;
        assert!(
            most <= MEMORY_FACTOR * size + MEMORY_CONSTANT,
            "{name}, {format}: {most} bytes for a message of {size}"
        );
        total * 1000 / size
    });
    assert!(
        large <= small + small / 2 + 100,
        "{name}, {format}: {large} bytes for 1000 bytes, and {small} if it is shorter"
    );
}

#[test]
fn no_message_takes_much_more_than_its_size() {
    for (name, text) in SHAPES {
        check(name, WireFormat::SimpleJson, |size| [text(size).as_bytes(), b"\n"].concat());
    }
}

#[test]
fn no_block_or_frame_takes_much_more_than_its_size() {
    for (name, text) in SHAPES {
        check(name, WireFormat::QDataStream, |size| qdatastream::pack_message([&*text(size / 2)]).unwrap());
    }
    let frame = |text: String| {
        websocket::encode_masked(&text.parse::<faf_protocol::Message>().unwrap(), [1, 2, 3, 4])
    };
    for (name, text) in SHAPES.iter().filter(|(name, _)| name.contains("argument") || name.contains("values"))
    {
        check(name, WireFormat::WebSocket, |size| frame(text(size)).unwrap().to_vec());
    }
}

/// Its characters take half as much again in UTF-8, and because of the white space it is
/// written again.
#[test]
fn a_block_of_long_characters_takes_three_times_its_size_with_itself() {
    let text = format!(r#"{{"command": "ping", "x": "{}"}}"#, "€".repeat(500_000));
    let frame = qdatastream::pack_message([&*text]).unwrap();
    let used = measure(|| {
        let mut buffer = BytesMut::from(&frame[..]);
        let mut decoder = Decoder::new(WireFormat::QDataStream, Limits::default());
        assert!(matches!(decoder.decode(&mut buffer), Ok(Some(faf_protocol::Decoded::Message(_)))));
    });
    let size = frame.len() as u64;
    assert!(
        used.bytes_max <= MEMORY_FACTOR * size + MEMORY_CONSTANT,
        "{} bytes for a message of {size}",
        used.bytes_max
    );
}

#[test]
fn no_parts_of_a_block_take_much_more_than_its_size() {
    let parts = |size: usize, part: &str| {
        let mut parts = vec![r#"{"command":"no_such"}"#];
        parts.resize(size / (4 + 2 * part.len()), part);
        qdatastream::pack_message(parts).unwrap()
    };
    for part in [
        "",
        "x",
        "{}",
        r#"{"a":0}"#,
        r#"{"":0,"a":1,"":2}"#,
        "日本語 text",
        "\t\t\t\t",
        r#"{"legacy":[]}"#,
        "[1]",
        "{",
    ] {
        check(part, WireFormat::QDataStream, |size| parts(size, part));
    }
    check("objects and texts in turn", WireFormat::QDataStream, |size| {
        let mut all = vec![r#"{"command":"no_such"}"#.to_owned()];
        for number in 0..size / 60 {
            all.extend([format!(r#"{{"{number}":1}}"#), "text".to_owned(), r#"{"legacy":["x"]}"#.to_owned()]);
        }
        qdatastream::pack_message(all.iter().map(String::as_str)).unwrap()
    });
    check("a long first part, and its copies", WireFormat::QDataStream, |size| {
        let first = format!(r#"{{"command":"no_such","x":"{}"}}"#, "日".repeat(size / 8));
        qdatastream::pack_message([&*first, "x", &first, &first]).unwrap()
    });
}

#[test]
fn no_message_of_a_game_takes_much_more_than_its_size() {
    for character in ["x", "\n", "\"", "é"] {
        for size in [100_000, 1_000_000] {
            let args = (0..10).map(|_| character.repeat(size / 10).as_str().into());
            let frame = framing::encode(&GpgNetMessage::new("Chat", args)).unwrap();
            let mut buffer = BytesMut::from(&frame[..]);
            let used =
                measure(|| assert!(framing::decode(&mut buffer, &Limits::default()).unwrap().is_some()));
            assert!(
                used.bytes_max <= MEMORY_FACTOR * frame.len() as u64 + MEMORY_CONSTANT,
                "{character:?}: {}",
                used.bytes_max
            );
        }
    }
}
