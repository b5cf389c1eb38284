#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| faf_testkit::decoding::check_qdatastream(bytes));
