//! What must hold on the data path, whatever comes.

mod guard;
mod paths;
pub mod steps;

pub use self::guard::guard;
pub use self::paths::{paths, rules};
pub use super::in_band::fuzz_targets::{cut, insert, mask, scan};
