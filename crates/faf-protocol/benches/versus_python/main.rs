//! The codec against CPython's `json` with the same framing, side by side in one run:
//!
//! ```text
//! cargo bench -p faf-protocol --bench versus_python
//! ```
//!
//! Needs `python3`. A helper process runs `codec.py`; both sides measure the same messages in
//! turns, so that any other load on the machine affects both. The printed number is the median of
//! the ratios of all rounds.
//!
//! *message*: bytes to and from [`Message`], as in a bridge; *typed*: to and from the struct of the
//! command.

#![expect(clippy::print_stdout, reason = "the result is printed")]

#[path = "../samples/mod.rs"]
mod samples;

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use faf_protocol::{DecodeError, Limits, Message, ServerMessage, WireFormat, qdatastream, simple_json};

const ROUNDS: usize = 9;

fn main() {
    let mut python = Python::start();
    println!("{ROUNDS} rounds, median of (time in CPython / time here); {}", python.version);
    println!("{:<20} {:<12} {:>8} {:>8} {:>8} {:>8}", "", "", "encode", "encode", "decode", "decode");
    println!("{:<20} {:<12} {:>8} {:>8} {:>8} {:>8}", "", "", "message", "typed", "message", "typed");
    for sample in samples::all() {
        let message: Message = sample.text().parse().expect("samples are messages");
        for format in [WireFormat::QDataStream, WireFormat::SimpleJson] {
            let frame = format.encode(&message).expect("samples can be encoded");
            let mut ratios: [Vec<f64>; 4] = Default::default();
            for _ in 0..ROUNDS {
                let encode = python.measure("encode", format, message.as_str());
                ratios[0].push(encode / measure(|| format.encode(&message)));
                ratios[1].push(encode / measure(|| format.encode(&sample.message)));
                let decode = python.measure("decode", format, message.as_str());
                ratios[2].push(decode / measure(|| decode_frame(format, &frame)));
                ratios[3].push(decode / measure(|| decode_frame(format, &frame).map(ServerMessage::read)));
            }
            let [a, b, c, d] = ratios.map(median);
            println!("{:<20} {:<12} {a:>7.1}x {b:>7.1}x {c:>7.1}x {d:>7.1}x", sample.name, format.name());
        }
    }
}

fn decode_frame(format: WireFormat, frame: &[u8]) -> Result<Message, DecodeError> {
    match format {
        WireFormat::QDataStream => qdatastream::decode_payload(&frame[4..], &Limits::default()),
        _ => simple_json::decode_line(frame, &Limits::default()),
    }
}

/// Returns nanoseconds per call.
fn measure<T>(mut call: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < Duration::from_millis(40) {
        for _ in 0..16 {
            black_box(call());
        }
        calls += 16;
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Python {
    _process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    version: String,
}

impl Python {
    fn start() -> Self {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/versus_python/codec.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this benchmark compares with CPython and needs `python3`");
        let input = process.stdin.take().expect("standard input is piped");
        let mut output = BufReader::new(process.stdout.take().expect("standard output is piped"));
        let mut version = String::new();
        output.read_line(&mut version).expect("the helper says its version");
        Self { _process: process, input, output, version: version.trim().to_owned() }
    }

    /// Returns nanoseconds per call of `operation` for this message.
    fn measure(&mut self, operation: &str, format: WireFormat, message: &str) -> f64 {
        writeln!(self.input, "{operation} {format} {message}").expect("the helper runs");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the helper answers");
        answer.trim().parse().expect("the helper answers with a number")
    }
}
