//! Laws that hold for every message and every input.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocation_counter::measure;
use bytes::BytesMut;
use faf_protocol::gpgnet::{GpgNetMessage, framing};
use faf_protocol::websocket::{self, Role};
use faf_protocol::{DecodeError, Decoded, Decoder, Json, Limits, Message, WireFormat};
use proptest::prelude::*;

/// JSON values of every kind, with extreme texts and numbers.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "-?[1-9][0-9]{0,40}",
        "-?(0|[1-9][0-9]{0,5})\\.[0-9]{1,20}([eE][+-]?[0-9]{1,2})?",
        text().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((key(), value), 0..8).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-d]", "command|target|args|legacy", text()]
        .prop_map(|key| serde_json::to_string(&key).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,60}",
        "[\\PC\u{0}-\u{1f}\u{7f}\u{2028}\u{85}\\\\\"]{0,40}",
        "(\\\\|\"|a){0,70}",
        Just("ping".to_owned()),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    object(json()).prop_map(|text| text.parse().unwrap())
}

fn format() -> impl Strategy<Value = WireFormat> {
    prop::sample::select(WireFormat::ALL.to_vec())
}

/// An object that repeats its keys, and the same object with each key in its first place and with
/// its last value.
fn repeating() -> impl Strategy<Value = (String, String)> {
    let leaf = (0..10_u8).prop_map(|number| (number.to_string(), number.to_string()));
    leaf.prop_recursive(4, 60, 12, |value| {
        prop::collection::vec((0..6_u8, value), 0..40).prop_map(|members| {
            let mut last: Vec<(u8, String)> = Vec::new();
            let mut source = Vec::new();
            for (key, (text, compact)) in members {
                // The same keys, in two spellings.
                let spelled = if source.len() % 3 == 0 {
                    format!("\\u{:04x}", b'a' + key)
                } else {
                    (b'a' + key).escape_ascii().to_string()
                };
                source.push(format!("\"{spelled}\":{text}"));
                match last.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, old)) => *old = compact,
                    None => last.push((key, compact)),
                }
            }
            let last: Vec<_> =
                last.iter().map(|(key, value)| format!("\"{}\":{value}", char::from(b'a' + key))).collect();
            (format!("{{{}}}", source.join(",")), format!("{{{}}}", last.join(",")))
        })
    })
    .prop_map(|(text, compact)| (format!("{{\"x\":{text}}}"), format!("{{\"x\":{compact}}}")))
}

/// Adds white space where JSON allows it, and escapes that are not needed.
fn spell_otherwise(text: &str, choices: &[u8]) -> String {
    let mut choices = choices.iter().cycle();
    let mut out = String::new();
    let mut in_string = false;
    let mut after_backslash = false;
    let mut hex_digits = 0;
    for character in text.chars() {
        let choice = choices.next().unwrap() % 4;
        let is_hex_digit = hex_digits > 0;
        hex_digits = if after_backslash && character == 'u' { 4 } else { hex_digits.max(1) - 1 };
        if in_string
            && !after_backslash
            && !is_hex_digit
            && character != '"'
            && character != '\\'
            && choice == 0
        {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out += &if *unit % 2 == 0 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
            }
            continue;
        }
        let is_structure = !in_string && "{}[]:,".contains(character);
        if is_structure && choice == 1 {
            out.push_str(" \t");
        }
        out.push(character);
        if is_structure && choice == 2 {
            out.push_str("\r\n");
        }
        if character == '"' && !after_backslash {
            in_string = !in_string;
        }
        after_backslash = in_string && character == '\\' && !after_backslash;
    }
    out
}

fn client_frame(format: WireFormat, message: &Message) -> Vec<u8> {
    match format {
        WireFormat::WebSocket => websocket::encode_masked(message, [7, 0, 255, 128]).unwrap().to_vec(),
        other => other.encode(message).unwrap().to_vec(),
    }
}

/// Feeds `bytes` in pieces of these sizes, and returns the messages and the error that ended them.
fn decode_in_pieces(
    decoder: &mut Decoder,
    bytes: &[u8],
    sizes: &[usize],
) -> (Vec<Decoded>, Result<(), DecodeError>) {
    decode_with_limits(decoder, bytes, sizes, |_| None)
}

