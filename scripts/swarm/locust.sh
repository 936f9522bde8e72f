#!/usr/bin/env bash
# Runs a Locust master, and its workers unless they are on other hosts; for scripts/swarm.sh, under `lab watch`, which ends
# all of them if it is ended.
#
# usage: locust.sh LOCUST URL MIX RATE FOR WORKERS HOSTS
set -euo pipefail
locust=$1 url=$2 mix=$3 rate=$4 lasting=$5 workers=$6 hosts=$7

file=benches/locust/locustfile.py
# One storm is fifty requests.
users=$rate
[ "$mix" != storm ] || users=$((rate / 50 > 0 ? rate / 50 : 1))
bind=127.0.0.1
if [ -n "$hosts" ]; then bind='*'; fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
[ -z "$hosts" ] || port=5557
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
if [ -z "$hosts" ]; then
    for ((worker = 0; worker < workers; worker++)); do
        "$locust" -f "$file" --worker --master-host 127.0.0.1 --master-port "$port" --tags "$mix" --host "$url" \
            --loglevel WARNING &
        pids+=($!)
    done
fi
"$locust" -f "$file" --master --master-bind-host "$bind" --master-bind-port "$port" --expect-workers "$workers" \
    --expect-workers-max-wait 60 --headless --only-summary --host "$url" --tags "$mix" \
    --users "$users" --spawn-rate "$users" --run-time "$lasting" --stop-timeout 10 --loglevel WARNING
