#!/bin/sh
# GET /readyz: does it take work.  Environment: EVALD (http://127.0.0.1:8080)
set -eu
curl -sS --fail-with-body "${EVALD:-http://127.0.0.1:8080}/readyz"
echo
