#!/bin/sh
# usage: clients/curl/evaluate.sh GROUND_TRUTH DETECTIONS [MORE]
#
# POST /v1/detection/evaluate with two files as pycocotools takes them.  MORE
# is JSON text for further members, such as
#   '"outputs":["summary","per_class"],"parameters":{"max_detections":[1,10,300]}'
# Environment: EVALD (http://127.0.0.1:8080); ACCEPT (application/json), which
# may be text/plain for lines to read.
set -eu
[ $# -ge 2 ] || { sed -n '2p' "$0" >&2 && exit 64; }
{
    printf '{"ground_truth":'
    cat "$1"
    printf ',"detections":'
    cat "$2"
    printf '%s}' "${3:+,$3}"
} | curl -sS --fail-with-body --data-binary @- \
    -H 'Content-Type: application/json' \
    -H "Accept: ${ACCEPT:-application/json}" \
    "${EVALD:-http://127.0.0.1:8080}/v1/detection/evaluate"
