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
# Below the ports that Linux gives to clients: a worker that asks for the master before it listens is given none of them, and
# neither connects to itself nor takes the master's place.
free='
import random, socket
for port in random.sample(range(20000, 32000), 1000):
    with socket.socket() as held:
        if held.connect_ex(("127.0.0.1", port)):
            print(port)
            break
'
port=$(python3 -c "$free")
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
