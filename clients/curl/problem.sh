#!/bin/sh
# usage: clients/curl/problem.sh [NAME]
#
# GET /problems/NAME: what a problem's "type" means and what to do about it.
# Environment: EVALD (http://127.0.0.1:8080)
set -eu
curl -sS --fail-with-body \
    "${EVALD:-http://127.0.0.1:8080}/problems/${1:-malformed-json}"
