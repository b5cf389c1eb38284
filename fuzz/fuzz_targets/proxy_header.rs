#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing");
    let _ = runtime.block_on(faf_connection::proxy::read_header(&mut &*bytes));
});
