//! What is written twice for people, in `config/default.toml` and the documentation, is held against the table.

use super::*;
use crate::config::origin::Source;
use crate::config::problem::shown;
use crate::config::{Flags, Sources, file, load};

const DOCUMENTATION: &str = include_str!("../../../docs/configuration.md");

#[test]
fn default_toml_and_the_table_agree() {
    let mut problems = Vec::new();
    let text = include_str!("../../../config/default.toml");
    let layer = file::parse(text, "config/default.toml", |_| Source::Default, &mut problems);
    assert_eq!(problems, []);
    for key in keys() {
        assert_eq!(layer.value(key.key).map(shown).as_deref(), key.default, "{}", key.key);
    }
}

#[test]
fn the_documentation_has_a_row_for_every_key_and_no_other() {
    let expected: Vec<_> = keys()
        .map(|key| {
            let default = key.default.map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
            format!("| `{}` | {default} | {} | {} |", key.key, key.allowed(), key.meaning)
        })
        .collect();
    assert_eq!(rows("Keys"), expected, "docs/configuration.md should have:\n{}", expected.join("\n"));
}

#[test]
fn the_documentation_has_every_shortcut_credential_and_flag() {
    let shortcuts = keys().filter_map(|key| Some(format!("| `{}` | `{}` |", key.shortcut?, key.key)));
    assert_eq!(rows("Variables"), shortcuts.collect::<Vec<_>>());
    let credentials = keys().filter_map(|key| Some(format!("| `{}` | `{}` |", key.credential?, key.key)));
    assert_eq!(rows("Credentials from systemd"), credentials.collect::<Vec<_>>());
    for flag in keys().filter_map(|key| key.flag) {
        assert!(DOCUMENTATION.contains(&format!("`{flag}`")), "{flag}");
    }
}

#[test]
fn the_documented_example_is_valid_and_prints_what_the_documentation_says() {
    let file = written(block("example file"));
    let shown = load(&Sources {
        file: Some(file.path().to_owned()),
        variables: vec![("LIQUID_API_KEY".into(), "canary".into())],
        flags: Flags { log_level: Some("debug".into()), ..Flags::default() },
        ..Sources::default()
    })
    .unwrap()
    .to_string();
    assert_eq!(named(&shown, file.path()), block("example output"));
}

#[test]
fn the_documented_mistakes_give_the_documented_messages() {
    let file = written(block("broken file"));
    let variables = vec![("LIQUID_LISTEN__ADRESS".into(), "127.0.0.1:80".into())];
    let sources = Sources { file: Some(file.path().to_owned()), variables, ..Sources::default() };
    let shown = load(&sources).unwrap_err().to_string();
    assert_eq!(named(&shown, file.path()) + "\n", block("broken output"));
}

/// The rows, without their head, of the table below a heading.
fn rows(heading: &str) -> Vec<&'static str> {
    let (_, after) = DOCUMENTATION.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = after.split("\n## ").next().unwrap();
    section.lines().filter(|line| line.starts_with("| `")).collect()
}

/// The code block that follows a comment with this name.
fn block(name: &str) -> &'static str {
    let (_, after) = DOCUMENTATION.split_once(&format!("<!-- {name} -->\n```")).unwrap();
    let (_, body) = after.split_once('\n').unwrap();
    body.split_once("```").unwrap().0
}

fn written(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file
}

fn named(output: &str, path: &std::path::Path) -> String {
    output.replace(path.to_str().unwrap(), "/etc/liquid.toml")
}
