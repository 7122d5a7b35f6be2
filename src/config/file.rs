//! A TOML file as a layer: every entry with its line, every entry that does not belong as a problem.

use std::io::{self, Read};
use std::path::Path;

use config::ValueKind;
use toml_edit::{Document, Item, TableLike, Value};
use zeroize::Zeroizing;

use super::layer::Layer;
use super::nearest::nearest;
use super::origin::Source;
use super::problem::{Problem, clipped, may_be_secret};
use super::schema::{is_section, keys, sections};

/// The most bytes a configuration may have: one that is larger is some other file.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the user's file. `named_by` is what gave its name, for when it cannot be read.
pub(super) fn read(path: &Path, named_by: Source, problems: &mut Vec<Problem>) -> Layer {
    match contents(path) {
        Ok(text) => {
            let at = |line| Source::File { path: path.to_owned(), line };
            parse(&text, &path.display().to_string(), at, problems)
        }
        Err(error) => {
            // A key where the file's name belongs is not repeated.
            let name = path.to_string_lossy();
            let is_shown = path.is_absolute() || !may_be_secret(&(&*name).into());
            problems.push(Problem {
                key: if is_shown { name.into_owned() } else { "the file".into() },
                source: Some(named_by),
                value: None,
                what: format!("cannot be read: {error}"),
                allowed: "a TOML file of at most 1 MiB".into(),
                nearest: None,
            });
            Layer::default()
        }
    }
}

fn contents(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = std::fs::File::open(path)?;
    // There may be a secret in it: room for all of it, as a buffer that grows leaves copies behind.
    let room = file.metadata()?.len().min(MAX_BYTES) as usize + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// Takes a file's text apart. `at` makes a source of a line number, from 1.
pub(super) fn parse(
    text: &str,
    name: &str,
    at: impl Fn(usize) -> Source,
    problems: &mut Vec<Problem>,
) -> Layer {
    let lines = Lines::of(text);
    match Document::parse(text) {
        Ok(document) => {
            let mut walk = Walk { lines, at, layer: Layer::default(), problems };
            walk.table("", document.as_table());
            walk.layer
        }
        Err(error) => {
            let (line, column) = error.span().map_or((1, 1), |span| lines.position(span.start));
            problems.push(Problem {
                key: name.to_owned(),
                source: Some(at(line)),
                value: None,
                // Only the message: the error's own display repeats the line, and with it any secret.
                what: format!("is not TOML, column {column}: {}", error.message().replace('\n', ", ")),
                allowed: "TOML, see https://toml.io".into(),
                nearest: None,
            });
            Layer::default()
        }
    }
}

struct Walk<'a, F> {
    lines: Lines<'a>,
    at: F,
    layer: Layer,
    problems: &'a mut Vec<Problem>,
}

impl<F: Fn(usize) -> Source> Walk<'_, F> {
    fn table(&mut self, section: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let span = table.get_key_value(name).and_then(|(key, _)| key.span()).or_else(|| item.span());
            let line = span.map_or(1, |span| self.lines.line(span.start));
            let source = (self.at)(line);
            // A quoted name may hold a dot and would then look like a path.
            let name = if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() };
            let path = if section.is_empty() { name } else { format!("{section}.{name}") };
            self.entry(&path, item, source);
        }
    }

    fn entry(&mut self, path: &str, item: &Item, source: Source) {
        if let Some(key) = keys().find(|key| key.key == path) {
            let takes_list = key.kind.takes_list();
            match scalar_or_list(item).filter(|value| takes_list || !matches!(value, ValueKind::Array(_))) {
                Some(value) => self.layer.set(key, value, source),
                None => {
                    let what = match takes_list {
                        true => "is a table, a date, or a list of lists, tables or dates",
                        false => "is a list, a table or a date",
                    };
                    self.refuse(path, source, what, key.allowed(), None);
                }
            }
        } else if let (true, Some(table)) = (is_section(path), item.as_table_like()) {
            self.table(path, table);
        } else if is_section(path) {
            self.refuse(path, source, "is a section and takes no value itself", inside(path), None);
        } else if item.is_table_like() || item.is_array_of_tables() {
            // Not the section around it, which is like every name in it.
            let around =
                |section: &&str| path.strip_prefix(*section).is_some_and(|rest| rest.starts_with('.'));
            let nearest = nearest(path, sections().filter(|section| !around(section)));
            self.refuse(path, source, "no such section", inside(parent(path)), nearest);
        } else {
            let nearest = nearest(path, keys().map(|key| key.key));
            self.refuse(path, source, "no such key", inside(parent(path)), nearest);
        }
    }

    fn refuse(&mut self, path: &str, source: Source, what: &str, allowed: String, nearest: Option<&str>) {
        self.problems.push(Problem {
            key: clipped(path),
            source: Some(source),
            // Not shown: a misspelt secret is still one.
            value: None,
            what: what.into(),
            allowed,
            nearest: nearest.map(str::to_owned),
        });
    }
}

fn scalar_or_list(item: &Item) -> Option<ValueKind> {
    match item.as_value()? {
        Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>().map(ValueKind::from),
        value => scalar(value),
    }
}

