//! The outcome of a vector in this crate.

use std::fmt::Write as _;

use bytes::BytesMut;
use faf_protocol::gpgnet::{GpgNetClientSender, GpgNetMessage, GpgNetServerSender};
use faf_protocol::{
    DecodeError, Decoded, Decoder, EncodeError, Json, Limits, Malformed, Message, PlayerId, WireFormat,
    qdatastream, simple_json,
};
use faf_testkit::golden::wire::{Vector, bytes, digest, hex, text};
use serde_json::Value;

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
        other => panic!("{other}"),
    }
}

/// Returns the outcome as a text: the result, or `error: ` and the reason; for a stream, one
/// line each.
pub(crate) fn outcome(vector: &Vector) -> String {
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

pub(crate) const CUT: &str = "the stream ended inside a message";
pub(crate) const RULED_OUT: &str = "ruled out by the type of the argument";

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

/// Returns the outgoing text of a message, which is the form that was recorded.
fn canonical_text(message: &Message) -> String {
    let line = if message.command().is_some_and(|command| command == "ping" || command == "pong") {
        // A heartbeat with further members is complete only in this format.
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
            // The original counts the header and the payload of a block separately.
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
    // The recorded message is the one passed to the sender, before `target` is added after it.
    let text = canonical_text(&sent.0.unwrap().to_message());
    Ok(text.strip_suffix(r#","target":"game"}"#).unwrap().to_owned() + "}")
}
