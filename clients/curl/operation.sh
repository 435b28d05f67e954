#!/bin/sh
# usage: clients/curl/operation.sh GROUP/NAME [BODY]
#
# POST /v1/{group}/{name}.  BODY is the request as JSON; left out, it is read
# from standard input.  GET /v1/operations lists what there is.
# Environment: EVALD (http://127.0.0.1:8080).
#
#   clients/curl/operation.sh activations/mish '{"inputs":{"x":[-1,0,2]},"outputs":["value","grad"]}'
#   clients/curl/operation.sh losses/focal '{"inputs":{"input":[2,-3,0.1],"target":[1,0,1]},"outputs":["stats"]}'
set -eu
[ $# -ge 1 ] || { sed -n '2p' "$0" >&2 && exit 64; }
if [ $# -ge 2 ]; then
    printf '%s' "$2"
else
    cat
fi | curl -sS --fail-with-body --data-binary @- \
    -H 'Content-Type: application/json' \
    "${EVALD:-http://127.0.0.1:8080}/v1/$1?pretty"
