//! Every recorded vector of the original's wire layer, through the public API.
//!
//! Where an outcome differs from the recorded one, `src/differences.md` must say so, with the reason, and this test
//! fails for any difference that is not listed there and for any listed one that has gone. On failure it prints the
//! rows the page should have.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytes::BytesMut;
use faf_protocol::gpgnet::{GpgNetClientSender, GpgNetMessage, GpgNetServerSender};
use faf_protocol::{
    DecodeError, Decoded, Decoder, EncodeError, Json, Limits, Malformed, Message, PlayerId, WireFormat,
    qdatastream, simple_json,
};
use faf_testkit::golden::wire::{self, Vector, bytes, digest, hex, recorded_digest, text};
use serde_json::Value;

const FILES: [&str; 8] = [
    "gpgnet.jsonl",
    "qdatastream_decode.jsonl",
    "qdatastream_encode.jsonl",
    "qdatastream_primitives.jsonl",
    "qdatastream_stream.jsonl",
    "simplejson_decode.jsonl",
    "simplejson_encode.jsonl",
    "simplejson_stream.jsonl",
];

#[test]
fn outcomes_are_the_recorded_ones_or_listed_differences() {
    let mut different = BTreeMap::new();
    let mut count = 0;
    for vector in FILES.iter().flat_map(|file| wire::vectors(file)) {
        count += 1;
        let (recorded, ours) = (recorded(&vector), outcome(&vector));
        if recorded != ours {
            let tags = if vector.tags.is_empty() { "none".to_owned() } else { vector.tags.join(", ") };
            let ours = match recorded == with_canonical_numbers(&ours) {
                true => "the same value, numbers spelled as received".to_owned(),
                false => summary(&ours),
            };
            different.insert(vector.id, (tags, ours));
        }
    }
    assert_eq!(count, 1034, "vectors are missing");
    let listed = listed_differences();
    if different != listed {
        let ids: BTreeSet<_> = different.keys().chain(listed.keys()).collect();
        let mut report = String::new();
        for id in ids.into_iter().filter(|id| different.get(*id) != listed.get(*id)) {
            writeln!(report, "{id}\n  now:    {:?}\n  listed: {:?}", different.get(id), listed.get(id))
                .unwrap();
        }
        panic!("differences.md is not true:\n{report}\nAll rows it should have:\n{}", rows(&different));
    }
}

/// The table rows of `differences.md`: tags, outcome here, vectors.
fn listed_differences() -> BTreeMap<String, (String, String)> {
    include_str!("../src/differences.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect::<Vec<_>>())
        .filter(|cells| cells.len() == 3 && cells[2].starts_with('`'))
        .flat_map(|cells| {
            let (tags, outcome) = (cells[0].trim().to_owned(), cells[1].trim().to_owned());
            let ids = cells[2].split(' ').map(|id| id.trim_matches('`').to_owned());
            ids.map(move |id| (id, (tags.clone(), outcome.clone()))).collect::<Vec<_>>()
        })
        .collect()
}

fn rows(different: &BTreeMap<String, (String, String)>) -> String {
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id, row) in different {
        rows.entry(row).or_default().push(format!("`{id}`"));
    }
    rows.iter()
        .map(|((tags, outcome), ids)| format!("| {tags} | {outcome} | {} |\n", ids.join(" ")))
        .collect()
}

/// What is said of an outcome in `differences.md`.
fn summary(outcome: &str) -> String {
    match outcome.rsplit_once("error: ") {
        Some((_, error)) => error.trim_end().to_owned(),
        None => format!("accepted: `{}`", outcome.split_at(outcome.len().min(60)).0.replace('|', "\\|")),
    }
}

