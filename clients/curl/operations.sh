#!/bin/sh
# usage: clients/curl/operations.sh [GROUP/NAME]
#
# GET /v1/operations: every operation with its inputs, parameters, formula,
# source and an example; with a name, that one.
# Environment: EVALD (http://127.0.0.1:8080).
set -eu
[ $# -le 1 ] || { sed -n '2p' "$0" >&2 && exit 64; }
curl -sS --fail-with-body \
    "${EVALD:-http://127.0.0.1:8080}/v1/operations${1:+/$1}?pretty"
