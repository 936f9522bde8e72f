#!/usr/bin/env bash
# Takes the figures of chains: how soon the last server is silent, what is left of the budget, and whose deadline holds.
#
#   scripts/long.sh hops [SERVER,SERVER...]...
#
# Each argument is a chain, from the server that is asked to the last; by default two of five servers, there and back. By
# variables: EACH, cancels of each kind whose time is taken (300); BUDGETS, requests through a chain (10000); PROFILE, release
# or dev; LIMIT, after which it ends (30m). The load of the machine is printed before and after each chain.
set -euo pipefail

each=${EACH:-300} budgets=${BUDGETS:-10000} profile=${PROFILE:-release}
chains=("$@")
if [ ${#chains[@]} -eq 0 ]; then
    chains=("tokio,smol,async-std,threads,go-context" "go-context,threads,async-std,smol,tokio")
fi
servers=(tokio smol async-std threads)
packages=()
for server in "${servers[@]}"; do
    packages+=(-p "server-$server")
done
cargo build --profile "$profile" --quiet --locked "${packages[@]}"
cargo build --profile "$profile" --quiet --locked -p suite --example outside
target=${CARGO_TARGET_DIR:-target} folder=${CARGO_TARGET_DIR:-target}/${profile/dev/debug}
if [[ "${chains[*]}" == *go-* ]]; then
    go=$(scripts/go.sh)
    mkdir -p "$target/peers"
    "$go" build -C peers/go/nethttp -o "$(realpath "$target")/peers/go-server" .
fi
for chain in "${chains[@]}"; do
    printf 'load before %s: %s\n\n' "$chain" "$(cut -d' ' -f1-3 /proc/loadavg)"
    timeout "${LIMIT:-30m}" "$folder/examples/outside" --each "$each" --budgets "$budgets" --only chain --chain "$chain" \
        "$folder" "${servers[@]}"
    printf '\nload after: %s\n\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
done
