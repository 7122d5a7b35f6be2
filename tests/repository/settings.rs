//! Documents, samples and scripts name only variables, keys, commands and flags that exist.

use std::collections::BTreeSet;

use crate::program::{call_fault, known_keys, known_variables};
use crate::{File, assert_caught, assert_none, files, read};

const PROGRAM: &str = "liquid-auth-proxy";

/// Names in documents that stand for any key, or show what happens when one is wrong.
const EXAMPLES: [(&str, &str); 3] = [
    ("docs/configuration.md", "LIQUID_SECTION__KEY"),
    ("docs/configuration.md", "LIQUID_LISTEN__ADRESS"),
    ("docs/configuration.md", "LIQUID_AUTH_PROXY_SERVICE_HOST"),
];

/// What people copy from. The code, its test data and its tests also write names that are wrong on
/// purpose, and the change log those that are gone.
fn is_copied_from(path: &str) -> bool {
    !(path.starts_with("src/") || path.ends_with(".rs") || path.ends_with(".lock") || path == "CHANGELOG.md")
}

fn variable_faults(files: &[File]) -> Vec<String> {
    let known: BTreeSet<_> = known_variables().into_iter().collect();
    let mut faults = Vec::new();
    for (path, text) in files {
        for name in variables(text).difference(&known) {
            if !EXAMPLES.contains(&(path, name)) {
                faults.push(format!("{path}: no variable {name}"));
            }
        }
    }
    faults
}

/// Every `LIQUID_…` that stands as a word of its own; a bare `LIQUID_` speaks of them all.
fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split(|c| !is_part(c))
        .filter(|word| word.starts_with("LIQUID_") && word.len() > "LIQUID_".len())
        .map(String::from)
        .collect()
}

fn call_faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in files {
        for call in calls(path, text) {
            if let Some(fault) = call_fault(&call) {
                faults.push(format!("{path}: {PROGRAM} {}: {fault}", call.join(" ")));
            }
        }
    }
    faults
}

/// The arguments of each call of the program: in exec form, in `Exec…=` of units, in code of Markdown
/// files, in lines of everything else.
fn calls(path: &str, text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = if path.ends_with(".md") {
        markdown_code(text)
    } else if path.ends_with(".service") {
        text.lines()
            .filter(|line| line.starts_with("Exec"))
            .filter_map(|line| line.split('=').nth(1))
            .collect()
    } else {
        text.lines().collect()
    };
    lines.into_iter().filter_map(shell_call).chain(text.lines().filter_map(exec_form)).collect()
}

/// `["…/liquid-auth-proxy", "healthcheck"]`, as Dockerfiles and YAML write it.
fn exec_form(line: &str) -> Option<Vec<String>> {
    let array: Vec<String> = serde_json::from_str(line.get(line.find('[')?..)?).ok()?;
    let program = array.iter().position(|part| is_program(part))?;
    Some(array[program + 1..].to_vec())
}

/// The lines of fenced blocks, and what stands between backticks elsewhere.
fn markdown_code(text: &str) -> Vec<&str> {
    let mut code = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code.push(line);
        } else {
            code.extend(line.split('`').skip(1).step_by(2));
        }
    }
    code
}

/// The arguments that one line of a shell or a Makefile gives to the program, called by its name or by
/// `cargo run … --`, up to what the shell itself takes.
fn shell_call(line: &str) -> Option<Vec<String>> {
    let mut words = line
        .split_whitespace()
        .map(|word| word.trim_matches(['[', ']', '\'', '"', '@']))
        .skip_while(|word| matches!(*word, "$" | "exec") || (word.contains('=') && !word.starts_with('-')));
    match words.next()? {
        "cargo" | "$(CARGO)" if words.next() == Some("run") => {
            words.find(|word| *word == "--")?;
        }
        word if is_program(word) => {}
        _ => return None,
    }
    let is_shells = |word: &&str| word.starts_with(['|', '&', ';', '>', '<', '#', '\\']);
    Some(words.take_while(|word| !is_shells(word)).filter(|word| *word != "…").map(String::from).collect())
}

