//! `faf-wire decode`, from outside.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use faf_protocol::websocket::{self, Control};
use faf_protocol::{Message, WireFormat};
use faf_testkit::golden;
use faf_testkit::golden::wire::{self, Vector, bytes, digest, hex, recorded_digest, text};
use support::tool::{Ended, Tool};
use support::{delicate_messages, is_deliberately_different, line, message};

/// A game's message and its bytes, from the diagram in the protocol crate.
const GAME_LINE: &str = r#"{"command":"GameState","args":["Idle"],"target":"game"}"#;
const GAME_BYTES: &[u8] = b"\x09\0\0\0GameState\x01\0\0\0\x01\x04\0\0\0Idle";

async fn decode(format: &str, input: &[u8]) -> Ended {
    Tool::run(&["decode", "--format", format], input).await
}

/// Returns a client's frame with any payload.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];

    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[tokio::test]
async fn a_message_is_shown_as_soon_as_it_is_complete() {
    let one = message(r#"{"command":"first","text":"é"}"#);
    for (format, frame, expected) in [
        ("qdatastream", WireFormat::QDataStream.encode(&one).unwrap().to_vec(), line(&one)),
        ("simple-json", WireFormat::SimpleJson.encode(&one).unwrap().to_vec(), line(&one)),
        ("websocket", WireFormat::WebSocket.encode(&one).unwrap().to_vec(), line(&one)),
        ("websocket", websocket::encode_masked(&one, *b"mask").unwrap().to_vec(), line(&one)),
        ("gpgnet", GAME_BYTES.to_vec(), GAME_LINE.to_owned()),
    ] {
        let mut tool = Tool::start(&["decode", "--format", format]);
        for half in [1, frame.len() / 2, frame.len() - 1] {
            // The beginning of the next message does not delay this one.
            tool.write(&frame[..half]).await;
            tool.write([&frame[half..], &frame[..1]].concat()).await;
            assert_eq!(tool.line().await, expected, "{format} cut at {half}");
            tool.write(&frame[1..]).await;
            assert_eq!(tool.line().await, expected, "{format} from its second byte");
        }
        tool.end_input();
        tool.end().await.assert_clean();
    }
}

#[tokio::test]
async fn recorded_messages_come_out_as_recorded() {
    let block = |vector: &Vector| {
        let payload = bytes(&vector.input["bytes"]);
        [&(payload.len() as u32).to_be_bytes(), &payload[..]].concat()
    };
    let line = |vector: &Vector| {
        let mut line = bytes(&vector.input["bytes"]);
        line.extend((!line.ends_with(b"\n")).then_some(b'\n'));
        line
    };
    let frame = |vector: &Vector| masked(0x81, &bytes(&vector.input["bytes"]));
    for (count, least) in [
        (recorded("qdatastream", "qdatastream", block).await, 120),
        (recorded("simple-json", "simplejson", line).await, 80),
        (recorded("websocket", "simplejson", frame).await, 80),
    ] {
        assert!(!golden::is_own() || count >= least, "{count} instead of {least}");
    }
}

/// Sends all valid messages of a protocol through the tool at once; returns their number.
async fn recorded(format: &str, protocol: &str, frame: impl Fn(&Vector) -> Vec<u8>) -> usize {
    let vectors: Vec<_> = wire::vectors(protocol, "decode_message")
        .into_iter()
        .filter(|vector| !vector.expect["ok"].is_null())
        .filter(|vector| !is_deliberately_different(vector))
        .filter(|vector| {
            let payload = bytes(&vector.input["bytes"]);
            let is_one_line = !payload.trim_ascii_end().contains(&b'\n');
            format == "qdatastream" || (is_one_line && payload.len() <= 0xFFFF)
        })
        .collect();
    let input: Vec<u8> = vectors.iter().flat_map(frame).collect();
    let ended = decode(format, &input).await;
    ended.assert_clean();
    let lines = ended.lines();
    assert_eq!(lines.len(), vectors.len());
    for (line, vector) in lines.iter().zip(&vectors) {
        let expected = recorded_digest(&vector.expect["ok"]["json"], text);
        assert_eq!(digest(line.as_bytes(), |_| (*line).to_owned()), expected, "{}", vector.id);
    }
    lines.len()
}

#[tokio::test]
async fn the_end_between_messages_is_clean() {
    for format in ["qdatastream", "simple-json", "websocket", "gpgnet"] {
        let ended = decode(format, b"").await;
        ended.assert_clean();
        assert!(ended.output.is_empty());
    }
    // A last line may lack its end.
    let ended = decode("simple-json", b"{\"a\":1}\n{\"b\":2}").await;
    ended.assert_clean();
    assert_eq!(ended.lines(), [r#"{"a":1}"#, r#"{"b":2}"#]);
}

#[tokio::test]
async fn failures_have_offset_and_reason_after_the_good_messages() {
    let block = WireFormat::QDataStream.encode(&message(r#"{"a":1}"#)).unwrap();
    let good_frame = masked(0x81, b"{\"a\":1}\n");
    for (format, good, bad, code, reason) in [
        ("qdatastream", &block[..], &b"\0\0"[..], 3, "after 2 bytes of 4"),
        ("qdatastream", &block, b"\0\0\0\x09\0\0", 3, "after 6 bytes of 13"),
        ("qdatastream", &block, b"\0\0\0\x06\0\0\0\x02\0x", 4, "unexpected character"),
        ("qdatastream", &block, b"\0\0\0\x04\xFF\xFF\xFF\xFF", 4, "string longer than its block"),
        ("simple-json", b"{\"a\":1}\n", b"{\"b\":", 3, "ended inside a message, after 5 bytes"),
        ("simple-json", b"{\"a\":1}\n", b"{\"b\":}\n", 4, "unexpected character"),
        ("simple-json", b"{\"a\":1}\n", b"[]\n", 4, "not an array"),
        ("simple-json", b"{\"a\":1}\n", b"\xFF\n", 4, "invalid UTF-8"),
        ("websocket", &good_frame, b"\x81", 3, "after 1 bytes"),
        ("websocket", &good_frame, &masked(0x01, b"{\"b\":"), 3, "ended inside a message"),
        ("websocket", &good_frame, &masked(0x81, b"{\"b\":}\n"), 4, "unexpected character"),
        ("websocket", &good_frame, b"\x81\x02{}", 4, "wrong masking"),
        ("gpgnet", GAME_BYTES, b"\x01\0\0\0X", 3, "after 5 bytes"),
        ("gpgnet", GAME_BYTES, b"\x01\0\0\0X\x01\0\0\0\x02", 4, "unknown argument type"),
    ] {
        let ended = decode(format, &[good, bad].concat()).await;
        ended.assert_failed(code, reason);
        assert_eq!(ended.lines().len(), 1, "{format} {reason}");
        // Every one of these is noticed inside the second message; an offset in the text includes
        // the first message.
        let inside = |mark: &str| -> usize {
            let number = ended.errors.rsplit_once(mark).map_or("0", |(_, behind)| behind);
            number.split_whitespace().next().unwrap().parse().unwrap()
        };
        let inside = if code == 3 { inside("after ") } else { inside("at byte ") };
        assert!(inside <= bad.len(), "{}", ended.errors);
        let offset = format!("faf-wire: offset {}: ", good.len() + inside);
        assert!(ended.errors.starts_with(&offset), "{format}: {offset:?}, {:?}", ended.errors);
    }
}

#[tokio::test]
async fn offsets_include_the_framing() {
    // Each of them is wrong at the character `x`.
    for (format, bad) in [
        ("simple-json", b"{\"b\":x}\n".to_vec()),
        ("websocket", b"\x81\x08{\"b\":x}\n".to_vec()),
        ("websocket", [b"\x81\x7E\0\xD0", &[b' '; 200][..], b"{\"b\":x}\n"].concat()),
    ] {
        let place = bad.iter().position(|byte| *byte == b'x').unwrap();
        decode(format, &bad).await.assert_failed(4, &format!("offset {place}: "));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_announced_giant_is_refused_at_once_and_without_memory() {
    for (format, head) in [
        ("qdatastream", &b"\xFF\xFF\xFF\xFF"[..]),
        ("websocket", b"\x81\x7F\0\0\0\x01\0\0\0\0"),
        ("websocket", b"\x81\xFF\0\0\0\x01\0\0\0\0"),
        ("gpgnet", b"\xFF\xFF\xFF\xFF"),
    ] {
        let mut tool = Tool::start_within(256 * 1024, &["decode", "--format", format]);
        tool.write(head).await;
        // Standard input is still open.
        tool.end().await.assert_failed(5, "where 10485760 are allowed");
    }
}

#[tokio::test]
async fn a_line_without_end_and_deep_nesting_are_refused() {
    let mut endless = b"{\"text\":\"".to_vec();
    endless.resize(10 * 1024 * 1024 + 100_000, b'x');
    decode("simple-json", &endless).await.assert_failed(5, "where 10485760 are allowed");

    let deep = format!("{{\"deep\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let block = faf_protocol::qdatastream::pack_message([deep.as_str()]).unwrap();
    for (format, input) in [
        ("simple-json", format!("{deep}\n").into_bytes()),
        ("websocket", masked(0x81, deep.as_bytes())),
        ("qdatastream", block),
    ] {
        decode(format, &input).await.assert_failed(5, "nested deeper than 128 levels");
    }
}

#[tokio::test]
async fn either_side_of_websocket_is_recognised_or_named() {
    let messages = delicate_messages();
    let from_server: Vec<u8> =
        messages.iter().flat_map(|message| WireFormat::WebSocket.encode(message).unwrap()).collect();
    let from_client: Vec<u8> = messages
        .iter()
        .flat_map(|message| websocket::encode_masked(message, [0xA5, 0, 0xFF, 7]).unwrap())
        .collect();
    let expected: Vec<String> = messages.iter().map(line).collect();
    for (input, side, other) in
        [(&from_server, "--from-server", "--from-client"), (&from_client, "--from-client", "--from-server")]
    {
        let named = Tool::run(&["decode", "--format", "websocket", side], input).await;
        for ended in [decode("websocket", input).await, named] {
            ended.assert_clean();
            assert_eq!(ended.lines(), expected);
        }
        let mistaken = Tool::run(&["decode", "--format", "websocket", other], input).await;
        mistaken.assert_failed(4, "wrong masking");
    }
}

#[tokio::test]
async fn control_frames_are_skipped() {
    let close = Control::Close { code: Some(1000), reason: String::new() };
    let input = [
        &Control::Ping("?".into()).encode(None)[..],
        b"\x01\x05{\"a\":",
        &Control::Pong("!".into()).encode(None),
        b"\x80\x02 1",
    ];
    decode("websocket", &input.concat()).await.assert_failed(3, "the stream ended inside a message");
    let ended =
        decode("websocket", &[&input[..3], &[b"\x80\x021}", &close.encode(None)]].concat().concat()).await;
    ended.assert_clean();
    assert_eq!(ended.lines(), [r#"{"a":1}"#]);
}

#[tokio::test]
async fn hexadecimal_digits_may_have_any_white_space() {
    let frame = hex(&WireFormat::QDataStream.encode(&Message::PING).unwrap());
    let loose = frame.to_uppercase().chars().map(|digit| format!(" {digit}\r\n\t")).collect::<String>();
    let hexadecimal = ["decode", "--format", "qdatastream", "--hex"];
    let ended = Tool::run(&hexadecimal, format!("{frame}{loose}").as_bytes()).await;
    ended.assert_clean();
    assert_eq!(ended.lines(), [r#"{"command":"ping"}"#; 2]);

    for (rest, code, reason) in [
        ("0", 3, "between the two digits of a byte"),
        ("00", 3, "after 1 bytes of 4"),
        ("0g", 4, "offset 33: not a hexadecimal digit"),
    ] {
        let ended = Tool::run(&hexadecimal, format!("{frame}{rest}").as_bytes()).await;
        ended.assert_failed(code, reason);
        assert_eq!(ended.lines().len(), 1, "what is in front of {rest} is shown");
    }
}

#[tokio::test]
async fn wrong_usage_has_a_code_of_its_own() {
    for arguments in [
        &["decode"][..],
        &["decode", "--format", "xml"],
        &["decode", "--format", "websocket", "--from-client", "--from-server"],
        &["decode", "--format", "gpgnet", "file"],
        &["translate"],
        &[],
    ] {
        Tool::run(arguments, b"").await.assert_failed(2, "--help");
    }
    let help = Tool::run(&["decode", "--help"], b"").await;
    help.assert_clean();
    let text = String::from_utf8(help.output).unwrap();
    for fact in ["--from-server", "Exit codes: 0 clean end", "3 stream ended inside", "5 message too large"] {
        assert!(text.contains(fact), "{fact} in {text}");
    }
}

#[tokio::test]
async fn closed_output_is_not_a_failure() {
    let mut tool = Tool::start(&["decode", "--format", "simple-json"]);
    tool.close_output();
    tool.write("{}\n").await;
    // Standard input is still open.
    tool.end().await.assert_clean();
}
