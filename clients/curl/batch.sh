#!/bin/sh
# usage: clients/curl/batch.sh [FILE]
#
# POST /v1/batch: up to 256 operations in one request, each answered by itself.
# FILE (standard input) is {"requests":[{"operation":"losses/giou",…},…]}.
# Environment: EVALD (http://127.0.0.1:8080).
set -eu
[ $# -le 1 ] || { sed -n '2p' "$0" >&2 && exit 64; }
curl -sS --fail-with-body --data-binary "@${1:--}" \
    -H 'Content-Type: application/json' \
    "${EVALD:-http://127.0.0.1:8080}/v1/batch?pretty"
