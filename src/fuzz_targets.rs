//! What must hold whatever comes: rules of this crate as functions of any bytes, which panic when one does
//! not hold. `fuzz/` searches for bytes that make them.
//!
//! Not part of the crate as others see it: built with the feature `fuzzing`, and for the tests, which run
//! each target on its seeds.

mod grant;
mod retry_after;

pub use self::grant::grant;
pub use self::retry_after::retry_after;
pub use crate::proxy::fuzz_targets::{cut, guard, insert, mask, paths, rules, scan, steps};

/// Splits off what stands before the first `end`; nothing is left where there is none.
fn split(data: &[u8], end: u8) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == end);
    at.map_or((data, &[]), |at| (&data[..at], &data[at + 1..]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    type Target = fn(&[u8]);

    #[test]
    fn the_rules_hold_for_the_seeds() {
        let targets: [(&str, Target); 9] = [
            ("cut", cut),
            ("grant", grant),
            ("guard", guard),
            ("insert", insert),
            ("mask", mask),
            ("paths", paths),
            ("retry_after", retry_after),
            ("rules", rules),
            ("scan", scan),
        ];
        for (name, target) in targets {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
            let seeds: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap()).collect();
            assert!(seeds.len() > 2, "{}", directory.display());
            for seed in seeds {
                target(&std::fs::read(seed.path()).unwrap());
            }
        }
    }
}