/// Does the same with a limit that may change after each message.
fn decode_with_limits(
    decoder: &mut Decoder,
    bytes: &[u8],
    sizes: &[usize],
    limit_behind: impl Fn(usize) -> Option<usize>,
) -> (Vec<Decoded>, Result<(), DecodeError>) {
    let mut sizes = sizes.iter().cycle();
    let mut buffer = BytesMut::new();
    let mut found = Vec::new();
    let mut rest = bytes;
    loop {
        if let Some(limit) = limit_behind(found.len()) {
            decoder.set_message_limit(limit);
        }
        match decoder.decode(&mut buffer) {
            Ok(Some(decoded)) => found.push(decoded),
            Err(error) => return (found, Err(error)),
            Ok(None) if rest.is_empty() => break,
            Ok(None) => {
                let (piece, behind) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
                buffer.extend_from_slice(piece);
                rest = behind;
            }
        }
    }
    match decoder.finish(&mut buffer) {
        Ok(last) => {
            found.extend(last);
            (found, Ok(()))
        }
        Err(error) => (found, Err(error)),
    }
}

/// Removes the received size from the error: for an endless line it depends on the pieces.
fn same_for_all_pieces<T>((found, end): (T, Result<(), DecodeError>)) -> (T, Result<(), DecodeError>) {
    let end = end.map_err(|error| match error {
        DecodeError::TooLarge { limit, .. } => DecodeError::TooLarge { limit, size: 0 },
        other => other,
    });
    (found, end)
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), prop::collection::vec(1..40_usize, 1..20)]
}

