#!/usr/bin/env bash
# Runs each fuzz target for some seconds, one after the other, and goes on when one has found something.
# The exit status tells whether any has. Usage: scripts/fuzz.sh SECONDS [TARGET…]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET…]}
shift
if (($# == 0)); then
    read -ra targets <<<"$(cargo fuzz list | tr '\n' ' ')"
else
    targets=("$@")
fi

failed=()
for target in "${targets[@]}"; do
    options=(-max_total_time="$seconds" -print_final_stats=1 -timeout=30 -max_len=4096 -verbosity=1)
    [[ -f fuzz/$target.dict ]] && options+=(-dict="fuzz/$target.dict")
    mkdir -p "fuzz/corpus/$target"
    log=$(mktemp)
    echo "== $target"
    # No sanitizer: they need an unstable compiler, and this crate has no unsafe code.
    if ! cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- "${options[@]}" \
        >"$log" 2>&1; then
        failed+=("$target")
        grep -E 'panicked at|assert|^  (left|right)|^SUMMARY|cargo fuzz run|error' -A1 "$log" | tail -30
    fi
    # The last line that tells coverage (cov), and how many inputs were tried.
    grep -E '^#[0-9]+.*(DONE|pulse|NEW|REDUCE|RELOAD|INITED)' "$log" | tail -1 || true
    grep -E '^stat::number_of_executed_units' "$log" || true
    rm -f "$log"
done

if ((${#failed[@]} > 0)); then
    echo "fuzz: found something: ${failed[*]} (inputs in fuzz/artifacts)" >&2
    exit 1
fi
