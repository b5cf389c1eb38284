//! `faf-wire encode`, from outside and back through `faf-wire decode`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use faf_testkit::golden;
use faf_testkit::golden::wire::{self, bytes, hex, text};
use support::tool::{Ended, Tool};
use support::{delicate_messages, is_deliberately_different, line};

async fn encode(arguments: &[&str], lines: &str) -> Ended {
    Tool::run(&[&["encode", "--format"], arguments].concat(), lines.as_bytes()).await
}

#[tokio::test]
async fn encoded_messages_decode_to_the_same() {
    let games = [
        r#"{"command":"GameState","args":["Lobby"],"target":"game"}"#,
        r#"{"command":"Chat","args":["é 漢 😀",-1,2147483647,""],"target":"game"}"#,
        r#"{"command":"GameFull","args":[],"target":"game"}"#,
    ];
    let games = games.map(|text| text.parse().unwrap()).to_vec();
    for (arguments, messages) in [
        (&["qdatastream"][..], delicate_messages()),
        (&["simple-json"], delicate_messages()),
        (&["websocket"], delicate_messages()),
        (&["websocket", "--from-server"], delicate_messages()),
        (&["websocket", "--from-client"], delicate_messages()),
        (&["gpgnet"], games),
    ] {
        // As people type it: UTF-8, not escaped.
        let typed: String = messages.iter().map(|message| format!("{message}\n")).collect();
        for mode in [&[][..], &["--hex"]] {
            let encoded = encode(&[arguments, mode].concat(), &typed).await;
            encoded.assert_clean();
            let decode = [&["decode", "--format"], arguments, mode].concat();
            let decoded = Tool::run(&decode, &encoded.output).await;
            decoded.assert_clean();
            assert_eq!(
                decoded.lines(),
                messages.iter().map(line).collect::<Vec<_>>(),
                "{arguments:?} {mode:?}"
            );
        }
    }
}

#[tokio::test]
async fn recorded_messages_become_the_recorded_bytes() {
    for (format, protocol) in [("qdatastream", "qdatastream"), ("simple-json", "simplejson")] {
        let (mut input, mut expected) = (String::new(), Vec::new());
        for vector in wire::vectors(protocol, "encode_message") {
            let json = text(&vector.input["json"]);
            let output = &vector.expect["ok"]["bytes"];
            // Long outputs are recorded as a hash, which does not show where they end.
            let is_whole = output.is_string() || output["repeat"].is_array() || output["concat"].is_array();
            if is_whole && !json.contains('\n') && !is_deliberately_different(&vector) {
                input += &format!("{json}\n");
                expected.push(hex(&bytes(output)));
            }
        }
        assert!(!golden::is_own() || expected.len() >= 60, "{}", expected.len());
        let ended = encode(&[format, "--hex"], &input).await;
        ended.assert_clean();
        assert_eq!(ended.lines(), expected);
    }
}

#[tokio::test]
async fn the_bytes_are_those_of_the_format() {
    const PING: &str = "{\"command\": \"ping\"}\n";
    const GAME: &str = "{\"command\":\"GameState\",\"args\":[\"Idle\",true],\"target\":\"game\"}\n";
    for (format, lines, expected) in [
        ("qdatastream", PING, &b"\0\0\0\x0C\0\0\0\x08\0P\0I\0N\0G"[..]),
        ("simple-json", PING, b"{\"command\":\"ping\"}\n"),
        ("simple-json", "{\"a\":\"é\"}", b"{\"a\":\"\\u00e9\"}\n"),
        ("websocket", PING, b"\x81\x13{\"command\":\"ping\"}\n"),
        ("gpgnet", GAME, b"\x09\0\0\0GameState\x02\0\0\0\x01\x04\0\0\0Idle\0\x01\0\0\0"),
    ] {
        let ended = encode(&[format], lines).await;
        ended.assert_clean();
        assert_eq!(ended.output, expected, "{format}");
    }
}

#[tokio::test]
async fn every_frame_of_a_client_has_its_own_mask() {
    let ended = encode(&["websocket", "--from-client", "--hex"], &"{\"command\":\"ping\"}\n".repeat(3)).await;
    ended.assert_clean();
    let mut masks: Vec<&str> = ended
        .lines()
        .into_iter()
        .map(|frame| {
            assert!(frame.starts_with("8193"), "{frame}");
            &frame[4..12]
        })
        .collect();
    masks.sort_unstable();
    masks.dedup();
    // Two equal masks by chance occur once in a thousand million runs.
    assert_eq!(masks.len(), 3);
}

#[tokio::test]
async fn bytes_leave_as_soon_as_a_line_is_complete() {
    let mut tool = Tool::start(&["encode", "--format", "gpgnet", "--hex"]);
    for half in ["{\"command\":\"GameFull\"}\n{\"command\":", "\"GameFull\"}\n"] {
        tool.write(half).await;
        assert_eq!(tool.line().await, hex(b"\x08\0\0\0GameFull\0\0\0\0"));
    }
    tool.end_input();
    tool.end().await.assert_clean();
}

#[tokio::test]
async fn a_bad_line_ends_it_after_the_good_ones() {
    const GOOD: &str = "{\"command\":\"GameFull\"}\n";
    for (format, bad, code, place, reason) in [
        ("qdatastream", "{\"a\":}\n", 4, 5, "unexpected character"),
        ("simple-json", "\n", 4, 0, "the text ends where JSON goes on"),
        ("websocket", "[1]\n", 4, 0, "not an array"),
        ("simple-json", "{\"a\":NaN}\n", 4, 5, "not finite"),
        ("simple-json", "{\"a\":", 3, 5, "ended inside a message"),
        ("gpgnet", "{\"args\":[]}\n", 4, 0, "command"),
        ("gpgnet", "{\"command\":\"X\",\"args\":[1.5]}\n", 4, 0, "argument 0 (1.5)"),
        ("gpgnet", "{\"command\":\"X\",\"args\":[1,2,3,4,5,6,7,8,9,10,11]}\n", 4, 0, "11 arguments"),
    ] {
        let ended = encode(&[format, "--hex"], &format!("{GOOD}{bad}")).await;
        ended.assert_failed(code, reason);
        ended.assert_failed(code, &format!("faf-wire: offset {}: ", GOOD.len() + place));
        assert_eq!(ended.lines().len(), 1, "{format} {bad}");
    }
}

#[tokio::test]
async fn messages_too_large_or_too_deep_are_refused() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    encode(&["websocket"], &long).await.assert_failed(5, "where 10485760 are allowed");
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    encode(&["qdatastream"], &deep).await.assert_failed(5, "nested deeper than 128 levels");
}

#[tokio::test]
async fn wrong_usage_has_a_code_of_its_own() {
    encode(&["json"], "").await.assert_failed(2, "qdatastream, simple-json, websocket, gpgnet");
    Tool::run(&["encode"], b"").await.assert_failed(2, "--format");
}

#[tokio::test]
async fn closed_output_is_not_a_failure() {
    let mut tool = Tool::start(&["encode", "--format", "qdatastream"]);
    tool.close_output();
    tool.write("{}\n").await;
    tool.end().await.assert_clean();
}
