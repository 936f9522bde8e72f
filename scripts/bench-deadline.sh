#!/usr/bin/env bash
# Measures the cost of a deadline on /fast: each server beside its twin, whose requests have a context without a deadline
# (the cargo feature `no-deadline`), by requests a second and by the server's processor time a request.
#
#   scripts/bench-deadline.sh [ROUNDS] [SECONDS] [SERVER...]      default: 6 rounds of 1 second of the lab's own four
#
# Exit status: 0; 2 when something could not be built or run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${1:-6}
seconds=${2:-1}
servers=("${@:3}")
((${#servers[@]})) || servers=(tokio smol async-std threads)

target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
work=$target/bench-deadline
mkdir -p "$work/with" "$work/without"

echo "bench-deadline.sh: building each server twice, and the measurement" >&2
for server in "${servers[@]}"; do
    cargo build -q --release --locked -p "server-$server" --features no-deadline || exit 2
    cp "$target/release/server-$server" "$work/without/"
    cargo build -q --release --locked -p "server-$server" || exit 2
    cp "$target/release/server-$server" "$work/with/"
done
cargo build -q --release --locked -p measure --example deadline_cost || exit 2
exec "$target/release/examples/deadline_cost" "$work" "$rounds" "$seconds" "${servers[@]}"
