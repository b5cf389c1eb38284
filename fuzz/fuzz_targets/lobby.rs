#![no_main]

libfuzzer_sys::fuzz_target!(|story: &[u8]| faf_testkit::chaos::run(story));
