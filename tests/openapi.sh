#!/bin/sh
# usage: tests/openapi.sh EVALD
#
# Starts the daemon EVALD, takes its /openapi.json and lints it: no error, no
# warning.  The linter comes from npm, in the versions that the lock file
# names, and goes to build/openapi_lint.  Where it cannot be had this says that
# it skips.
set -eu

[ $# = 1 ] || { sed -n '2p' "$0" >&2 && exit 64; }
evald=$1
cd "$(dirname "$0")/.."
lock=tests/openapi_lint
linter=build/openapi_lint
dir=$(mktemp -d)
pid=''
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT

skip()
{
    echo "openapi: SKIPPED: $1"
    exit 0
}

# Fresh, or already there.  Nothing of the packages runs while it installs.
install_linter()
{
    if cmp -s $lock/package-lock.json $linter/package-lock.json &&
        [ -f $linter/installed ]; then
        return
    fi
    rm -rf $linter
    mkdir -p $linter
    cp $lock/package.json $lock/package-lock.json $linter/
    npm ci --prefix $linter --ignore-scripts --no-audit --no-fund \
        --no-update-notifier --fetch-retries=1 >"$dir/npm" 2>&1 ||
        { cat "$dir/npm" && return 1; }
    touch $linter/installed
}

deploy/dependencies openapi || skip 'node and npm are not there'
install_linter || skip 'npm could not install the linter'
"$evald" serve --listen 127.0.0.1:0 --store none --ready-file "$dir/ready" \
    >"$dir/log" 2>&1 &
pid=$!
tries=0
while [ ! -s "$dir/ready" ] && kill -0 "$pid" 2>/dev/null &&
    [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
[ -s "$dir/ready" ] || { cat "$dir/log" && exit 1; }
curl -sSf --max-time 10 "$(cat "$dir/ready")/openapi.json" >"$dir/openapi.json"
node $lock/lint.mjs $linter "$dir/openapi.json"
