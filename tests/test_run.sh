#!/bin/sh
# usage: tests/test_run.sh
#
# Does the test runner see what goes wrong?  Gives it programs that pass, fail
# and die, and compares its sum, its exit code and a word of its report.
set -eu

run=$(cd "$(dirname "$0")" && pwd)/run.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
number=0

# program NAME: a shell script from standard input
program()
{
    { echo '#!/bin/sh' && cat; } >"$1"
    chmod +x "$1"
}

# result TITLE COMMAND...
result()
{
    number=$((number + 1))
    title=$1
    shift
    if "$@"; then
        echo "ok $number - $title"
    else
        echo "not ok $number - $title"
        echo "$out" | sed "s/^/# exit code $got: /"
    fi
}

# expect TITLE SUM EXIT_CODE PATTERN PROGRAM...
expect()
{
    title=$1 sum=$2 code=$3 pattern=$4
    shift 4
    got=0
    out=$(RESULTS=$dir/results TEST_SECONDS=1 "$run" "$@" 2>&1) || got=$?
    result "$title" as_expected
}

as_expected()
{
    [ "$(echo "$out" | tail -n 1)" = "$sum" ] && [ $got = "$code" ] &&
        echo "$out" | grep -q -e "$pattern"
}

program passes <<'END'
printf '1..2\nnoise\nok 1 - a\nok 2 - b\n# ok - group\n'
END
program fails <<'END'
printf '1..2\nok 1 - a\nnot ok 2 - b\n# because of this\n'
exit 1
END
program skips <<'END'
printf 'TAP version 13\nok 1 - a\nok 2 - b # SKIP no database\n1..2\n'
END
program skips_as_cmocka <<'END'
[ "$CMOCKA_MESSAGE_OUTPUT" = TAP ] || exit 9
printf '1..2\nno database\nnot ok 1 # SKIP a\nok 2 - b\n'
END
program skips_all <<'END'
echo '1..0 # SKIP no compiler'
END
program dies <<'END'
printf '1..3\nok 1 - a\n'
echo 'last words' >&2
kill -s SEGV $$
END
program dies_late <<'END'
printf '1..1\nok 1 - a\n'
kill -s ABRT $$
END
program stops_early <<'END'
printf '1..3\nok 1 - a\n'
END
program reports_too_many <<'END'
printf '1..1\nok 1 - a\nok 2 - b\n'
END
program hangs <<'END'
printf '1..2\nok 1 - a\n'
exec sleep 60
END
program leaks <<'END'
printf '1..1\nok 1 - a\nleaked 8 bytes\n'
exit 23
END
program two_groups <<'END'
printf '1..1\nok 1 - a\n1..2\nok 1 - a\nok 2 - b\n'
END
program group_setup_fails <<'END'
printf '1..1\nnot ok 0 - x [  FAILED  ] GROUP SETUP\n# ok - x\n'
exit 1
END
program says_nothing <<'END'
:
END
program bails_out <<'END'
printf '1..1\nok 1 - a\nBail out! no memory\n'
END
for i in 1 2; do
    program meets_$i <<END
echo 1..1
touch here_$i
until [ -e here_$((3 - i)) ]; do sleep 0.02; done
echo 'ok 1 - a'
END
done
cat >python.py <<'END'
print("1..1\nok 1 - a")
END

echo 1..22
expect 'passes' '2 passed, 0 failed, 0 skipped' 0 '^ok .*passes: 2 ' passes
result 'says no more than needed' [ "$(echo "$out" | wc -l)" = 2 ]
result 'keeps the output' grep -q noise results/passes.tap
expect 'fails' '1 passed, 1 failed, 0 skipped' 1 '^FAILED .*fails' fails
expect 'says why' '1 passed, 1 failed, 0 skipped' 1 'because of' fails
expect 'skips' '1 passed, 0 failed, 1 skipped' 0 'b # SKIP no data' skips
expect 'skips as cmocka does' '1 passed, 0 failed, 1 skipped' 0 \
    'ok 1 - a # SKIP no database' skips_as_cmocka
expect 'skips a whole program' '0 passed, 0 failed, 1 skipped' 1 \
    'SKIP no compiler' skips_all
expect 'dies' '1 passed, 2 failed, 0 skipped' 1 'last words' dies
expect 'dies after its tests' '1 passed, 1 failed, 0 skipped' 1 \
    'died of signal 6' dies_late
expect 'stops early' '1 passed, 2 failed, 0 skipped' 1 \
    '1 of 3 tests' stops_early
expect 'reports too many' '2 passed, 1 failed, 0 skipped' 1 \
    '2 of 1 tests' reports_too_many
expect 'hangs' '1 passed, 1 failed, 0 skipped' 1 'too long' hangs
expect 'leaks' '1 passed, 1 failed, 0 skipped' 1 'leaked 8 bytes' leaks
expect 'two groups' '3 passed, 0 failed, 0 skipped' 0 ': 3 tests' two_groups
expect 'group setup fails' '0 passed, 1 failed, 0 skipped' 1 \
    'GROUP SETUP' group_setup_fails
expect 'says nothing' '0 passed, 1 failed, 0 skipped' 1 'no plan' says_nothing
expect 'bails out' '1 passed, 1 failed, 0 skipped' 1 'no memory' bails_out
expect 'runs python' '1 passed, 0 failed, 0 skipped' 0 . python.py
JOBS=1 expect 'one at a time' '1 passed, 1 failed, 0 skipped' 1 'too long' \
    meets_1 meets_2
rm here_*
JOBS=2 expect 'two at a time' '2 passed, 0 failed, 0 skipped' 0 . \
    meets_1 meets_2
expect 'sums up, and goes on after a failure' \
    '9 passed, 5 failed, 1 skipped' 1 '^ok .*two_groups' \
    passes fails dies skips stops_early two_groups