fn recorded(vector: &Vector) -> String {
    let expect = &vector.expect;
    let error = |error: &Value| {
        let detail = &error["detail"];
        match recorded_error(vector, error) {
            CUT => format!("error: {CUT}, {} of {} bytes", detail["partial_len"], detail["expected"]),
            other => format!("error: {other}"),
        }
    };
    if let Some(outcomes) = expect["outcomes"].as_array() {
        let mut all = String::new();
        for outcome in outcomes {
            match (&outcome["ok"], &outcome["error"]) {
                (Value::Null, Value::Null) => all.push_str("pending\n"),
                (Value::Null, failed) => {
                    writeln!(all, "after {}: {}", outcome["after_chunk"], error(failed)).unwrap();
                    // The server closes a connection at the first error.
                    break;
                }
                (ok, _) => {
                    writeln!(all, "after {}: {}", outcome["after_chunk"], recorded_text(&ok["json"]))
                        .unwrap();
                }
            }
        }
        return all;
    }
    let parts_before_error = expect["parts_before_error"].as_array();
    match &expect["ok"] {
        Value::Null => {
            let parts = parts_before_error.map(|parts| format!("{parts:?} ")).unwrap_or_default();
            format!("{parts}{}", error(&expect["error"]))
        }
        ok if !ok["bytes"].is_null() => recorded_digest(&ok["bytes"], |value| hex(&bytes(value))),
        ok if !ok["json"].is_null() => recorded_text(&ok["json"]),
        ok if !ok["text"].is_null() => format!("{} {}", ok["pos"], recorded_digest(&ok["text"], text)),
        ok if !ok["parts"].is_null() => format!("{:?}", ok["parts"].as_array().unwrap()),
        ok if !ok["parts_count"].is_null() => {
            format!("{} parts, sha256 {}", ok["parts_count"], ok["parts_json_sha256"])
        }
        other => panic!("{}: {other}", vector.id),
    }
}

fn recorded_text(value: &Value) -> String {
    recorded_digest(value, text)
}

/// Our name for the recorded Python exception.
fn recorded_error(vector: &Vector, error: &Value) -> &'static str {
    match error["class"].as_str().unwrap() {
        "JSONDecodeError" => "not JSON",
        "UnicodeDecodeError" => "text in the wrong encoding",
        "UnicodeEncodeError" | "NotImplementedError" => RULED_OUT,
        "RecursionError" => "too deep",
        "AssertionError" => "block too short for a string",
        "ValueError" if vector.protocol == "qdatastream" => "string longer than its block",
        "ValueError" if vector.op == "read_stream" => "too large",
        "ValueError" => "integer of too many digits",
        "IncompleteReadError" => CUT,
        "DisconnectedError" => "end of the stream",
        // What Python says when it is to merge into something that is no object.
        "TypeError" | "AttributeError" => match &vector.input["bytes"] {
            Value::String(hex) if hex[8..].starts_with("007b") => "nothing can be appended to `legacy`",
            _ => "no JSON object",
        },
        other => panic!("{}: {other}", vector.id),
    }
}

fn named(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::Incomplete { .. } => CUT,
        DecodeError::TooLarge { .. } => "too large",
        DecodeError::TooDeep { .. } => "too deep",
        DecodeError::NotAnObject { .. } => "no JSON object",
        DecodeError::Malformed { reason, .. } => match reason {
            Malformed::Utf8 | Malformed::Utf16 => "text in the wrong encoding",
            Malformed::ShortBlock => "block too short for a string",
            Malformed::QStringLength => "string longer than its block",
            Malformed::LegacyMember => "nothing can be appended to `legacy`",
            Malformed::NonFinite => "number that is not finite",
            Malformed::LoneSurrogate => "surrogate without its partner",
            Malformed::IntegerDigits => "integer of too many digits",
            _ => "not JSON",
        },
    }
}

fn outcome(vector: &Vector) -> String {
    let input = &vector.input;
    let result = match vector.op.as_str() {
        "pack_qstring" => pack_qstring(input),
        "pack_block" => {
            Ok(qdatastream::pack_block(&bytes(&input["bytes"])).map(|block| bytes_text(&block)).unwrap())
        }
        "pack_message" => pack_message(input),
        "read_qstring" => {
            let position = input["pos"].as_u64().unwrap() as usize;
            qdatastream::read_qstring(&bytes(&input["bytes"]), position)
                .map(|(end, read)| format!("{end} {}", json_text(&read)))
                .map_err(|error| named(&error).to_owned())
        }
        "read_block" => return read_block(&bytes(&input["bytes"])),
        "encode_message" => encode_message(vector),
        "decode_message" => decode_message(vector),
        "read_stream" => return read_stream(vector),
        "gpgnet" => gpgnet(input),
        other => panic!("{other}"),
    };
    result.unwrap_or_else(|error| format!("error: {error}"))
}

fn bytes_text(bytes: &[u8]) -> String {
    digest(bytes, hex)
}

