//! What somebody probably meant who wrote a name that does not exist.

/// Below this likeness a suggestion would puzzle more than it helps.
const ALIKE: f64 = 0.6;

/// From so many letters on a beginning is taken for an abbreviation.
const SHORT: usize = 4;

/// The candidate that is most like `given`, if one is alike at all.
///
/// Names are dotted paths. Within one section only the last part is compared, as the part in common
/// would make everything alike; a last part alone (`base_url`) finds its section.
pub(super) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (likeness(&given, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // Not `max_by`: of equals the first, so that the order of the documentation decides.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, candidate)| candidate)
}

fn likeness(given: &str, candidate: &str) -> f64 {
    let (given, candidate) = match (given.rsplit_once('.'), candidate.rsplit_once('.')) {
        (Some((a, given)), Some((b, candidate))) if a == b => (given, candidate),
        (None, Some((_, last))) if given == last => return 0.9,
        _ => (given, candidate),
    };
    let is_short_for = given.len() >= SHORT && candidate.starts_with(given);
    let likeness = strsim::normalized_damerau_levenshtein(given, candidate);
    if is_short_for { likeness.max(ALIKE) } else { likeness }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_meant_or_nothing() {
        let known = ["listen.address", "admin.address", "upstream.base_url", "log.level"];
        for (given, meant) in [
            ("listen.adress", Some("listen.address")),
            ("listen.Address", Some("listen.address")),
            ("admin.addr", Some("admin.address")),
            ("listn.address", Some("listen.address")),
            ("listen_address", Some("listen.address")),
            ("base_url", Some("upstream.base_url")),
            ("upstream.base-url", Some("upstream.base_url")),
            ("listen.unix_mode", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), meant, "{given}");
        }
    }
}
