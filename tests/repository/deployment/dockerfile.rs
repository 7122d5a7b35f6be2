//! The image: pinned bases, the locked tree, a user that is a number, exec forms throughout.

use super::{BINARY, Faults, altered, is_numeric_user};
use crate::{assert_caught, assert_none, read};

/// The instructions, each with its arguments on one line, comments left out.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    joined
        .lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .map(|(name, rest)| (name.to_uppercase(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

fn faults(text: &str, ignore: &str) -> Vec<String> {
    let instructions = instructions(text);
    let all = |name: &str| -> Vec<&str> {
        instructions.iter().filter(|(found, _)| found == name).map(|(_, rest)| rest.as_str()).collect()
    };
    let exec = |arguments: &[&str]| format!("[\"{}\"]", arguments.join("\", \""));
    let mut faults = Faults::default();

    let before_first = instructions.iter().take_while(|(name, _)| name != "FROM");
    let defaults: Vec<_> = before_first.filter_map(|(_, rest)| rest.split_once('=')).collect();
    let bases = all("FROM");
    faults.unless(bases.len() == 2, "one stage builds, one runs");
    for base in &bases {
        let image = base.split(' ').next().unwrap_or_default();
        let default = defaults.iter().find(|(name, _)| format!("${{{name}}}") == image);
        faults.unless(default.is_some(), &format!("FROM {image}: not a build argument with a default"));
        let tag = default.and_then(|(_, default)| default.rsplit_once(':')).map_or("latest", |(_, tag)| tag);
        faults.unless(tag != "latest", &format!("FROM {image}: no tag"));
    }
    let toolchain = defaults.iter().find_map(|(name, image)| (*name == "RUST_IMAGE").then_some(*image));
    let version = toolchain.and_then(|image| image.split([':', '-']).nth(1)).unwrap_or_default();
    faults.unless(version.split('.').count() == 3, "RUST_IMAGE is not pinned to a version");

    let build = all("RUN").into_iter().find(|run| run.contains("target=/build/target")).unwrap_or_default();
    faults.unless(build.contains("scripts/release.sh"), "the build is not the one that is released");
    let kept = build.split(' ').filter(|word| word.starts_with("--mount=type=cache")).count();
    faults.unless(kept == 2, "dependencies are compiled anew in each build");

    let copied: Vec<&str> =
        all("COPY").into_iter().filter(|copy| !copy.starts_with("--from")).flat_map(sources).collect();
    for needed in
        ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "config", "src", "examples", "scripts/release.sh"]
    {
        faults.unless(copied.contains(&needed), &format!("{needed} is not copied"));
    }
    for source in copied {
        let kept = ignore.lines().any(|line| line.strip_prefix('!') == Some(source));
        faults.unless(kept, &format!("{source} is copied, but .dockerignore leaves it out"));
    }
    faults.unless(ignore.lines().any(|line| line == "*"), "the context is not closed by default");

    let user = all("USER").pop().unwrap_or_default();
    faults.unless(is_numeric_user(user), "USER is root or a name");
    let health = all("HEALTHCHECK").pop().unwrap_or_default();
    let asks = format!("CMD {}", exec(&[BINARY, "healthcheck"]));
    faults.unless(health.ends_with(&asks), "HEALTHCHECK is not the program's own, in exec form");
    faults.unless(all("ENTRYPOINT") == [exec(&[BINARY])], "ENTRYPOINT is not the program, in exec form");
    let installed = all("COPY").into_iter().any(|copy| copy.starts_with("--from") && copy.ends_with(BINARY));
    faults.unless(installed, "the program is not where ENTRYPOINT looks for it");
    faults.unless(all("EXPOSE").is_empty(), "the proxy is reached over loopback only: no EXPOSE");
    faults.0
}

/// What a `COPY` takes: all of its words but the last.
fn sources(copy: &str) -> Vec<&str> {
    let mut words: Vec<_> = copy.split(' ').collect();
    words.pop();
    words
}

#[test]
fn the_image_is_as_closed_as_it_says() {
    assert_none(&faults(&read("Dockerfile"), &read(".dockerignore")));
}

#[test]
fn what_is_released_is_built_with_the_lock_file_as_it_is() {
    let script = read("scripts/release.sh");
    let builds: Vec<_> = script.lines().filter(|line| line.contains("\"$cargo\" ")).collect();
    assert_eq!(builds.len(), 2, "{builds:?}");
    assert!(builds.iter().all(|line| line.contains(" --locked ")), "{builds:?}");
}

/// A key may lie in a checkout, as the sample for Compose asks for one below `deploy/`.
#[test]
fn what_is_packed_is_what_is_committed() {
    let script = read("scripts/dist.sh");
    let copies: Vec<_> = script
        .lines()
        .filter(|line| ["cp ", "install ", "git archive "].iter().any(|c| line.starts_with(c)))
        .collect();
    assert_eq!(copies.len(), 2, "{copies:?}");
    assert!(copies[0].starts_with("install -m 0755 target/pgo/liquid-auth-proxy "), "{copies:?}");
    assert!(copies[1].starts_with("git archive HEAD "), "{copies:?}");
}

#[test]
fn a_looser_image_is_caught() {
    let (file, ignore) = (read("Dockerfile"), read(".dockerignore"));
    for (from, to, part) in [
        ("rust:1.95.0-bookworm", "rust:1-bookworm", "RUST_IMAGE"),
        ("FROM ${RUNTIME_IMAGE}", "FROM debian:12", "debian:12"),
        ("cc-debian12:nonroot", "cc-debian12:latest", "no tag"),
        ("    scripts/release.sh \\", "    cargo build --release \\", "the one that is released"),
        ("type=cache,id=target-", "type=tmpfs,id=target-", "compiled anew"),
        ("COPY examples examples", "", "examples is not copied"),
        ("COPY .cargo/config.toml .cargo/config.toml", "", ".cargo/config.toml is not copied"),
        ("COPY config config", "COPY config docs config", "docs is copied"),
        ("USER 65532:65532", "USER nonroot", "USER"),
        ("USER 65532:65532", "USER 0", "USER"),
        (
            "CMD [\"/usr/local/bin/liquid-auth-proxy\", \"healthcheck\"]",
            "CMD curl localhost:8001",
            "HEALTHCHECK",
        ),
        ("ENTRYPOINT [\"/usr/local/bin/liquid-auth-proxy\"]", "ENTRYPOINT liquid-auth-proxy", "ENTRYPOINT"),
        ("STOPSIGNAL", "EXPOSE 8000\nSTOPSIGNAL", "EXPOSE"),
    ] {
        assert_caught(&faults(&altered(&file, from, to), &ignore), part);
    }
    assert_caught(&faults(&file, &altered(&ignore, "*\n", "\n")), "closed by default");
}
