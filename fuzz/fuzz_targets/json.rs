#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| faf_testkit::decoding::check_json(text));
