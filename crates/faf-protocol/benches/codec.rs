//! Encoding and decoding of each wire format: `cargo bench -p faf-protocol --bench codec`.

mod samples;

use bytes::BytesMut;
use divan::Bencher;
use divan::counter::BytesCount;
use faf_protocol::websocket::{self, Role};
use faf_protocol::{Decoded, Decoder, Limits, Message, ServerMessage, WireFormat};

fn main() {
    divan::main();
}

const SAMPLES: std::ops::Range<usize> = 0..5;

fn frame(format: WireFormat, sample: usize) -> BytesMut {
    let sample = &samples::all()[sample];
    let message: Message = sample.text().parse().expect("samples are messages");
    let bytes = match format {
        WireFormat::WebSocket => websocket::encode_masked(&message, [1, 2, 3, 4]),
        other => other.encode(&message),
    };
    BytesMut::from(&bytes.expect("samples can be encoded")[..])
}

fn decode(frame: &mut BytesMut, format: WireFormat) -> Message {
    match Decoder::for_role(format, Role::Server, Limits::default()).decode(frame) {
        Ok(Some(Decoded::Message(message))) => message,
        other => panic!("{other:?}"),
    }
}

/// Formats: 0 QDataStream, 1 SimpleJson, 2 WebSocket. Samples: 0 `ping`, 1 and 2 `player_info` of 1 and 100, 3 `game_info`, 4 `JsonStats` of 20 KB.
#[divan::bench(args = SAMPLES, consts = [0, 1, 2])]
fn encode_typed<const FORMAT: usize>(bencher: Bencher<'_, '_>, sample: usize) {
    let format = WireFormat::ALL[FORMAT];
    let sample = samples::all().swap_remove(sample);
    let size = format.encode(&sample.message).expect("samples can be encoded").len();
    bencher.counter(BytesCount::new(size)).bench(|| format.encode(&sample.message));
}

#[divan::bench(args = SAMPLES, consts = [0, 1, 2])]
fn encode_message<const FORMAT: usize>(bencher: Bencher<'_, '_>, sample: usize) {
    let format = WireFormat::ALL[FORMAT];
    let message: Message = samples::all()[sample].text().parse().expect("samples are messages");
    bencher.counter(BytesCount::new(message.as_str().len())).bench(|| format.encode(&message));
}

#[divan::bench(args = SAMPLES, consts = [0, 1, 2])]
fn decode_message<const FORMAT: usize>(bencher: Bencher<'_, '_>, sample: usize) {
    let format = WireFormat::ALL[FORMAT];
    let frame = frame(format, sample);
    bencher
        .counter(BytesCount::new(frame.len()))
        .with_inputs(|| frame.clone())
        .bench_local_refs(|frame| decode(frame, format));
}

#[divan::bench(args = SAMPLES, consts = [0, 1, 2])]
fn decode_typed<const FORMAT: usize>(bencher: Bencher<'_, '_>, sample: usize) {
    let format = WireFormat::ALL[FORMAT];
    let frame = frame(format, sample);
    bencher
        .counter(BytesCount::new(frame.len()))
        .with_inputs(|| frame.clone())
        .bench_local_refs(|frame| ServerMessage::read(decode(frame, format)));
}
