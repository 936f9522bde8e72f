#!/usr/bin/env bash
# Sends 2,000 splits of requests to each of the lab's servers: every split must come to the same answers and timeouts.
#
#   scripts/long.sh splits [COUNT [SEED]]      default: 2000, and the day as the seed
set -euo pipefail

count=${1:-2000} seed=${2:-$(date +%Y%m%d)}
servers=(tokio async-std smol threads)
for server in "${servers[@]}"; do
    cargo build --quiet --release --locked -p "server-$server"
done
cargo build --quiet --locked -p lab
for server in "${servers[@]}"; do
    began=$SECONDS
    LAB_SPLITS=$count LAB_SPLITS_SEED=$seed cargo run --quiet --locked -p lab -- \
        check "$server" --only timeouts/any-split --no-build
    echo "$server: took $((SECONDS - began)) s"
done
