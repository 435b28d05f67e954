#!/bin/sh
# GET /v1: version, limits, features, paths.
# Environment: EVALD (http://127.0.0.1:8080)
set -eu
curl -sS --fail-with-body "${EVALD:-http://127.0.0.1:8080}/v1?pretty"
