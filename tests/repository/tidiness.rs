//! What no file of the repository may hold, and how long a source file may grow.

use crate::{File, assert_caught, assert_none, files};

/// A file tells one story. One that needs more lines stands here, with the reason.
const LINES: usize = 400;
const MAY_BE_LONGER: [&str; 0] = [];

/// Directories of one machine or one person; a path below them works nowhere else.
const PERSONAL: [&str; 5] = ["home", "Users", "root", "work", "workspace"];
const MAY_NAME_THEM: [&str; 0] = [];

/// Where the locked packages of each language come from; a mirror is one machine's setting.
const REGISTRIES: [(&str, &str, &str); 2] = [
    ("package-lock.json", "\"resolved\": \"", "https://registry.npmjs.org/"),
    ("Cargo.lock", "source = \"", "registry+https://github.com/rust-lang/crates.io-index\""),
];

fn length_faults(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|(path, _)| path.starts_with("src/") && path.ends_with(".rs") || path.starts_with("benches/"))
        .filter(|(path, _)| !MAY_BE_LONGER.contains(&path.as_str()))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines, more than {LINES}: split it"))
        .collect()
}

fn personal_path_faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !MAY_NAME_THEM.contains(&path.as_str())) {
        for directory in PERSONAL.map(|name| format!("/{name}/")) {
            // In the middle of a longer path or of a URL it is another directory.
            let begins = |at: usize| {
                !text[..at].ends_with(|c: char| c.is_alphanumeric() || "}/._-~*".contains(c))
                    || text[..at].ends_with("file://")
            };
            if text.match_indices(&directory).any(|(at, _)| begins(at)) {
                faults.push(format!("{path}: a path below {directory}"));
            }
        }
    }
    faults
}

fn registry_faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (lock, before, registry) in REGISTRIES {
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with(lock)) {
            for origin in text.lines().filter_map(|line| line.trim_start().strip_prefix(before)) {
                if !origin.starts_with(registry) {
                    faults.push(format!("{path}: {origin} is not of {registry}"));
                }
            }
        }
    }
    faults
}

#[test]
fn source_files_are_short() {
    assert_none(&length_faults(&files()));
}

#[test]
fn no_file_names_a_directory_of_one_machine() {
    assert_none(&personal_path_faults(&files()));
}

#[test]
fn lock_files_name_the_public_registries() {
    assert_none(&registry_faults(&files()));
}

#[test]
fn a_long_file_is_caught() {
    let file = |lines| vec![("src/a.rs".to_string(), "\n".repeat(lines))];
    assert_none(&length_faults(&file(LINES)));
    assert_caught(&length_faults(&file(LINES + 1)), "src/a.rs: 401 lines");
}

#[test]
fn a_personal_path_is_caught() {
    let faults = |text: &str| personal_path_faults(&[("a.md".into(), text.into())]);
    for name in PERSONAL {
        for wrong in [format!("/{name}/me"), format!("cd '/{name}/me'"), format!("file:///{name}/me")] {
            assert_caught(&faults(&wrong), &format!("/{name}/"));
        }
        assert_none(&faults(&format!("https://example.com/{name}/x ./{name}/ $PWD/a/{name}/b")));
    }
}

#[test]
fn a_mirror_is_caught() {
    let npm = "  \"resolved\": \"https://mirror.example/npm/a.tgz\"".to_string();
    assert_caught(&registry_faults(&[("tests/sdk/package-lock.json".into(), npm)]), "mirror.example");
    let cargo = "source = \"registry+https://mirror.example/index\"".to_string();
    assert_caught(&registry_faults(&[("Cargo.lock".into(), cargo)]), "mirror.example");
}
