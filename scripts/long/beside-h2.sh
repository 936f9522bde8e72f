#!/usr/bin/env bash
# Compares what a request of HTTP/1.1 costs now with what it cost before the servers spoke HTTP/2: processor time, in pairs.
#
#   scripts/long.sh beside-h2 [PAIRS [REQUESTS [SERVER...]]]      default: 30 pairs of 10,000 requests, tokio async-std smol
#
# Takes h2load (Debian: nghttp2-client) and python3. Two release builds of each server; the older is of the commit before
# HTTP/2. Processor time is that of all threads of the server, by the kernel's schedstat, which a busy machine changes least.
set -euo pipefail

before=6ed7213a4^
pairs=${1:-30} requests=${2:-10000}
servers=("${@:3}")
[ ${#servers[@]} -gt 0 ] || servers=(tokio async-std smol)
command -v h2load >/dev/null || {
    echo "beside-h2.sh: no h2load on the PATH; Debian has it in nghttp2-client" >&2
    exit 2
}
work=target/beside-h2
mkdir -p "$work"
[ -d "$work/before" ] || git worktree add --quiet --detach "$work/before" "$before"
trap 'git worktree remove --force "$work/before"' EXIT
packages=()
for server in "${servers[@]}"; do packages+=(-p "server-$server"); done
cargo build --release --quiet --locked "${packages[@]}"
CARGO_TARGET_DIR=$PWD/$work/target cargo build --release --quiet --locked --manifest-path "$work/before/Cargo.toml" "${packages[@]}"
for server in "${servers[@]}"; do
    python3 scripts/long/cpu_pairs.py "$pairs" "$requests" "$work/target/release/server-$server" "target/release/server-$server"
done
