//! Documents name the tests that prove what they say: each of those tests exists.

use std::collections::BTreeSet;

use crate::{File, assert_caught, assert_none, files, read};

/// The documents that do, and the heading of the column in which they do it.
const DOCUMENTS: [(&str, &str); 2] = [("docs/THREAT_MODEL.md", "tests"), ("docs/token-handling.md", "test")];

/// A test by its path, such as `proxy::callers::pages::no_page_may_call`. Modules within a file are left out.
fn tests(files: &[File]) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let (true, Some((_, name))) = (is_test, line.split_once("fn ")) {
                let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                tests.insert(format!("{}::{name}", module(path)));
                is_test = false;
            }
        }
    }
    tests
}

/// `tests/proxy/callers/pages.rs` is `proxy::callers::pages`.
fn module(path: &str) -> String {
    let below = path.strip_prefix("tests/").or_else(|| path.strip_prefix("src/")).unwrap_or(path);
    below.strip_suffix(".rs").unwrap_or(below).replace('/', "::")
}

/// Whether `claim` is the end of the path of one of `tests`.
fn exists(claim: &str, tests: &BTreeSet<String>) -> bool {
    tests
        .iter()
        .any(|test| test.strip_suffix(claim).is_some_and(|rest| rest.is_empty() || rest.ends_with("::")))
}

/// What each row of the tables with the column `heading` has in it.
fn cells<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let mut cells = Vec::new();
    let mut column = None;
    for line in text.lines() {
        let Some(row) = line.strip_prefix('|') else {
            column = None;
            continue;
        };
        let row: Vec<_> = row.split('|').map(str::trim).collect();
        match column {
            None => column = Some(row.iter().position(|cell| *cell == heading)),
            Some(Some(column)) if !row[0].starts_with("---") => {
                cells.extend(row.get(column));
            }
            Some(_) => {}
        }
    }
    cells
}

/// The names between backticks that are no paths of files.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
    text.split('`').skip(1).step_by(2).filter(is_name)
}

fn faults(document: &str, text: &str, heading: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for cell in cells(text, heading) {
        if names(cell).next().is_none() {
            faults.push(format!("{document}: a row without a test: {cell:?}"));
        }
    }
    // Outside of its tables a document names many other things: only what has a path is looked at there.
    let in_cells = cells(text, heading).into_iter().flat_map(names);
    let elsewhere = names(text).filter(|name| name.contains("::"));
    for name in in_cells.chain(elsewhere).collect::<BTreeSet<_>>() {
        if !exists(name, tests) {
            faults.push(format!("{document}: no test {name}"));
        }
    }
    faults
}

#[test]
fn every_test_that_a_document_names_exists() {
    let tests = tests(&files());
    assert!(tests.len() > 300, "few tests were found: {}", tests.len());
    for (document, heading) in DOCUMENTS {
        let text = read(document);
        assert!(cells(&text, heading).len() > 8, "the table of {document} has moved");
        assert_none(&faults(document, &text, heading, &tests));
    }
}

#[test]
fn a_test_that_is_gone_is_caught() {
    let code = "#[tokio::test(start_paused = true)]\nasync fn it_holds() {\n#[test]\n#[ignore]\nfn too() {\nfn no_test() {";
    let tests = tests(&[("tests/proxy/a/b.rs".into(), code.into())]);
    let sample = |cell: &str| {
        let text = format!("`e`\n\n| claim | tests |\n|---|---|\n| x `y` | {cell} |\n");
        faults("a.md", &text, "tests", &tests)
    };
    for right in ["`it_holds`", "`b::it_holds`, `a::b::too`", "`proxy::a::b::too` in `tests/proxy/a`"] {
        assert_none(&sample(right));
    }
    for wrong in ["`no_test`", "`holds`", "`a::it_holds`", "`it_holds`, `gone`"] {
        assert_caught(&sample(wrong), "no test");
    }
    assert_caught(&sample("by hand"), "without a test");
    assert_caught(&faults("a.md", "It is `b::gone`.", "tests", &tests), "no test b::gone");
}
