#!/usr/bin/env bash
# Runs Locust and k6 for some seconds each under `lab watch`, and checks that every request was timed out and left its
# zombie; then checks the Kubernetes manifest against the API's schema.
#
# usage: scripts/check-swarm.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# The work is long beside what a busy machine is late by: what is late is no zombie's time.
export RATE=20 LAB_TARGET='/slow?work=3s&tick=50ms&style=drop' LAB_TIMEOUT=300m
# Wide: a machine under other loads makes a 504 late, and that is judged elsewhere.
export OVERSHOOT=2000
# Locust counts its time from when it begins to make its users, which takes seconds on a busy machine.
for tool in locust:8 k6:3; do
    seconds=${tool#*:} tool=${tool%:*}
    out=target/swarm-check/$tool
    FOR=${seconds}s OUT=$out scripts/swarm.sh "$tool" threads timeout
    python3 - "$out/results.json" "$((RATE * seconds))" <<'PYTHON'
import json
import sys

most = int(sys.argv[2])
with open(sys.argv[1]) as file:
    measurement = json.load(file)["measurements"][0]
record = measurement["records"][0]
area = next(one for one in measurement["series"] if one["what"] == "watch: zombie area")["rounds"][0][0]
timeouts, heard = record["answered"].get("504", 0), record["heard"]
# Fewer where the machine is busy; a user of Locust may begin one more at either end.
assert most * 0.2 <= timeouts <= most * 1.3, f"{timeouts} times 504, not about {most}"
assert record["answered"] == {"504": timeouts}, record["answered"]
assert heard["started"] == heard["completed"] == timeouts, heard
assert 0.8 < area / (timeouts * 2.7) < 1.2, f"{timeouts} zombies of 2.7 s took {area} s together"
PYTHON
done
validate=target/swarm/bin/kubernetes-validate
[ -x "$validate" ] || target/swarm/bin/pip install --quiet kubernetes-validate==1.37.0
"$validate" --strict benches/locust/kubernetes.yaml
