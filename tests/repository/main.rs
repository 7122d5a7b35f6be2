//! What the repository promises beside its code: that samples and documents name only what the program
//! understands, that deployments are as closed as they say, and that modules import in one direction.
//!
//! Each check is a function from text to faults, so that a second test can hand it a text that is wrong
//! and see it caught.

mod claims;
mod deployment;
mod imports;
mod performance;
mod program;
mod settings;
mod tidiness;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository: its path from the root with `/` between the parts, and its text.
type File = (String, String);

/// Never part of the repository, whatever they hold.
const NOT_OURS: [&str; 9] =
    [".git", ".venv", "target", "node_modules", "__pycache__", "secrets", "artifacts", "corpus", "coverage"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files of the repository, sorted by path. What is not UTF-8 is read with replacement characters.
fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found.sort();
    assert!(found.iter().any(|(path, _)| path == "Cargo.toml"), "the repository's root is elsewhere");
    found
}

fn collect(directory: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(directory).expect("a directory of the repository") {
        let path = entry.expect("an entry of a directory").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if NOT_OURS.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else {
            let below = path.strip_prefix(root()).expect("a path below the root");
            let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = below.to_string_lossy().replace('\\', "/");
            found.push((name, String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

/// Fails with all of them, one a line.
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Fails unless one of them contains `part`.
fn assert_caught(faults: &[String], part: &str) {
    assert!(faults.iter().any(|fault| fault.contains(part)), "nothing about {part:?} in {faults:#?}");
}
