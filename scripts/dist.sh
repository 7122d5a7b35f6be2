#!/usr/bin/env bash
# Packs what `make release` builds, with what an operator needs beside it, as
# target/dist/liquid-auth-proxy-VERSION-HOST.tar.gz, and its SHA-256. The same files give the same bytes: names in order,
# nobody's ownership, and the time of the last commit, or of SOURCE_DATE_EPOCH.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/release.sh

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
host=$(rustc -vV | sed -n 's/^host: //p')
name=liquid-auth-proxy-$version-$host
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
out=target/dist

rm -rf "${out:?}/$name"
mkdir -p "$out/$name"
install -m 0755 target/pgo/liquid-auth-proxy "$out/$name/"
# What is committed, and nothing else: a key may lie in the checkout for trying things out.
git archive HEAD README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT config deploy docs | tar --extract --directory "$out/$name"
tar --create --directory "$out" --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX "$name" |
    gzip --no-name >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
rm -r "${out:?}/$name"
echo "dist: $out/$name.tar.gz"
