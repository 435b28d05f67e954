#!/bin/sh
# usage: tests/layers.sh
#
# Checks what each layer may include and call: server -> api -> core, and no
# circle of headers.  Comments and strings do not count.
set -eu

[ $# = 0 ] || { sed -n '2p' "$0" >&2 && exit 64; }
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# layer|includes as extended regular expressions, separated by spaces
numbers='(assert|errno|fenv|float|inttypes|limits|math|stdalign|stdarg)\.h
    (stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string)\.h'
# What a function of libc needs that touches neither files nor threads.
text='(ctype|locale|strings|time)\.h'
system='(dirent|dlfcn|endian|fcntl|fnmatch|getopt|glob|grp|langinfo|netdb|poll)\.h
    (pthread|pwd|regex|sched|semaphore|setjmp|signal|sysexits|syslog)\.h
    (termios|threads|unistd|wchar)\.h
    (arpa|linux|net|netinet|sys)/[a-z0-9_]+\.h'
includes="
core|core/.* $numbers
core/arena.c|sanitizer/asan_interface\.h
api|(api|core)/.* $numbers $text setjmp\.h jansson\.h nettle/[a-z0-9-]+\.h
api/run_create.c|sys/random\.h
api/content.c|zlib\.h zstd\.h
api/inflater.c|zlib\.h zstd(_errors)?\.h
server|(server|api|core)/.* $numbers $text $system
server|jansson\.h nettle/[a-z0-9-]+\.h microhttpd\.h uv\.h sqlite3\.h
server|malloc\.h libpq-fe\.h gnutls/[a-z0-9]+\.h ini\.h seccomp\.h
"
# layer|words, or beginnings of words, that its code must not contain
calls='
core|malloc calloc realloc reallocarray aligned_alloc posix_memalign free
core|alloca strdup printf fprintf dprintf vprintf vfprintf sprintf puts
core|fputs putchar perror fopen fread fwrite fclose scanf fscanf getenv
core|pthread_* uv_* socket
api|socket pthread_* uv_* MHD_* alloca
server|alloca
'
# The arena is where core gets its memory.
allowed='core/arena.c aligned_alloc malloc free'

# The tables go to awk as variables, which cannot hold a line break.
one_line()
{
    echo "$1" | sed 's/^ *//' | tr '\n' ' '
}

# shellcheck disable=SC2016 # awk has its own $
check='
# Reads "key|word word key|word": a word with a bar begins a new key.
function read_table(text, table, word, i, n, key, at) {
    n = split(text, word, / +/)
    for (i = 1; i <= n; i++) {
        if (word[i] == "")
            continue
        at = match(word[i], /^[a-z]+(\/[a-z_.]+)?\|/) ? RLENGTH : 0
        if (at)
            key = substr(word[i], 1, at - 1)
        table[key] = table[key] " " substr(word[i], at + 1)
    }
}
function wrong(message) {
    print FILENAME ":" FNR ": " message
}
function fits(name, patterns, word, i, n) {
    n = split(patterns, word)
    for (i = 1; i <= n; i++)
        if (name ~ "^(" word[i] ")$")
            return 1
    return 0
}
# The line without comments and without what is between quotes.
function code(line, out, two, quote) {
    while (line != "") {
        two = substr(line, 1, 2)
        if (in_comment) {
            if (!match(line, /\*\//))
                return out
            in_comment = 0
            line = substr(line, RSTART + 2)
        } else if (two == "/*") {
            in_comment = 1
            line = substr(line, 3)
        } else if (two == "//") {
            return out
        } else if (match(line, /^"([^"\\]|\\.)*"/) ||
                   match(line, /^\047([^\047\\]|\\.)*\047/)) {
            out = out " "
            line = substr(line, RLENGTH + 1)
        } else {
            out = out substr(line, 1, 1)
            line = substr(line, 2)
        }
    }
    return out
}
function check_include(line, name, mine, direct) {
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
    if (!match(line, /^("[^"]*"|<[^>]*>)/)) {
        wrong("include without a plain name")
        return
    }
    name = substr(line, 2, RLENGTH - 2)
    mine = line ~ /^"/
    if (mine != (name ~ /^(core|api|server)\//))
        wrong("\"layer/name.h\" for our headers, <name.h> for others: " name)
    else if (!fits(name, include[layer] " " include[FILENAME]))
        wrong(layer "/ must not include " name)
    if (mine && name == FILENAME)
        wrong("includes itself")
    else if (mine)
        print FILENAME, name >edges
}
function check_calls(line, word, name, n, i) {
    n = split(line, word, /[^A-Za-z0-9_]+/)
    for (i = 1; i <= n; i++) {
        name = word[i]
        if (name == "" || index(free, " " name " "))
            continue
        if (index(banned, " " name " "))
            wrong(layer "/ must not use " name)
        else if (match(name, /^[A-Za-z]+_/) &&
                 index(banned, " " substr(name, 1, RLENGTH) "* "))
            wrong(layer "/ must not use " name)
    }
}
BEGIN {
    read_table(includes, include)
    read_table(calls, call)
}
FNR == 1 {
    layer = FILENAME
    sub(/\/.*/, "", layer)
    banned = call[layer] " "
    free = index(allowed, FILENAME " ") == 1 ? allowed " " : ""
    in_comment = 0
}
!in_comment && /^[ \t]*#[ \t]*include/ {
    check_include($0)
    next
}
{ check_calls(code($0)) }
'

find core api server -name '*.[ch]' | sort >"$dir/files"
: >"$dir/edges"
: >"$dir/wrong"
# shellcheck disable=SC2046 # one word per file
[ ! -s "$dir/files" ] ||
    awk -v includes="$(one_line "$includes" | sed 's/\\/\\\\/g')" \
        -v calls="$(one_line "$calls")" -v allowed="$allowed" \
        -v edges="$dir/edges" "$check" $(cat "$dir/files") >"$dir/wrong"
# Takes away, again and again, what includes nothing or is included by nothing:
# what stays is in a circle.
# shellcheck disable=SC2016 # awk has its own $
awk '
{ from[NR] = $1; to[NR] = $2 }
END {
    do {
        split("", includes)
        split("", included)
        for (i in from) {
            includes[from[i]]
            included[to[i]]
        }
        gone = 0
        for (i in from)
            if (!(from[i] in included) || !(to[i] in includes)) {
                gone = 1
                delete from[i]
            }
    } while (gone)
    for (i in from)
        print from[i] ": in a circle: includes " to[i]
}' "$dir/edges" | sort >>"$dir/wrong"
if [ -s "$dir/wrong" ]; then
    cat "$dir/wrong"
    exit 1
fi
echo "layers: $(wc -l <"$dir/files") files include and call what they may"
