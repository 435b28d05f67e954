#!/bin/sh
# usage: clients/curl/run.sh GROUND_TRUTH DETECTIONS [IMAGES]
#
# Streams a data set into a run, IMAGES (64) at a time, as the ranks of a
# training job would, and shows the result.  Environment: EVALD
# (http://127.0.0.1:8080).  Cuts the detections by python3.
set -eu
[ $# -ge 2 ] || { sed -n '2p' "$0" >&2 && exit 64; }
evald=${EVALD:-http://127.0.0.1:8080}
batches=$(mktemp -d)
trap 'rm -rf "$batches"' EXIT

ask()
{
    method=$1 path=$2
    shift 2
    curl -sS --fail-with-body -X "$method" \
        -H 'Content-Type: application/json' "$@" "$evald$path"
}

python3 - "$1" "$2" "${3:-64}" "$batches" <<'PYTHON'
import json
import sys
truth, found, size, out = sys.argv[1:]
of = {i["id"]: [] for i in json.load(open(truth))["images"]}
for d in json.load(open(found)):
    of[d["image_id"]].append(d)
ids = list(of)
for n in range(0, len(ids), int(size)):
    some = ids[n:n + int(size)]
    with open(f"{out}/{n:09d}.json", "w") as f:
        json.dump({"image_ids": some,
                   "detections": [d for i in some for d in of[i]]}, f)
PYTHON

ask PUT /v1/datasets/example --data-binary "@$1" >/dev/null
run=$(ask POST /v1/runs -d '{"dataset":"example","name":"curl"}' |
    sed 's/^{"id":"\([^"]*\)".*/\1/')
echo "run $run" >&2
for batch in "$batches"/*.json; do
    # what has no answer is sent again: it is counted once
    ask POST "/v1/runs/$run/images" --retry 5 --retry-connrefused \
        --data-binary "@$batch" >&2
    echo >&2
done
ask POST "/v1/runs/$run/finalize"
echo
