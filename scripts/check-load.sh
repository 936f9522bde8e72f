#!/usr/bin/env bash
# Checks the load generator against wrk: the closed loop of both on /fast of one server, in rounds, and the ratio.
#
#   scripts/check-load.sh [SERVER] [SECONDS]      default: tokio, 3 seconds a round, two rounds
#
# Skipped, with a word, where wrk is not installed. Exit status: 0; 2 when something could not be run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

server=${1:-tokio}
seconds=${2:-3}

if ! command -v wrk >/dev/null; then
    echo "check-load.sh: skipped: no wrk on the PATH" >&2
    exit 0
fi

target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
cargo build -q --release --locked -p lab || exit 2
cargo build -q --release --locked -p "server-$server" || exit 2

log=$(mktemp)
"$target/release/server-$server" >"$log" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; rm -f "$log"' EXIT
for _ in $(seq 50); do
    grep -q '^listening on' "$log" && break
    sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$log")
if [[ -z $url ]]; then
    echo "check-load.sh: server-$server did not say where it listens" >&2
    exit 2
fi

ours() {
    # A row that may not be believed, on a busy machine, still has a figure to compare.
    { "$target/release/lab" load "$url/fast" --connections 64 --for "${seconds}s" --json || true; } |
        sed -n '0,/"per_second"/s/^ *"per_second": *\([0-9.]*\).*/\1/p' | head -n 1
}
theirs() {
    wrk -t1 -c64 -d"${seconds}s" "$url/fast" | sed -n 's/^Requests\/sec: *\([0-9.]*\).*/\1/p'
}

ours_sum=0
theirs_sum=0
for round in 1 2; do
    a=$(ours)
    b=$(theirs)
    echo "round $round: lab $a a second, wrk $b"
    ours_sum=$(awk "BEGIN { print $ours_sum + $a }")
    theirs_sum=$(awk "BEGIN { print $theirs_sum + $b }")
done
awk "BEGIN { printf \"lab sends %.2f times what wrk sends\n\", $ours_sum / $theirs_sum }"
