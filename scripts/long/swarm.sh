#!/usr/bin/env bash
# Puts servers under the same load by Locust, by k6 and by `lab load`, watches each, and compares what the instruments saw.
#
#   scripts/long.sh swarm [FOR [RATE [SERVER...]]]      default: 60s, 200 a second, tokio threads go-context
#
# Every request asks for 1 s of detached work and is timed out after 300 ms, so each leaves a zombie of 700 ms. The counts of
# each status must agree with those of `lab load` within 1 %, and the seconds of all zombies within 10 %. Each run's report is in
# target/swarm/TOOL-SERVER.
set -euo pipefail
cd "$(dirname "$0")/../.."

lasting=${1:-60s} rate=${2:-200}
shift $(($# > 2 ? 2 : $#))
servers=("$@")
[ ${#servers[@]} -gt 0 ] || servers=(tokio threads go-context)
target='/slow?work=1s&tick=50ms&style=detached'

export FOR=$lasting RATE=$rate LAB_TARGET=$target LAB_TIMEOUT=300m
cargo build --release --quiet --locked -p lab
for server in "${servers[@]}"; do
    for tool in locust k6; do
        echo "swarm.sh: $tool on $server, $lasting" >&2
        OUT=target/swarm/$tool-$server scripts/swarm.sh "$tool" "$server" timeout >"target/swarm-$tool-$server.txt"
    done
    echo "swarm.sh: lab load on $server, $lasting" >&2
    # Its own judgement of the machine's noise is no verdict on the counts.
    target/release/lab watch "$server" --no-build --flag request-timeout=300ms --out "target/swarm/load-$server" -- \
        target/release/lab load "{url}$target" --rate "$rate" --for "$lasting" >"target/swarm-load-$server.txt" || [ $? -eq 1 ]
done

python3 - "${servers[@]}" <<'PYTHON'
import json
import sys

failed = False
print("Zombies are units of work that go on though their request was answered: the seconds that all of them took")
print("together, and the most of them at one moment. The last column has the most threads of the server at one moment.")
print(f"{'server':12} {'load by':8} {'504s':>8} {'others':>8} {'zombies, s':>11} {'zombies, most':>14} {'threads, most':>14}")
for server in sys.argv[1:]:
    seen = {}
    for tool in ("load", "locust", "k6"):
        with open(f"target/swarm/{tool}-{server}/results.json") as file:
            measurement = json.load(file)["measurements"][0]
        record = measurement["records"][0]
        figures = {one["what"]: one["rounds"][0][0] for one in measurement["series"]}
        answered = record["answered"]
        timeouts = answered.pop("504", 0)
        area = figures["watch: zombie area"]
        seen[tool] = (timeouts, area)
        print(
            f"{server:12} {tool:8} {timeouts:8} {sum(answered.values()):8} {area:11.1f}"
            f" {figures['watch: most zombies']:14.0f} {figures['watch: most threads']:14.0f}"
        )
    for tool in ("locust", "k6"):
        for what, index, allowed in (("504s", 0, 0.01), ("seconds of zombies", 1, 0.10)):
            apart = abs(seen[tool][index] / seen["load"][index] - 1)
            agrees = apart <= allowed
            failed |= not agrees
            print(f"  {tool} and lab load: {what} {'agree' if agrees else 'DIFFER'}: {apart:.2%} apart, {allowed:.0%} allowed")
sys.exit(failed)
PYTHON
