//! Helpers of the tests of `faf-wire`.

#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod peer;
pub(crate) mod tool;

use std::time::Duration;

use faf_protocol::{Limits, Message, WireFormat, qdatastream, simple_json};
use faf_testkit::golden::wire::{self as golden, Vector};
use tokio::time::timeout;

/// Time limit for events that must happen. Only a failing test waits this long.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Waits for an event that must happen.
pub(crate) async fn in_time<T>(event: impl Future<Output = T>) -> T {
    timeout(TIME_LIMIT, event).await.expect("it did not happen in time")
}

/// Parses a message from its JSON text.
pub(crate) fn message(text: &str) -> Message {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Returns the line of JSON for a message on standard output, without its end.
pub(crate) fn line(message: &Message) -> String {
    String::from_utf8(simple_json::encode(message).unwrap().to_vec()).unwrap().trim_end().to_owned()
}

/// Messages that are easily damaged: text of all kinds, numbers in their own spelling, heartbeats,
/// one of several WebSocket fragments.
pub(crate) fn delicate_messages() -> Vec<Message> {
    let long = format!(r#"{{"command":"notice","text":"{}"}}"#, "long ".repeat(60_000));
    [
        r#"{"command":"ping"}"#,
        r#"{"command":"pong"}"#,
        r#"{"command":"notice","text":"é Ω 漢 😀 \u0000\u007f \" \\ \n"}"#,
        r#"{"command":"game_info","rating":1.50,"huge":123456789012345678901234567890,"none":null,"list":[[],{}]}"#,
        &long,
        r#"{}"#,
    ]
    .map(message)
    .to_vec()
}

/// Returns whether the protocol crate changes a recorded message. Its own tests check whether
/// it should.
pub(crate) fn is_deliberately_different(vector: &Vector) -> bool {
    let format = match vector.protocol.as_str() {
        "qdatastream" => WireFormat::QDataStream,
        _ => WireFormat::SimpleJson,
    };
    let (input, recorded) = (&vector.input, &vector.expect["ok"]);
    if vector.op == "encode_message" {
        let message = golden::text(&input["json"]).parse::<Message>();
        let encoded = message.ok().and_then(|message| format.encode(&message).ok());
        return encoded.is_none_or(|encoded| encoded != golden::bytes(&recorded["bytes"]));
    }
    let (payload, limits) = (golden::bytes(&input["bytes"]), Limits::default());
    let message = match format {
        WireFormat::QDataStream => qdatastream::decode_payload(&payload, &limits),
        _ => simple_json::decode_line(&payload, &limits),
    };
    let expected = golden::recorded_digest(&recorded["json"], golden::text);
    message.map_or(true, |message| {
        let line = line(&message);
        golden::digest(line.as_bytes(), |_| line.clone()) != expected
    })
}