proptest! {
    #[test]
    fn decode_of_encode_is_identity(message in message(), format in format()) {
        let mut buffer = BytesMut::from(&format.encode(&message).unwrap()[..]);
        let is_heartbeat = message.command().is_some_and(|command| command == "ping" || command == "pong");
        let expected = match format {
            // The bare words of QDataStream have no further members.
            WireFormat::QDataStream if is_heartbeat => Message::new(&message.command().unwrap()),
            _ => message,
        };
        let mut decoder = Decoder::for_role(format, Role::Client, Limits::default());
        prop_assert_eq!(decoder.decode(&mut buffer), Ok(Some(Decoded::Message(expected))));
        prop_assert!(buffer.is_empty());
        prop_assert_eq!(decoder.finish(&mut buffer), Ok(None));
    }

    #[test]
    fn output_is_printable_ascii(message in message()) {
        let line = WireFormat::SimpleJson.encode(&message).unwrap();
        prop_assert!(line[..line.len() - 1].iter().all(|byte| (b' '..=b'~').contains(byte)));
    }

    #[test]
    fn spelling_makes_no_difference(message in message(), choices in prop::collection::vec(any::<u8>(), 1..50)) {
        let spelled = spell_otherwise(message.as_str(), &choices);
        prop_assert_eq!(spelled.parse::<Message>(), Ok(message));
    }

    #[test]
    fn another_parser_finds_the_same_values(text in object(json())) {
        let message: Message = text.parse().unwrap();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(message.as_str()).unwrap(), theirs.clone());
        for (key, value) in message.members() {
            prop_assert_eq!(&value.parse::<serde_json::Value>().unwrap(), &theirs[&*key]);
            prop_assert_eq!(message.get(&key), Some(value));
        }
        prop_assert_eq!(message.members().count(), theirs.as_object().unwrap().len());
    }

    #[test]
    fn repeated_keys_have_their_first_place_and_last_value(
        (text, compact) in repeating(),
        choices in prop::collection::vec(any::<u8>(), 1..50),
    ) {
        let read = |text: &str| text.parse::<Message>().unwrap().as_str().to_owned();
        prop_assert_eq!(read(&text), compact.clone());
        prop_assert_eq!(read(&spell_otherwise(&text, &choices)), compact);
    }

    #[test]
    fn any_split_gives_the_same_messages(
        messages in prop::collection::vec(message(), 1..5),
        format in format(),
        sizes in pieces(),
        cut in any::<prop::sample::Index>(),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes: Vec<u8> = messages.iter().flat_map(|message| client_frame(format, message)).collect();
        if let Some((place, byte)) = damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        let limits = Limits { message: 2000, ..Limits::default() };
        let whole = decode_in_pieces(&mut Decoder::new(format, limits), &bytes, &[usize::MAX]);
        let in_pieces = decode_in_pieces(&mut Decoder::new(format, limits), &bytes, &sizes);
        prop_assert_eq!(same_for_all_pieces(whole), same_for_all_pieces(in_pieces));
    }

    #[test]
    fn any_cut_of_a_stream_into_websocket_messages_gives_the_same(
        messages in prop::collection::vec((message(), "[ \t\r]{0,3}(\n[ \t\r\n]{0,2})?"), 1..5),
        choices in prop::collection::vec(any::<u8>(), 1..50),
        cuts in pieces(),
        sizes in pieces(),
    ) {
        let spelled = |message: &Message| spell_otherwise(message.as_str(), &choices).replace(['\r', '\n'], " ");
        // The line ends anywhere between the end of a message and the beginning of the next one.
        let lines = messages.iter().map(|(message, end)| format!("{}{end}\n", spelled(message)));
        let stream = lines.collect::<String>().into_bytes();
        let (mut bytes, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            // A message of two bytes or less has the same form as any other, with a mask of zeros.
            let opcode = if piece.len() % 2 == 0 { 0x81 } else { 0x82 };
            bytes.extend([opcode, 0x80 | piece.len() as u8, 0, 0, 0, 0]);
            bytes.extend_from_slice(piece);
            rest = behind;
        }
        let mut decoder = Decoder::new(WireFormat::WebSocket, Limits::default());
        let (found, end) = decode_in_pieces(&mut decoder, &bytes, &sizes);
        let expected: Vec<_> = messages.into_iter().map(|(message, _)| Decoded::Message(message)).collect();
        prop_assert_eq!((found, end), (expected, Ok(())));
        prop_assert!(decoder.is_between_messages());
    }

    #[test]
    fn any_split_gives_the_same_messages_while_the_limit_changes(
        messages in prop::collection::vec(message(), 1..6),
        format in format(),
        sizes in pieces(),
        limits in prop::collection::vec(prop_oneof![Just(2000_usize), 0..400_usize], 1..6),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| client_frame(format, message)).collect();
        let decode = |sizes: &[usize]| {
            let mut decoder = Decoder::new(format, Limits::default());
            let limit_behind = |found: usize| limits.get(found % limits.len()).copied();
            same_for_all_pieces(decode_with_limits(&mut decoder, &bytes, sizes, limit_behind))
        };
        prop_assert_eq!(decode(&[usize::MAX]), decode(&sizes));
    }

    #[test]
    fn a_message_that_is_too_large_can_be_read_under_a_higher_limit(
        messages in prop::collection::vec(message(), 1..5),
        format in format(),
        sizes in pieces(),
        low in 0..400_usize,
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| client_frame(format, message)).collect();
        let mut decoder = Decoder::new(format, Limits::default());
        let (mut buffer, mut rest, mut found) = (BytesMut::new(), &bytes[..], Vec::new());
        let mut sizes = sizes.iter().cycle();
        decoder.set_message_limit(low);
        while !(buffer.is_empty() && rest.is_empty() && decoder.is_between_messages()) {
            match decoder.decode(&mut buffer) {
                Ok(Some(Decoded::Message(message))) => {
                    found.push(message);
                    decoder.set_message_limit(low);
                }
                Err(DecodeError::TooLarge { .. }) => decoder.set_message_limit(usize::MAX),
                Ok(None) => {
                    let (piece, behind) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                    buffer.extend_from_slice(piece);
                    rest = behind;
                }
                other => panic!("{other:?}"),
            }
        }
        let whole = decode_in_pieces(&mut Decoder::new(format, Limits::default()), &bytes, &[usize::MAX]);
        let found: Vec<_> = found.into_iter().map(Decoded::Message).collect();
        prop_assert_eq!((found, Ok(())), whole);
    }

    #[test]
    fn random_bytes_never_panic_nor_allocate_beyond_the_bound(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            "[\\[{\":,u\\\\0-9a-f-]{0,300}".prop_map(String::into_bytes),
            (any::<[u8; 4]>(), prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(length, rest)| [&length[..], &rest].concat()),
        ],
        format in format(),
        role in prop::sample::select(vec![Role::Server, Role::Client]),
        sizes in pieces(),
    ) {
        let limits = Limits { message: 100, nesting: 8 };
        let mut decoder = Decoder::for_role(format, role, limits);
        let used = measure(|| {
            let _ = decode_in_pieces(&mut decoder, &bytes, &sizes);
        });
        // The pieces and their messages take a small multiple of the bytes fed; nothing grows with
        // an announced length.
        prop_assert!(used.bytes_max <= 64 * bytes.len() as u64 + 16 * 1024, "{} bytes", used.bytes_max);
    }

    #[test]
    fn decode_of_encode_is_identity_for_game_frames(
        command in text(),
        args in prop::collection::vec(prop_oneof![any::<i32>().prop_map(|n| Json::from(i64::from(n))), text().prop_map(|t| Json::from(t.as_str()))], 0..=10),
        split in any::<prop::sample::Index>(),
    ) {
        let message = GpgNetMessage::new(&command, args);
        let bytes = framing::encode(&message).unwrap();
        let (first, rest) = bytes.split_at(split.index(bytes.len()));
        let mut buffer = BytesMut::from(first);
        prop_assert_eq!(framing::decode(&mut buffer, &Limits::default()), Ok(None));
        buffer.extend_from_slice(rest);
        prop_assert_eq!(framing::decode(&mut buffer, &Limits::default()), Ok(Some(message)));
    }

    #[test]
    fn random_game_frames_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let used = measure(|| {
            let _ = framing::decode(&mut BytesMut::from(&bytes[..]), &Limits::default());
        });
        prop_assert!(used.bytes_max <= 16 * 1024, "{} bytes", used.bytes_max);
    }
}

