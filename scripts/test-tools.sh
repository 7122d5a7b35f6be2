#!/usr/bin/env bash
# Provides what the test suites need beside a Rust toolchain: a C compiler (for aws-lc and the
# linker), curl, OpenSSL, nginx, tinyproxy, Chromium, Go, Java, Python, Node.js with npm, and the packages of
# these two that the lock files and requirements.txt below tests/ name.
#
# As root on Debian or Ubuntu it installs what is missing by apt-get. Elsewhere it names what is
# missing and exits 1, so that no suite is left out in silence.
set -euo pipefail
cd "$(dirname "$0")/.."

# The oldest Node.js with a `fetch` that needs no flag, and Debian's. The vendor's SDK asks for 22, for
# which npm prints a warning, and works with this one.
readonly NODE_MAJOR=18

say() { echo "test-tools: $*" >&2; }

node_is_new_enough() {
    local version
    version=$(node --version 2>/dev/null) || return 1
    version=${version#v}
    ((${version%%.*} >= NODE_MAJOR))
}

# Prints what is missing, one tool a line: its name, then the packages that bring it.
missing_tools() {
    command -v cc >/dev/null || echo "a C compiler (cc): gcc libc6-dev"
    command -v curl >/dev/null || echo "curl: curl"
    node_is_new_enough || echo "Node.js $NODE_MAJOR or newer: nodejs ca-certificates"
    command -v npm >/dev/null || echo "npm: npm"
    command -v openssl >/dev/null || echo "openssl: openssl"
    command -v chromium >/dev/null || echo "Chromium: chromium"
    command -v tinyproxy >/dev/null || echo "tinyproxy: tinyproxy-bin"
    PATH=$PATH:/usr/sbin command -v nginx >/dev/null || echo "nginx: nginx"
    command -v go >/dev/null || echo "Go: golang-go"
    # The compiler's module runs a program from its source.
    java --list-modules 2>/dev/null | grep -q '^jdk.compiler@' || echo "Java 17 or newer: openjdk-17-jdk-headless"
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo "Python 3 with venv: python3 python3-venv"
}

can_install() {
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null &&
        grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release
}

if ! command -v cargo >/dev/null; then
    say "cargo is missing: install a Rust toolchain, see https://rustup.rs"
    exit 1
fi

missing=$(missing_tools)
if [[ -n $missing ]] && can_install; then
    read -ra packages <<<"$(sed 's/.*: //' <<<"$missing" | tr '\n' ' ')"
    say "installing by apt-get: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # The tests start what they need themselves: no service is to be started here.
    if [[ ! -e /usr/sbin/policy-rc.d ]]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${packages[@]}"
    missing=$(missing_tools)
fi
if [[ -n $missing ]]; then
    say "the suites cannot run, this is missing:"
    sed 's/: .*//; s/^/  /' <<<"$missing" >&2
    exit 1
fi

# The lock file is copied into node_modules when an installation is complete: an interrupted one,
# or one of another lock file, differs from it.
for lock in tests/*/package-lock.json; do
    [[ -e $lock ]] || continue
    directory=$(dirname "$lock")
    installed=$directory/node_modules/.installed-lock.json
    if ! cmp -s "$lock" "$installed"; then
        say "npm ci in $directory"
        npm --prefix "$directory" ci --no-audit --no-fund --ignore-scripts
        mkdir -p "$directory/node_modules"
        cp "$lock" "$installed"
    fi
done

# The same for Python's.
for requirements in tests/proxy/*/requirements.txt; do
    [[ -e $requirements ]] || continue
    environment=$(dirname "$requirements")/.venv
    if ! cmp -s "$requirements" "$environment/installed.txt"; then
        say "pip install in $environment"
        rm -rf "$environment"
        python3 -m venv "$environment"
        "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
        cp "$requirements" "$environment/installed.txt"
    fi
done
