#![no_main]

use faf_protocol::{Decoder, WireFormat};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    faf_testkit::decoding::check_stream(|limits| Decoder::new(WireFormat::QDataStream, limits), bytes);
});
