#!/bin/sh
# usage: clients/demo.sh [EVALD]
#
# The main job over HTTP, as a newcomer would do it by hand: makes a sample,
# starts the daemon on a free port, posts the sample with the README's curl
# line, shows the answer, stops the daemon.
set -eu

evald=${1:-build/evald}
dir=$(mktemp -d)
pid=
stop()
{
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

# The line of README.md that starts like this is what runs below.
line=$(grep -m 1 '^curl .*detection/evaluate' README.md)

mkdir "$dir/build"
"$evald" sample "$dir/build/sample"
"$evald" serve --listen 127.0.0.1:0 --ready-file "$dir/ready" \
    2>"$dir/log" &
pid=$!
tries=0
while [ ! -s "$dir/ready" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$pid" 2>/dev/null; then
        echo "demo: the daemon did not start:" >&2
        cat "$dir/log" >&2
        exit 1
    fi
    sleep 0.1
done
EVALD=$(cat "$dir/ready")
export EVALD

printf 'evald listens on %s; the sample is %s images.\n\n$ %s\n\n' \
    "$EVALD" "$(grep -o '"file_name"' "$dir/build/sample/ground_truth.json" |
        wc -l | tr -d ' ')" "$line"
(cd "$dir" && sh -c "$line") >"$dir/answer"
cat "$dir/answer"

kill "$pid"
wait "$pid"
pid=
# A demo that shows nothing has failed.
lines=$(grep -c 'Average' "$dir/answer")
if [ "$lines" != 12 ] || ! grep -q '^per image at IoU' "$dir/answer"; then
    echo 'demo: this is not the answer that was expected' >&2
    exit 1
fi
printf '\nThe daemon has stopped. README.md says what the numbers mean.\n'
