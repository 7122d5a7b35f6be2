//! Who may import whom. Modules stand in rows; a file imports only from rows above its own, its parent,
//! its children, or files that belong to the same listed module. Two are held tighter: of the token's
//! modules the proxy sees the vocabulary and the cell, and the sandbox imports nothing of ours, because
//! it is an independent witness of the API.
//!
//! Tests inside a file may import what they like, and so may `tests.rs` and the files of `tests/`.

mod references;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::references::references;
use crate::{File, assert_none, files};

/// From the top: what depends on nothing comes first. A module that is not listed stands in the row of
/// its nearest ancestor that is.
const ROWS: [&[&str]; 11] = [
    &["secret", "lifecycle", "sandbox", "proxy::retry_after"],
    &["config"],
    &["telemetry", "listener", "tls"],
    &["token"],
    &["token::schedule", "token::exchange", "token::cell", "token::store"],
    &["token::manager"],
    &["proxy"],
    &["admin", "worker", "fuzz_targets"],
    &["app"],
    &["cli"],
    &["main"],
];

/// What the proxy sees of the token's modules.
const SEEN_BY_PROXY: [&str; 2] = ["token", "token::cell"];

/// The row of a module, and the name under which it is listed.
fn listed(module: &str) -> Option<(usize, &str)> {
    let row = ROWS.iter().position(|row| row.contains(&module));
    row.map(|row| (row, module)).or_else(|| listed(parent(module)?))
}

/// `None` for the crate's root, which is written as the empty name.
fn parent(module: &str) -> Option<&str> {
    (!module.is_empty()).then(|| module.rsplit_once("::").map_or("", |(parent, _)| parent))
}

/// Why `from` may not import from `to`, if it may not.
fn import_fault(from: &str, to: &str) -> Option<String> {
    let (row, place) = listed(from)?;
    let (target_row, target_place) = listed(to).map_or((None, ""), |(row, place)| (Some(row), place));
    if from == to {
        return None;
    }
    if place == "sandbox" && target_place != "sandbox" {
        return Some("the sandbox imports nothing of ours".into());
    }
    if place == "proxy" && target_place.starts_with("token") && !SEEN_BY_PROXY.contains(&to) {
        return Some(format!("of the token the proxy sees {} only", SEEN_BY_PROXY.join(" and ")));
    }
    let Some(target_row) = target_row else {
        return Some("the crate's root holds modules and nothing else".into());
    };
    let is_next = parent(from) == Some(to) || parent(to) == Some(from) || place == target_place;
    (!is_next && target_row >= row).then(|| format!("row {target_row} is not above row {row}"))
}

/// What the files of `src/` do against the order; their paths begin below `src/`.
fn faults(sources: &[File]) -> Vec<String> {
    let modules: BTreeSet<String> = sources.iter().map(|(path, _)| module_of(path)).collect();
    let mut faults = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| path != "lib.rs" && !is_of_tests(path)) {
        let from = module_of(path);
        if listed(&from).is_none() {
            faults.push(format!("src/{path}: in no row: decide where {from} stands"));
            continue;
        }
        for reference in references(&from, text, &modules) {
            let to = home(&reference, &modules);
            if let Some(fault) = import_fault(&from, to) {
                faults.push(format!("src/{path}: {from} names crate::{}: {fault}", reference.join("::")));
            }
        }
    }
    faults
}

fn is_of_tests(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
}

/// `token/cell.rs` is `token::cell`; the crate's root is the empty name.
fn module_of(path: &str) -> String {
    let name = path.strip_suffix(".rs").unwrap_or(path).replace('/', "::");
    if name == "lib" { String::new() } else { name }
}

/// The module whose file a path leads into: the longest beginning that is a module.
fn home<'a>(reference: &[String], modules: &'a BTreeSet<String>) -> &'a str {
    (0..=reference.len())
        .rev()
        .find_map(|length| modules.get(&reference[..length].join("::")))
        .map_or("", String::as_str)
}

#[test]
fn imports_go_one_way() {
    let sources: Vec<File> = files()
        .into_iter()
        .filter_map(|(path, text)| Some((path.strip_prefix("src/")?.to_string(), text)))
        .filter(|(path, _)| path.ends_with(".rs"))
        .collect();
    assert!(sources.len() > 2, "no sources were found");
    assert_none(&faults(&sources));
}
