#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liquid_auth_proxy::fuzz_targets::guard(data));
