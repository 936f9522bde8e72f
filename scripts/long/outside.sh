#!/usr/bin/env bash
# Takes the figures of work outside the process: canceled queries, killed children, permits, a chain of five servers.
#
#   scripts/long.sh outside
#
# By variables: CANCELED, queries that are canceled in the pool of each server (default 100000); EACH, cancels of each kind whose
# time is taken (300); BUDGETS, requests through the chain (10000); SERVERS; ONLY, some of queries,processes,permits,chain,pool; PROFILE, release or dev; LIMIT, after which it ends
# (60m). It needs PostgreSQL: Debian's `postgresql`, or LAB_TEST_DATABASE. docs/results has the last figures.
set -euo pipefail

canceled=${CANCELED:-100000} each=${EACH:-300} budgets=${BUDGETS:-10000} profile=${PROFILE:-release}
read -ra servers <<<"${SERVERS:-tokio smol async-std threads}"
packages=()
for server in "${servers[@]}"; do
    packages+=(-p "server-$server")
done
cargo build --profile "$profile" --quiet --locked "${packages[@]}"
cargo build --profile "$profile" --quiet --locked -p suite --example outside
folder=${CARGO_TARGET_DIR:-target}/${profile/dev/debug}
exec timeout "${LIMIT:-60m}" "$folder/examples/outside" --canceled "$canceled" --each "$each" --budgets "$budgets" \
    --only "${ONLY:-}" "$folder" "${servers[@]}"