fn is_program(word: &str) -> bool {
    word.rsplit('/').next() == Some(PROGRAM)
}

/// Keys in the first column of the tables below a heading that speaks of configuration.
fn table_faults(path: &str, text: &str) -> Vec<String> {
    let known: BTreeSet<_> = known_keys().into_iter().collect();
    table_keys(text)
        .into_iter()
        .filter(|key| !known.contains(key))
        .map(|key| format!("{path}: no key {key}"))
        .collect()
}

fn table_keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut about_configuration = false;
    for line in text.lines() {
        if line.starts_with("## ") || line.starts_with("# ") {
            about_configuration = line.contains("onfiguration");
        }
        if let (true, Some(cell)) = (about_configuration, line.strip_prefix("| `")) {
            let cell = cell.split('|').next().unwrap_or_default();
            keys.extend(
                cell.split('`').step_by(2).map(String::from).filter(|key| !key.is_empty() && *key != " "),
            );
        }
    }
    keys
}

#[test]
fn every_variable_that_is_written_exists() {
    let files: Vec<_> = files().into_iter().filter(|(path, _)| is_copied_from(path)).collect();
    assert!(files.iter().any(|(_, text)| !variables(text).is_empty()), "no variable is written anywhere");
    assert_none(&variable_faults(&files));
}

#[test]
fn every_command_and_flag_that_is_written_exists() {
    let files: Vec<_> = files().into_iter().filter(|(path, _)| is_copied_from(path)).collect();
    for path in ["README.md", "Makefile", "Dockerfile", "deploy/compose.yaml"] {
        let (_, text) = files.iter().find(|(name, _)| name == path).unwrap();
        assert!(!calls(path, text).is_empty(), "no call is found in {path}");
    }
    assert_none(&call_faults(&files));
}

#[test]
fn every_key_of_the_configuration_table_exists() {
    let readme = read("README.md");
    assert!(table_keys(&readme).len() > 5, "the table has moved");
    assert_none(&table_faults("README.md", &readme));
}

#[test]
fn a_wrong_variable_is_caught() {
    let sample = |text: &str| variable_faults(&[("sample.md".into(), text.into())]);
    assert_none(&sample(
        "LIQUID_API_KEY_FILE=/a LIQUID_LISTEN__ADDRESS, X-LIQUID-API-KEY, MY_LIQUID_X and `LIQUID_`",
    ));
    assert_caught(&sample("Environment=LIQUID_LISTEN_ADDRESS=x"), "LIQUID_LISTEN_ADDRESS");
    assert_caught(&sample("{\"LIQUID_KEY\": 1}"), "LIQUID_KEY");
    assert_caught(&sample(EXAMPLES[0].1), EXAMPLES[0].1);
}

#[test]
fn a_wrong_call_is_caught() {
    for (path, text, part) in [
        ("a.md", "Try `liquid-auth-proxy chek`.", "chek"),
        ("a.md", "```sh\nLIQUID_ENVIRONMENT=staging liquid-auth-proxy run --conf x # why\n```", "--conf"),
        ("Makefile", "\t@$(CARGO) run --locked -- sandbux", "sandbux"),
        ("Dockerfile", "    CMD [\"/usr/local/bin/liquid-auth-proxy\", \"health\"]", "health"),
        ("a.yaml", "  test: [\"CMD\", \"/usr/local/bin/liquid-auth-proxy\", \"healthcheck\", \"-q\"]", "-q"),
        ("a.service", "ExecStart=/usr/local/bin/liquid-auth-proxy start", "start"),
    ] {
        assert_caught(&call_faults(&[(path.into(), text.into())]), part);
    }
    let right = "`liquid-auth-proxy wait [--max 30s] [-- CMD …]` and `cd liquid-auth-proxy here`";
    assert_none(&call_faults(&[("a.md".into(), right.into())]));
}

#[test]
fn a_wrong_key_is_caught() {
    let table =
        "## Configuration\n| `log.level` | `x` |\n| `log.colour`, `log.format` | `y` |\n## Else\n| `z` | |";
    assert_eq!(table_faults("a.md", table), ["a.md: no key log.colour"]);
}
