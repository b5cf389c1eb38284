//! The recorded outcome of a vector in the original.

use std::fmt::Write as _;

use faf_testkit::golden::wire::{Vector, bytes, hex, recorded_digest, text};
use serde_json::Value;

use crate::outcome::{CUT, RULED_OUT};

/// Returns the outcome of the original, in the words of [`outcome`](crate::outcome::outcome).
pub(crate) fn recorded(vector: &Vector) -> String {
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

/// Returns this crate's name for the recorded Python exception.
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
        // Python raises these when a part must be merged into a value that is not an object.
        "TypeError" | "AttributeError" => match &vector.input["bytes"] {
            Value::String(hex) if hex[8..].starts_with("007b") => "nothing can be appended to `legacy`",
            _ => "no JSON object",
        },
        other => panic!("{}: {other}", vector.id),
    }
}
