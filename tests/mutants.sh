#!/bin/sh
# Breaks core/ in every way that mutants.txt lists, one at a time, and
# demands that a named case fails each time: one of test_coco_rules, or, where
# the analysis is broken, of test_coco_analysis_rules; where parts of a run
# are, one of the tests that have their name.
#
#   tests/mutants.sh        asks random problems about survivors only
#   tests/mutants.sh -a     asks them about every mutant
#   tests/mutants.sh [-a] 8 tries the mutants of rule 8 only
#
# Exit status 1 when one survives or cannot be applied or built.
set -eu

CC=${CC:-cc}
CFLAGS='-std=c11 -D_GNU_SOURCE -O1 -ffp-contract=off -w'
TIMEOUT_S=60

root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

ask_all=false
if [ "${1:-}" = -a ]; then
    ask_all=true
    shift
fi
only=${1:-}

# replace FILE OLD NEW: fails unless OLD occurs exactly once.
replace() {
    OLD=$2 NEW=$3 awk '
        function text(s) {
            if (s == "(nothing)")
                return ""
            gsub(/\\n/, "\n", s)
            return s
        }
        { all = all $0 "\n" }
        END {
            old = text(ENVIRON["OLD"])
            at = index(all, old)
            rest = substr(all, at + length(old))
            if (at == 0 || old == "" || index(rest, old) > 0)
                exit 1
            printf "%s%s%s", substr(all, 1, at - 1), text(ENVIRON["NEW"]), rest
        }' "$1" >"$tmp/mutated" || return 1
    cp "$tmp/mutated" "$1"
}

# compile SOURCE: to an object beside it.
compile() {
    # shellcheck disable=SC2086 # the flags are words
    "$CC" $CFLAGS -I"$tmp/tree" -c "$tmp/tree/$1" -o "$tmp/tree/${1%.c}.o" \
        2>>"$tmp/cc.log"
}

# What scoring is made of.
compile_core() {
    for source in "$tmp"/tree/core/coco*.c arena.c budget.c key_sort.c \
        parallel.c; do
        compile "core/${source##*/}" || return 1
    done
}

PROGRAMS='test_coco_rules test_coco_oracle
    test_coco_analysis_rules test_coco_analysis
    test_coco_part_bytes test_coco_part test_coco_live
    test_coco_paired'

# link PROGRAM: from the objects of the tree.
link() {
    "$CC" "$tmp/tree/tests/$1.o" "$tmp/tree/tests/oracle.o" \
        "$tmp/tree/tests/analysis_oracle.o" \
        "$tmp/tree/tests/analysis_numbers.o" "$tmp"/tree/core/*.o \
        -o "$tmp/$1" -lcmocka -lm -lpthread 2>>"$tmp/cc.log"
}

# build FILE PROGRAM: after a change to FILE of core/.
build() {
    case $1 in
    *.c) compile "core/$1" ;;
    *) compile_core && compile "tests/$2.c" ;;
    esac && link "$2"
}

# verdict PROGRAM: what fails first, "nothing" when all is well.
verdict() {
    rc=0
    timeout "$TIMEOUT_S" "$tmp/$1" >"$tmp/out" 2>&1 || rc=$?
    if [ "$rc" -eq 0 ]; then
        echo nothing
    elif [ "$rc" -eq 124 ]; then
        echo "no end within $TIMEOUT_S s"
    else
        name=$(sed -n 's/^\[  FAILED  \] \([a-z]\)/\1/p' "$tmp/out" | head -n 1)
        echo "${name:-crash}"
    fi
}

# try RULE WHAT FILE OLD NEW: prints a row of the table.
try() {
    case $3 in
    coco_confusion.c | coco_errors.c | coco_points.c | coco_verdict.c)
        named=test_coco_analysis_rules drawn=test_coco_analysis ;;
    coco_part.c | coco_part_fit.c)
        named=test_coco_part_bytes drawn=test_coco_part ;;
    coco_join.c | coco_truths.c)
        named=test_coco_part drawn=test_coco_live ;;
    coco_live.c) named=test_coco_live drawn=test_coco_part ;;
    coco_intervals.c) named=test_coco_paired drawn=test_coco_paired ;;
    *) named=test_coco_rules drawn=test_coco_oracle ;;
    esac
    asked=-
    if ! replace "$tmp/tree/core/$3" "$4" "$5"; then
        rules='OLD TEXT IS NOT THERE EXACTLY ONCE'
    elif ! build "$3" "$named"; then
        rules='DOES NOT COMPILE'
    else
        rules=$(verdict "$named")
        if [ "$rules" = nothing ] || $ask_all; then
            build "$3" "$drawn"
            asked=$(verdict "$drawn")
        fi
        [ "$rules" != nothing ] || rules='SURVIVES'
    fi
    printf '%4s  %-57s %-60s %s\n' "$1" "$2" "$rules" "$asked" |
        tee -a "$tmp/table"
    cp "$tmp"/whole/core/*.[cho] "$tmp/tree/core"
    cp "$tmp"/whole/tests/*.o "$tmp/tree/tests"
}

mkdir "$tmp/tree"
cp -R "$root/core" "$root/tests" "$tmp/tree"
compile_core
for name in oracle analysis_oracle analysis_numbers $PROGRAMS; do
    compile "tests/$name.c"
done
cp -R "$tmp/tree" "$tmp/whole"
for name in $PROGRAMS; do
    link "$name"
    failed=$(verdict "$name")
    if [ "$failed" != nothing ]; then
        echo "$name fails before anything is broken: $failed" >&2
        exit 1
    fi
done

tab=$(printf '\t')
printf '%4s  %-57s %-60s %s\n' rule mutant 'killed by the named case:' \
    'by random problems:'
sed -e '/^#/d' -e "s/ | /$tab/g" "$root/tests/mutants.txt" |
    while IFS=$tab read -r rule what file old new; do
        if [ -z "$only" ] || [ "$only" = "$rule" ]; then
            try "$rule" "$what" "$file" "$old" "$new"
        fi
    done

total=$(wc -l <"$tmp/table")
bad=$(grep -cE 'SURVIVES|OLD TEXT IS NOT|DOES NOT COMPILE' "$tmp/table" || :)
echo "$((total - bad)) of $total mutants killed"
[ "$bad" -eq 0 ]
