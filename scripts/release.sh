#!/usr/bin/env bash
# A release build that has learned from a training: it is built with counters, runs before a sandbox, and is built
# again with what was counted (profile-guided optimisation). The program is target/pgo/liquid-auth-proxy.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
host=$(rustc -vV | sed -n 's/^host: //p')
tools=$(rustc --print sysroot)/lib/rustlib/$host/bin
if [[ ! -x $tools/llvm-profdata ]]; then
    # The profile's format is that of the compiler's own LLVM: a system's is mostly too old.
    echo 'release: installing llvm-tools into the toolchain'
    rustup component add llvm-tools
fi

out=$PWD/target/pgo
profiles=$out/profiles
rm -rf "$profiles"
mkdir -p "$profiles"

# `--target` keeps the flags from build scripts and macros, which would count as well.
build() {
    RUSTFLAGS="$1" "$cargo" build --release --locked --bin liquid-auth-proxy --target "$host" --target-dir "$2"
}

echo 'release: 1 of 3, a build that counts'
build "-Cprofile-generate=$profiles" "$out/counting"
echo 'release: 2 of 3, its training'
"$cargo" run --locked --quiet --example training -- "$out/counting/$host/release/liquid-auth-proxy"
"$tools/llvm-profdata" merge -o "$out/merged.profdata" "$profiles"
echo 'release: 3 of 3, a build that knows what was counted'
build "-Cprofile-use=$out/merged.profdata" "$out/build"
install -m 0755 "$out/build/$host/release/liquid-auth-proxy" "$out/liquid-auth-proxy"
echo "release: target/pgo/liquid-auth-proxy"
