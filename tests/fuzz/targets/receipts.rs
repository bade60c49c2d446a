#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| otpost_tests::fuzzing::receipts(data));
