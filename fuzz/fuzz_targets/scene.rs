#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| seedstorm_fuzz::checks::scene(data));