fn scalar(value: &Value) -> Option<ValueKind> {
    match value {
        Value::String(text) => Some(text.value().as_str().into()),
        Value::Integer(number) => Some((*number.value()).into()),
        Value::Float(number) => Some((*number.value()).into()),
        Value::Boolean(on) => Some((*on.value()).into()),
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => None,
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// What a section holds, for people.
fn inside(section: &str) -> String {
    let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
    let mut names: Vec<&str> = Vec::new();
    for key in keys() {
        let name = key.key.strip_prefix(&prefix).and_then(|rest| rest.split('.').next());
        names.extend(name.filter(|name| names.last() != Some(name)));
    }
    if section.is_empty() { names.join(", ") } else { format!("in [{section}]: {}", names.join(", ")) }
}

/// Where the lines of a text begin, in bytes: looked up for every entry, so counted only once.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1));
        Self { text, starts: starts.collect() }
    }

    /// The line of an offset, from 1.
    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Line and column of an offset, the column in characters, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let before = self.starts.get(line - 1).and_then(|start| self.text.get(*start..offset));
        (line, before.map_or(0, |before| before.chars().count()) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(String, String, Option<String>)> {
        let mut problems = Vec::new();
        parse(text, "x.toml", |line| Source::File { path: "x.toml".into(), line }, &mut problems);
        let told = |p: Problem| (p.key, format!("{}: {}", p.source.unwrap(), p.what), p.nearest);
        problems.into_iter().map(told).collect()
    }

    #[test]
    fn each_way_of_writing_a_section_is_read() {
        for text in [
            "[listen]\naddress = \"x\"",
            "[listen] # comment\naddress = 'x'",
            "listen.address = \"x\"\n",
            "listen = { address = \"x\" }",
            "\u{feff}[\"listen\"]\r\n\"address\" = \"x\"\r\n",
        ] {
            let mut problems = Vec::new();
            let layer = parse(text, "x.toml", |_| Source::Default, &mut problems);
            assert_eq!(layer.value("listen.address"), Some(&"x".into()), "{text}");
            assert!(problems.is_empty(), "{text}: {problems:?}");
        }
    }

    #[test]
    fn what_does_not_belong_is_named_with_its_line() {
        let text = "\nlisten.adress = 1\n\"listen.address\" = 2\nlog = 3\nadmin.address = [4]\n\n[[upstreams]]\nx = 5\n[token.x]";
        let told = |key: &str, what: &str, nearest: Option<&str>| {
            (key.to_owned(), format!("x.toml:{what}"), nearest.map(str::to_owned))
        };
        assert_eq!(
            problems(text),
            [
                told("listen.adress", "2: no such key", Some("listen.address")),
                told("\"listen.address\"", "3: no such key", Some("listen.address")),
                told("log", "4: is a section and takes no value itself", None),
                told("admin.address", "5: is a list, a table or a date", None),
                told("upstreams", "7: no such section", Some("upstream")),
                told("token.x", "9: no such section", None),
            ]
        );
    }

    #[test]
    fn lists_are_read_where_a_key_takes_them() {
        let mut found = Vec::new();
        let text = "[credentials.orders]\npaths = ['/a', 5]";
        let layer = parse(text, "x.toml", |_| Source::Default, &mut found);
        assert_eq!(
            layer.value("credentials.orders.paths"),
            Some(&vec![ValueKind::from("/a"), 5_i64.into()].into())
        );
        assert_eq!(found, []);
        for value in ["[['/a']]", "['/a', { b = 1 }]", "{ a = '/a' }", "1979-05-27"] {
            let problems = problems(&format!("credentials.orders.paths = {value}"));
            let [(_, what, _)] = problems.as_slice() else { panic!("{problems:?}") };
            assert!(
                what.ends_with("is a table, a date, or a list of lists, tables or dates"),
                "{value}: {what}"
            );
        }
    }

    #[test]
    fn text_that_is_not_toml_has_a_place_and_is_not_repeated() {
        for text in ["credentials.api.key = \"canary", "é = canary", "[credentials.api]\nkey = canary\n"] {
            let problems = problems(text);
            let [(key, what, None)] = problems.as_slice() else { panic!("{problems:?}") };
            assert_eq!(key, "x.toml");
            assert!(what.contains("is not TOML, column ") && !what.contains("canary"), "{what}");
        }
        assert!(problems("a = 1\né = canary")[0].1.starts_with("x.toml:2: is not TOML, column "));
    }

    #[test]
    fn places_are_counted_as_people_do() {
        let lines = Lines::of("a\n\né = x\n");
        let x = lines.text.find('x').unwrap();
        assert_eq!([0, 1, 2, x].map(|offset| lines.position(offset)), [(1, 1), (1, 2), (2, 1), (3, 5)]);
        assert_eq!(lines.position(lines.text.len()), (4, 1));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem() {
        let mut large = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut large, &vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        let mut binary = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut binary, b"\xff\xfe").unwrap();
        for path in [Path::new("/nonexistent/liquid.toml"), Path::new("/"), large.path(), binary.path()] {
            let mut problems = Vec::new();
            read(path, Source::Flag("--config"), &mut problems);
            assert_eq!(problems.len(), 1, "{}", path.display());
            assert!(problems[0].what.starts_with("cannot be read: "), "{:?}", problems[0]);
        }
    }
}
