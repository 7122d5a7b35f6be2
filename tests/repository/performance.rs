//! The page of figures, which a program writes: it holds up without the machine that it was made on.

use crate::{File, assert_caught, assert_none, files};

const PAGE: &str = "docs/performance.md";
const PLOTS: &str = "docs/performance/";

/// Where a run keeps its files, and which address its servers have.
const OF_A_RUN: [&str; 3] = ["/tmp/", "/var/", "127.0.0.1:"];

/// Every plot that the page shows is there, none is left over, and neither names a place of the run.
fn faults(files: &[File]) -> Vec<String> {
    let page = files.iter().find(|(path, _)| path == PAGE).map_or("", |(_, text)| text);
    let plots = || files.iter().filter(|(path, _)| path.starts_with(PLOTS));
    let shown: Vec<_> = page
        .split("](performance/")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|name| format!("{PLOTS}{name}"))
        .collect();
    let mut faults = Vec::new();
    if !page.contains("\n## Goals\n") {
        faults.push(format!("{PAGE}: no goals"));
    }
    for name in shown.iter().filter(|name| !plots().any(|(path, _)| path == *name)) {
        faults.push(format!("{PAGE}: no {name}"));
    }
    for (path, _) in plots().filter(|(path, _)| !shown.contains(path)) {
        faults.push(format!("{path}: {PAGE} does not show it"));
    }
    for (path, text) in files.iter().filter(|(path, _)| path == PAGE || path.starts_with(PLOTS)) {
        for place in OF_A_RUN.iter().filter(|place| text.contains(**place)) {
            faults.push(format!("{path}: {place} is a place of one run"));
        }
    }
    faults
}

#[test]
fn the_page_is_whole_and_names_no_place_of_its_run() {
    assert_none(&faults(&files()));
}

#[test]
fn a_page_that_is_not_is_caught() {
    let page = |text: &str| (PAGE.to_owned(), format!("\n## Goals\n{text}"));
    let plot = |name: &str| (format!("{PLOTS}{name}"), String::new());
    assert_none(&faults(&[page("![a](performance/a.svg)"), plot("a.svg")]));
    assert_caught(&faults(&[]), "no goals");
    assert_caught(&faults(&[page("![a](performance/a.svg)")]), "no docs/performance/a.svg");
    assert_caught(&faults(&[page(""), plot("a.svg")]), "does not show it");
    assert_caught(&faults(&[page("the log is in /tmp/bench-1")]), "/tmp/ is a place");
}
