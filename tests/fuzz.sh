#!/bin/sh
# usage: tests/fuzz.sh SECONDS DIRECTORY
#
# Runs each fuzzer in DIRECTORY for SECONDS, from the seeds of its name in
# tests/fuzz/seeds.  What it finds new is kept in build/corpus; an input that
# fails in build/crash.  The exit code is that of the first that fails.
set -eu

[ $# = 2 ] || { sed -n '2p' "$0" >&2 && exit 64; }
mkdir -p build/crash
for fuzzer in "$2"/*; do
    name=$(basename "$fuzzer")
    mkdir -p "build/corpus/$name"
    echo "fuzz: $name for $1 s"
    if ! "$fuzzer" "build/corpus/$name" "tests/fuzz/seeds/$name" \
        -max_total_time="$1" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="build/crash/$name-" -print_final_stats=1 \
        >"build/corpus/$name.log" 2>&1; then
        tail -40 "build/corpus/$name.log" >&2
        echo "fuzz: $name failed; the input is in build/crash" >&2
        exit 1
    fi
    grep 'number_of_executed_units\|^Done' "build/corpus/$name.log"
done
