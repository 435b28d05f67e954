#!/bin/sh
# usage: clients/curl/infer.sh GROUP.NAME [BODY]
#
# POST /v2/models/{model}/infer, the Open Inference Protocol.  BODY is the
# request as JSON; left out, it is read from standard input.
# GET /v2/models/{model} says what tensors a model takes and gives.
# Environment: EVALD (http://127.0.0.1:8080).
#
#   clients/curl/infer.sh activations.mish '{"inputs":[{"name":"x","shape":[3],"datatype":"FP32","data":[-1,0,2]}]}'
set -eu
[ $# -ge 1 ] || { sed -n '2p' "$0" >&2 && exit 64; }
if [ $# -ge 2 ]; then
    printf '%s' "$2"
else
    cat
fi | curl -sS --fail-with-body --data-binary @- \
    -H 'Content-Type: application/json' \
    "${EVALD:-http://127.0.0.1:8080}/v2/models/$1/infer?pretty"