fn json_text(text: &str) -> String {
    digest(text.as_bytes(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

const CUT: &str = "the stream ended inside a message";
const RULED_OUT: &str = "ruled out by the type of the argument";

fn pack_qstring(input: &Value) -> Result<String, String> {
    if input["text"].is_null() {
        return Err(RULED_OUT.to_owned());
    }
    let mut packed = Vec::new();
    qdatastream::pack_qstring(&text(&input["text"]), &mut packed).unwrap();
    Ok(bytes_text(&packed))
}

fn pack_message(input: &Value) -> Result<String, String> {
    let Some(texts) = input["texts"].as_array() else {
        return Err(RULED_OUT.to_owned());
    };
    let texts: Vec<String> = texts.iter().map(text).collect();
    Ok(bytes_text(&qdatastream::pack_message(texts.iter().map(String::as_str)).unwrap()))
}

fn read_block(payload: &[u8]) -> String {
    let mut parts = Vec::new();
    for part in qdatastream::read_block(payload) {
        match part {
            Ok(part) => parts.push(Value::String(part)),
            Err(error) => return format!("{parts:?} error: {}", named(&error)),
        }
    }
    format!("{parts:?}")
}

fn encode_message(vector: &Vector) -> Result<String, String> {
    let format = match vector.protocol.as_str() {
        "qdatastream" => WireFormat::QDataStream,
        _ => WireFormat::SimpleJson,
    };
    let message: Message = text(&vector.input["json"]).parse().map_err(|error| named(&error).to_owned())?;
    let bytes = format.encode(&message).map_err(|error: EncodeError| error.to_string())?;
    Ok(bytes_text(&bytes))
}

fn decode_message(vector: &Vector) -> Result<String, String> {
    let bytes = bytes(&vector.input["bytes"]);
    let limits = Limits::default();
    let message = match vector.protocol.as_str() {
        "qdatastream" => qdatastream::decode_payload(&bytes, &limits),
        _ => simple_json::decode_line(&bytes, &limits),
    };
    message.map(|message| canonical_text(&message)).map_err(|error| named(&error).to_owned())
}

/// The text of a message as it goes out, which is the form that was recorded.
fn canonical_text(message: &Message) -> String {
    let line = if message.command().is_some_and(|command| command == "ping" || command == "pong") {
        // A heartbeat with further members is only complete in this format.
        WireFormat::SimpleJson.encode(message).unwrap()
    } else {
        // Both formats must carry the same text.
        let line = WireFormat::SimpleJson.encode(message).unwrap();
        let block = WireFormat::QDataStream.encode(message).unwrap();
        let (_, text) = qdatastream::read_qstring(&block, 4).unwrap();
        assert_eq!(text.as_bytes(), line.strip_suffix(b"\n").unwrap());
        line
    };
    json_text(std::str::from_utf8(&line).unwrap().trim_end())
}

fn read_stream(vector: &Vector) -> String {
    let format = match vector.protocol.as_str() {
        "qdatastream" => WireFormat::QDataStream,
        _ => WireFormat::SimpleJson,
    };
    let mut limits = Limits::default();
    if let Some(limit) = vector.input["limit"].as_u64() {
        limits.message = limit as usize;
    }
    let mut decoder = Decoder::new(format, limits);
    let mut buffer = BytesMut::new();
    let mut all = String::new();
    let chunks = vector.input["chunks"].as_array().unwrap();
    let mut fed = 0;
    for (index, chunk) in chunks.iter().map(bytes).enumerate() {
        buffer.extend_from_slice(&chunk);
        fed = index;
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(Decoded::Message(message))) => {
                    writeln!(all, "after {fed}: {}", canonical_text(&message)).unwrap();
                }
                Ok(Some(control)) => panic!("{control:?}"),
                Ok(None) => break,
                Err(error) => {
                    writeln!(all, "after {fed}: error: {}", named(&error)).unwrap();
                    return all;
                }
            }
        }
    }
    if !vector.input["eof"].as_bool().unwrap() {
        all.push_str("pending\n");
        return all;
    }
    let end = if chunks.is_empty() { 0 } else { fed + 1 };
    match decoder.finish(&mut buffer) {
        Ok(Some(Decoded::Message(message))) => {
            writeln!(all, "after {end}: {}", canonical_text(&message)).unwrap();
            writeln!(all, "after {end}: error: end of the stream").unwrap();
        }
        Ok(Some(control)) => panic!("{control:?}"),
        Ok(None) => writeln!(all, "after {end}: error: end of the stream").unwrap(),
        Err(DecodeError::Incomplete { got, expected: Some(expected) }) => {
            // The original counts the header and the payload of a block apart.
            let before = if expected > 4 && got > 4 { 4 } else { 0 };
            let (got, expected) = (got - before, expected - before);
            writeln!(all, "after {end}: error: {CUT}, {got} of {expected} bytes").unwrap();
        }
        Err(error) => writeln!(all, "after {end}: error: {}", named(&error)).unwrap(),
    }
    all
}

