#![no_main]

use faf_protocol::websocket::Role;
use faf_protocol::{Decoder, WireFormat};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let decoder =
        |limits| Decoder::for_role(WireFormat::WebSocket, role, limits);
    faf_testkit::decoding::check_stream(decoder, bytes);
    faf_testkit::decoding::check_websocket_cuts(bytes);
});
