//! A strict reader of the OpenMetrics text format (OpenMetrics 1.0), for what the proxy exposes.

use std::collections::BTreeMap;

/// A metric family: its type and its samples, by name with labels.
#[derive(Debug, Default)]
pub struct MetricFamily {
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// The samples, in order.
    pub samples: Vec<(String, f64)>,
}

/// Reads `text`; panics at the first line that is not as the format wants it.
pub fn parse(text: &str) -> BTreeMap<String, MetricFamily> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
    let mut current = String::new();
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (keyword, name) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap_or_else(|| panic!("nothing is said in {line:?}"));
            if name != current {
                assert!(!families.contains_key(name), "{name} is torn in two");
                assert!(is_name(name), "{name} is no name");
                name.clone_into(&mut current);
                families.insert(current.clone(), MetricFamily::default());
            }
            let family = families.get_mut(&current).unwrap();
            assert!(family.samples.is_empty(), "{line:?} comes behind its samples");
            match keyword {
                "TYPE" => rest.clone_into(&mut family.kind),
                "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{name} is not in {rest}"),
                "HELP" => assert!(!rest.trim().is_empty()),
                _ => panic!("no such keyword: {line:?}"),
            }
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
            let family = families.get_mut(&current).unwrap();
            check_sample(&current, &family.kind, sample);
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
            assert!(family.samples.iter().all(|(name, _)| name != sample), "{sample} stands twice");
            family.samples.push((sample.to_owned(), value));
        }
    }
    for (name, family) in &families {
        if family.kind == "histogram" {
            check_histogram(name, &family.samples);
        }
    }
    families
}

fn check_sample(family: &str, kind: &str, sample: &str) {
    let name = sample.split('{').next().unwrap();
    let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{sample} is not of {family}"));
    let suffixes: &[&str] = match kind {
        "counter" => &["_total", "_created"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_count", "_sum"],
        _ => panic!("{family} is of the unknown type {kind:?}"),
    };
    assert!(suffixes.contains(&suffix), "a {kind} has no {sample}");
    if let Some(labels) = sample.strip_prefix(name).filter(|labels| !labels.is_empty()) {
        let labels = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).unwrap();
        for label in labels.split(',') {
            let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("no label: {label:?}"));
            assert!(is_name(name), "{name} is no name");
            assert!(value.len() >= 2 && value.starts_with('"') && value.ends_with('"'), "{label:?}");
        }
    }
}

/// Buckets count up to the last one, which holds everything.
fn check_histogram(name: &str, samples: &[(String, f64)]) {
    let buckets: Vec<_> = samples.iter().filter(|(sample, _)| sample.contains("_bucket")).collect();
    assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name}: {buckets:?}");
    let last = buckets.last().unwrap();
    assert!(last.0.contains("le=\"+Inf\""), "{name}: {last:?}");
    let count = samples.iter().find(|(sample, _)| sample.ends_with("_count")).unwrap();
    assert_eq!(last.1, count.1, "{name}");
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