#[test]
fn a_heartbeat_costs_no_allocation() {
    for format in WireFormat::ALL {
        for heartbeat in [Message::PING, Message::PONG] {
            let mut buffer = BytesMut::from(&client_frame(format, &heartbeat)[..]);
            let mut decoder = Decoder::new(format, Limits::default());
            let used = measure(|| {
                assert_eq!(
                    format.encode(&heartbeat).unwrap().len(),
                    format.encode(&heartbeat).unwrap().len()
                );
                assert_eq!(decoder.decode(&mut buffer), Ok(Some(Decoded::Message(heartbeat.clone()))));
            });
            assert_eq!(used.count_total, 0, "{format}");
        }
    }
}

#[test]
fn a_message_may_have_ten_mebibytes() {
    assert_eq!(Limits::default().message, 10 * 1024 * 1024);
}

#[test]
fn hostile_lengths_and_depths_cost_nothing() {
    let server = |format| Decoder::new(format, Limits::default());
    let cases: [(WireFormat, Vec<u8>); 5] = [
        (WireFormat::QDataStream, b"\xFF\xFF\xFF\xFF".to_vec()),
        (WireFormat::WebSocket, b"\x81\xFF\x00\x00\x00\x01\x00\x00\x00\x00".to_vec()),
        (WireFormat::WebSocket, b"\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF".to_vec()),
        (WireFormat::SimpleJson, [vec![b'['; 10_000], b"\n".to_vec()].concat()),
        (WireFormat::SimpleJson, [br#"{"a":"#.repeat(10_000), b"\n".to_vec()].concat()),
    ];
    for (format, bytes) in cases {
        let mut buffer = BytesMut::from(&bytes[..]);
        let mut result = Ok(None);
        let used = measure(|| result = server(format).decode(&mut buffer));
        assert!(
            matches!(result, Err(DecodeError::TooLarge { .. } | DecodeError::TooDeep { .. })),
            "{result:?}"
        );
        assert!(used.bytes_max < 8 * 1024, "{} bytes", used.bytes_max);
    }
}

#[test]
fn a_line_without_end_costs_no_more_than_its_limit() {
    let mut decoder =
        Decoder::new(WireFormat::SimpleJson, Limits { message: 64 * 1024, ..Limits::default() });
    let mut buffer = BytesMut::new();
    let error = loop {
        buffer.extend_from_slice(&[b'x'; 1000]);
        if let Err(error) = decoder.decode(&mut buffer) {
            break error;
        }
    };
    assert_eq!(error, DecodeError::TooLarge { limit: 64 * 1024, size: 66_000 });
}
