//! Encoding and decoding of each wire format: `cargo bench -p faf-protocol --bench codec`.

mod samples;

use std::fmt;

use bytes::BytesMut;
use divan::Bencher;
use divan::counter::BytesCount;
use faf_protocol::websocket::{self, Role};
use faf_protocol::{Decoded, Decoder, Limits, Message, ServerMessage, WireFormat};
use samples::Sample;

fn main() {
    divan::main();
}

/// A sample in a wire format.
struct Case {
    format: WireFormat,
    sample: Sample,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.sample.name)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let of = |format| samples::all().into_iter().map(move |sample| Case { format, sample });
    WireFormat::ALL.into_iter().flat_map(of)
}

impl Case {
    fn message(&self) -> Message {
        self.sample.text().parse().expect("samples are messages")
    }

    /// The sample as a client sends it.
    fn frame(&self) -> BytesMut {
        let bytes = match self.format {
            WireFormat::WebSocket => websocket::encode_masked(&self.message(), [1, 2, 3, 4]),
            other => other.encode(&self.message()),
        };
        BytesMut::from(&bytes.expect("samples can be encoded")[..])
    }

    fn decode(&self, frame: &mut BytesMut) -> Message {
        match Decoder::for_role(self.format, Role::Server, Limits::default()).decode(frame) {
            Ok(Some(Decoded::Message(message))) => message,
            other => panic!("{other:?}"),
        }
    }

    fn bench_decoding<T>(&self, bencher: Bencher<'_, '_>, then: impl Fn(Message) -> T) {
        let frame = self.frame();
        bencher
            .counter(BytesCount::new(frame.len()))
            .with_inputs(|| frame.clone())
            .bench_local_refs(|frame| then(self.decode(frame)));
    }
}

#[divan::bench(args = cases())]
fn encode_typed(bencher: Bencher<'_, '_>, case: &Case) {
    let size = case.format.encode(&case.sample.message).expect("samples can be encoded").len();
    bencher.counter(BytesCount::new(size)).bench_local(|| case.format.encode(&case.sample.message));
}

#[divan::bench(args = cases())]
fn encode_message(bencher: Bencher<'_, '_>, case: &Case) {
    let message = case.message();
    bencher.counter(BytesCount::new(message.as_str().len())).bench_local(|| case.format.encode(&message));
}

#[divan::bench(args = cases())]
fn decode_message(bencher: Bencher<'_, '_>, case: &Case) {
    case.bench_decoding(bencher, |message| message);
}

#[divan::bench(args = cases())]
fn decode_typed(bencher: Bencher<'_, '_>, case: &Case) {
    case.bench_decoding(bencher, ServerMessage::read);
}