#[derive(Default)]
struct Sent(Option<GpgNetMessage>);

impl GpgNetServerSender for Sent {
    type Output = ();

    fn send(&mut self, message: GpgNetMessage) {
        self.0 = Some(message);
    }
}

impl GpgNetClientSender for Sent {
    type Output = ();

    fn send(&mut self, message: GpgNetMessage) {
        self.0 = Some(message);
    }
}

fn gpgnet(input: &Value) -> Result<String, String> {
    let args: Vec<Value> = serde_json::from_str(input["json_args"].as_str().unwrap()).unwrap();
    let ruled_out = || RULED_OUT.to_owned();
    let word = |index: usize| args[index].as_str().ok_or_else(ruled_out);
    let id = |index: usize| args[index].as_u64().map(|id| PlayerId(id as u32)).ok_or_else(ruled_out);
    let list =
        |value: &Value| value.as_array().unwrap().iter().map(|arg| Json::from_value(arg).unwrap()).collect();
    let mut sent = Sent::default();
    match input["method"].as_str().unwrap() {
        "send_HostGame" => sent.host_game(word(0)?),
        "send_JoinGame" => sent.join_game(word(0)?, id(1)?),
        "send_ConnectToPeer" => sent.connect_to_peer(word(0)?, id(1)?, args[2].as_bool().unwrap()),
        "send_DisconnectFromPeer" => sent.disconnect_from_peer(id(0)?),
        "send_gpgnet_message" => {
            let args: Vec<Json> = list(&args[1]);
            GpgNetServerSender::send(&mut sent, GpgNetMessage::new(word(0)?, args));
        }
        "send_GameState" => {
            let args: Vec<Json> = list(&args[0]);
            sent.game_state(args);
        }
        other => panic!("{other}"),
    }
    // The recorded message is the one handed to the sender, before `target` is put behind it.
    let text = canonical_text(&sent.0.unwrap().to_message());
    Ok(text.strip_suffix(r#","target":"game"}"#).unwrap().to_owned() + "}")
}

/// The outcome with every number in the spelling of the original: `1E2` as `100.0`, `-0` as `0`.
fn with_canonical_numbers(outcome: &str) -> String {
    let is_hex = outcome.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && !outcome.is_empty() {
        return with_canonical_numbers_in_bytes(outcome);
    }
    let mut rest = outcome;
    let mut canonical = String::new();
    let mut in_string = false;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '"' => {
                in_string = !in_string;
                1
            }
            '\\' if in_string => 2,
            '-' | '0'..='9' if !in_string => {
                let length = rest.find(|c: char| !"+-.eE0123456789".contains(c)).unwrap_or(rest.len());
                canonical.push_str(&python_number(&rest[..length]));
                rest = &rest[length..];
                continue;
            }
            other => other.len_utf8(),
        };
        canonical.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    canonical
}

/// The same for encoded bytes: decode, change, encode again.
fn with_canonical_numbers_in_bytes(outcome: &str) -> String {
    let encoded = bytes(&Value::String(outcome.to_owned()));
    if encoded.ends_with(b"\n") {
        let line = with_canonical_numbers(std::str::from_utf8(&encoded).unwrap());
        return hex(line.as_bytes());
    }
    let (_, text) = qdatastream::read_qstring(&encoded, 4).unwrap();
    hex(&qdatastream::pack_message([with_canonical_numbers(&text).as_str()]).unwrap())
}

fn python_number(number: &str) -> String {
    if number == "-0" {
        return "0".to_owned();
    }
    if !number.contains(['.', 'e', 'E']) {
        return number.to_owned();
    }
    let Ok(value) = number.parse::<f64>() else {
        return number.to_owned();
    };
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    match exponent.parse::<i32>().unwrap() {
        -4..16 if value.fract() == 0.0 => format!("{value:.1}"),
        -4..16 => value.to_string(),
        exponent => format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}
