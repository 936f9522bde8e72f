#!/usr/bin/env bash
# Attacks servers over HTTP/2 by 100,000 rapid resets, 10,000 of each way of MadeYouReset, and floods as large; keeps a connection full.
#
#   scripts/long.sh h2 [FACTOR [SERVER...]]      default: 50 times what the gate sends, to each of the lab's own and to Go's
#
# Release builds, one server after the other. Processor time and memory are the server's own, from /proc.
set -euo pipefail

factor=${1:-50}
shift || true
servers=("$@")
[ $# -gt 0 ] || servers=(tokio async-std smol go-context)
scenarios='h2/reset-time,h2/kept-full,h2/rapid-reset,h2/made-you-reset-*,h2/*-flood,h2/endless-continuation,h2/hpack-bomb'
status=0
for server in "${servers[@]}"; do
    began=$SECONDS
    LAB_H2_TIMES=$factor cargo run --release --quiet --locked -p lab -- check "$server" --only "$scenarios" 2>/dev/null || status=1
    echo "$server: took $((SECONDS - began)) s"
done
exit "$status"
