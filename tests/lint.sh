#!/bin/sh
# usage: tests/lint.sh
#
# Checks form: layout, lengths, and what linters see.  Looks at files that git
# tracks or would track.  Runs every step, then fails if one of them did.
# clang-tidy reads build/compile_commands.json, which make writes.
set -eu

LINES_PER_FILE=500
LINES_PER_FUNCTION=70
LINES_PER_FUNCTION_MEDIAN=15
COLUMNS=80

[ $# = 0 ] || { sed -n '2p' "$0" >&2 && exit 64; }
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=''

# step NAME FUNCTION: the function prints what is wrong; a last line that
# begins with "note: " is a remark.
step()
{
    "$2" >"$dir/out" 2>&1 || true
    note=$(sed -n '$s/^note: / /p' "$dir/out")
    sed '$!b
        /^note: /d' "$dir/out" >"$dir/wrong"
    if [ -s "$dir/wrong" ]; then
        echo "lint: $1: FAILED$note"
        sed 's/^/  /' "$dir/wrong"
        failed="$failed, $1"
    else
        echo "lint: $1: ok$note"
    fi
}

# files REGEX: those of the project's files that exist
files()
{
    git ls-files --cached --others --exclude-standard | sort -u |
        { grep -E "$1" || true; } | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# Of the files on standard input those whose first line names the program.
with_shebang()
{
    while read -r file; do
        case $(head -c 80 "$file" | head -n 1 | tr -d '\0') in
        '#!'*[/\ ]"$1" | '#!'*[/\ ]"$1 "*) echo "$file" ;;
        esac
    done
}

# each COMMAND...: runs it on the files of standard input, many at a time
each()
{
    tr '\n' '\0' | xargs -0 -r "$@"
}

layout()
{
    files '^(core|api|server|tests)/.*\.[ch]$' |
        each clang-format --dry-run -Werror
}

file_lengths()
{
    files '^(core|api|server|tests)/.*\.[ch]$' | while read -r file; do
        lines=$(wc -l <"$file")
        [ "$lines" -le $LINES_PER_FILE ] ||
            echo "$file: $lines lines, at most $LINES_PER_FILE"
    done
}

# Prints "lines file name" per function.
function_list()
{
    files "$1" | each ctags --languages=C --kinds-C=f --fields=+ne --sort=no \
        --output-format=xref --_xformat='%{end} %n %F %N' |
        awk '$1 { print $1 - $2 + 1, $3, $4 }'
}

function_lengths()
{
    function_list '^(core|api|server|tests)/.*\.[ch]$' |
        awk -v most=$LINES_PER_FUNCTION '$1 > most {
            print $2 ": " $3 " has " $1 " lines, at most " most
        }'
    function_list '^(core|api|server)/.*\.[ch]$' | sort -n |
        awk -v most=$LINES_PER_FUNCTION_MEDIAN '
            { length_of[NR] = $1 }
            END {
                median = length_of[int((NR + 1) / 2)]
                if (median > most)
                    print "the median is " median " lines, at most " most
                print "note: (" NR " functions, median " median + 0 " lines)"
            }'
}

shell()
{
    for program in sh dash bash; do
        files . | with_shebang $program
    done | each shellcheck
}

# Compiles without leaving anything behind.
python()
{
    { files '\.py$' && files . | with_shebang python3; } | sort -u |
        each "${PYTHON:-/usr/bin/python3}" -W error -c 'import sys
for name in sys.argv[1:]:
    try:
        with open(name, "rb") as file:
            compile(file.read(), name, "exec")
    except SyntaxError as e:
        print(f"{name}:{e.lineno}: {e.msg}")'
}

spaces()
{
    files . | each grep -nIE '[[:blank:]]+$' /dev/null
    files '\.[ch]$' | each grep -n "$(printf '\t')" /dev/null
}

# Characters, not bytes.
columns()
{
    files '\.[ch]$' | LC_ALL=C.UTF-8 each grep -nE "^.{$((COLUMNS + 1))}" \
        /dev/null
}

# The manual page is the one that evald prints, and roff has no complaint.
manual()
{
    if [ ! -x build/evald ]; then
        echo 'build/evald is missing: run make first'
        return
    fi
    build/evald man >"$dir/evald.1"
    cmp -s "$dir/evald.1" deploy/evald.1 ||
        echo 'deploy/evald.1 is behind: run make man'
    if command -v groff >/dev/null; then
        groff -man -ww -z "$dir/evald.1"
    fi
}

# What gcc knows and clang does not is no finding: warnings it can ignore, but
# it stops at some of the options -f.
tidy()
{
    if [ ! -s build/compile_commands.json ]; then
        echo 'build/compile_commands.json is missing: run make first'
        return
    fi
    sed -E 's/"-f[^"]*", *//g; s/ -f[^ "]*//g' build/compile_commands.json \
        >"$dir/compile_commands.json"
    # shellcheck disable=SC2016 # for the inner shell
    files '^(core|api|server)/.*\.c$' | tr '\n' '\0' |
        xargs -0 -r -n 1 -P 2 sh -c '
            clang-tidy --quiet -p "$1" --warnings-as-errors="*" \
                --extra-arg=-Wno-unknown-warning-option "$2" \
                >"$1/$$.tidy" 2>"$1/$$.log" ||
                [ -s "$1/$$.tidy" ] || cat "$1/$$.log"
        ' sh "$dir"
    for report in "$dir"/*.tidy; do
        [ ! -f "$report" ] || cat "$report"
    done
}

step 'layout' layout
step 'lengths of files' file_lengths
step 'lengths of functions' function_lengths
step 'shell scripts' shell
step 'python' python
step 'blanks' spaces
step 'columns' columns
step 'manual page' manual
step 'clang-tidy' tidy
if [ -n "$failed" ]; then
    echo "lint: failed: ${failed#, }"
    exit 1
fi
echo 'lint: all is well'
