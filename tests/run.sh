#!/bin/sh
# usage: tests/run.sh PROGRAM...
#
# Runs test programs that print TAP (https://testanything.org) and sums up.
# PROGRAM.py is given to python, all else is executed.
# Environment: JOBS, how many run at a time (1); RESULTS, where the outputs are
# kept (build/results); PYTHON (/usr/bin/python3); TEST_SECONDS, what a program
# may take (300).
#
# A program that dies, takes too long, has no plan, reports fewer or more
# tests than planned, or says it failed without naming a test, has failed.
# The last line is "N passed, N failed, N skipped".  The exit code is 1 if a
# test failed, or if none passed.
set -eu

[ $# -gt 0 ] || { sed -n '2p' "$0" >&2 && exit 64; }
results=${RESULTS:-build/results}
mkdir -p "$results"
export CMOCKA_MESSAGE_OUTPUT=TAP

# Where it can, timeout leaves the program in this process group: else Ctrl-C
# would not reach it.
foreground=''
if timeout --foreground 1 true 2>/dev/null; then
    foreground=--foreground
fi

run()
{
    case $1 in
    *.py) set -- "${PYTHON:-/usr/bin/python3}" "$1" ;;
    */*) ;;
    *) set -- "./$1" ;;
    esac
    timeout $foreground -k 10 "${TEST_SECONDS:-300}" "$@" </dev/null 2>&1
}

# Reads TAP; prints the numbers of passed, failed and skipped tests, then what
# a reader wants to see.  Several groups of cmocka in one program have a plan
# each.  cmocka 1.1.5 writes "not ok 2 # SKIP name" for a skipped test: the
# reason is what the test printed before.
# shellcheck disable=SC2016 # awk has its own $
digest='
function show(text) { shown = shown "\n  " text }
function show_output(from) {
    for (from = n > 40 ? n - 40 : 0; from < n; from++)
        show(output[from])
    n = 0
}
function skip(reason, i) {
    if (/^not ok [0-9]+ # SKIP /) {
        for (i = 0; i < n; i++)
            reason = reason " " output[i]
        sub(/^not ok [0-9]+ # SKIP /, "ok " $3 " - ")
        $0 = $0 " # SKIP" reason
    }
    show($0)
    skipped++
}
/^1\.\.[0-9]+/ {
    plans++
    planned += substr($1, 4)
    if (toupper($0) ~ /^1\.\.0.*# *SKIP/) {
        planned++
        reported++
        skip()
    }
    next
}
/^(not )?ok([ \t]|$)/ {
    reported++
    failing = 0
    if (toupper($0) ~ /# *SKIP/) {
        skip()
    } else if (/^ok/) {
        passed++
    } else {
        failed++
        failing = 1
        show_output()
        show($0)
    }
    n = 0
    next
}
/^# (not )?ok - / || /^TAP version/ { next }
failing && /^[# \t]/ { show($0); next }
/^Bail out!/ { problem = "; " $0 }
{ output[n++] = $0 }
END {
    if (!plans)
        problem = problem "; no plan"
    else if (reported != planned)
        problem = problem "; " reported + 0 " of " planned " tests reported"
    else if (!reported)
        problem = problem "; no tests"
    if (status == 124 || status == 137 || status == 143)
        problem = problem "; took too long or was killed"
    else if (status > 128)
        problem = problem "; died of signal " status - 128
    else if (status && !failed)
        problem = problem "; exit code " status
    if (planned > reported)
        failed += planned - reported
    else if (problem && !failed)
        failed = 1
    if (problem) {
        show_output()
        show("failed: " substr(problem, 3))
    }
    print passed + 0, failed + 0, skipped + 0 shown
}'

# report_one COUNTS PROGRAM: prints its report, adds its numbers to the file
report_one()
{
    program=$2
    name=${program#./}
    name=$(echo "${name#build/}" | tr / -)
    output=$results/${name%.*}.tap
    began=$(date +%s)
    status=0
    run "$program" >"$output" || status=$?
    seconds=$(($(date +%s) - began))
    report=$(awk -v status=$status "$digest" "$output")
    read -r p f s <<END
$report
END
    word=ok
    [ "$f" = 0 ] || word=FAILED
    {
        flock 9
        printf '%-6s %s: %d tests, %d s\n' $word "$program" \
            $((p + f + s)) $seconds
        echo "$report" | sed 1d
        echo "$p $f $s" >&9
    } 9>>"$1"
}

if [ "$1" = --one ]; then
    shift
    report_one "$@"
    exit
fi
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
printf '%s\n' "$@" |
    xargs -d '\n' -P "${JOBS:-1}" -n 1 "$0" --one "$counts" ||
    echo 'the runner itself failed'
# A program that no numbers have come from counts as a failure.
sums=$(awk -v n=$# '{ p += $1; f += $2; s += $3 }
    END { print p + 0, f + n - NR, s + 0 }' "$counts")
# shellcheck disable=SC2086 # three numbers
set -- $sums
echo "$1 passed, $2 failed, $3 skipped"
[ "$2" = 0 ] && [ "$1" -gt 0 ]
