#!/usr/bin/env bash
# Holds as many requests in flight as one process of this machine can, over HTTP/1.1 and HTTP/2, and says what each costs.
#
#   scripts/long.sh scale [REQUESTS [STREAMS [SERVER...]]]     default: 18,000, 250,000, tokio async-std smol
#
# h2load (Debian: nghttp2-client) opens the connections, `lab watch` reads the server. Over HTTP/1.1 a request is a connection;
# over HTTP/2 a connection has 100. The first table repeats the first with other allocators (LD_PRELOAD) where they are installed
# (libjemalloc2, libmimalloc2.0). The last lines follow the slopes to a million and to ten million.
set -euo pipefail
cd "$(dirname "$0")/../.."

requests=${1:-18000} streams=${2:-250000}
shift $(($# > 2 ? 2 : $#))
servers=("$@")
[ ${#servers[@]} -gt 0 ] || servers=(tokio async-std smol)
command -v h2load >/dev/null || { echo "scale.sh: h2load is missing: apt-get install nghttp2-client" >&2; exit 2; }

cargo build --release --quiet --locked -p lab
for server in "${servers[@]}"; do cargo build --release --quiet --locked -p "server-$server"; done
mkdir -p target/scale
ulimit -n "$(ulimit -Hn)"

# Name, server, requests, then h2load's own arguments.
hold() {
    local name=$1 server=$2 count=$3
    shift 3
    echo "scale.sh: $name on $server" >&2
    target/release/lab watch "$server" --no-build --out "target/scale/$name-$server" --flag request-timeout=120s \
        --flag max-connections=19500 -- h2load -t 1 -n "$count" --connection-inactivity-timeout 110 "$@" \
        "{url}/slow?work=$work&tick=10s" >"target/scale/$name-$server.txt" 2>&1 || echo "scale.sh: $name on $server failed" >&2
}

library() {
    find /usr/lib -name "$1*" 2>/dev/null | sort | head -1
}

for server in "${servers[@]}"; do
    # 1,000 connections a second, and all of them wait at once for the rest.
    work=$((requests / 1000 + 8))s
    hold http1-glibc "$server" "$requests" --h1 -c "$requests" -r 1000
    for allocator in jemalloc mimalloc; do
        preload=$(library "lib$allocator.so")
        if [ -n "$preload" ]; then
            LD_PRELOAD=$preload hold "http1-$allocator" "$server" "$requests" --h1 -c "$requests" -r 1000
        fi
    done
    work=$((streams / 25000 + 15))s
    connections=$((streams / 100))
    hold http2-glibc "$server" "$streams" -c $connections -m 100 -r $((connections < 250 ? connections : 250)) -w 16 -W 20
done

python3 - "${servers[@]}" <<'PYTHON'
import json
import os
import sys

print(f"{'server':10} {'how':16} {'in flight':>10} {'answered':>10} {'descriptors':>12} {'memory, MB':>11} {'bytes a request':>16}")
slopes, missing = {}, []
for server in sys.argv[1:]:
    for how in ("http1-glibc", "http1-jemalloc", "http1-mimalloc", "http2-glibc"):
        path = f"target/scale/{how}-{server}/results.json"
        if not os.path.exists(path):
            missing.append(f"{how} on {server}")
            continue
        with open(path) as file:
            record = json.load(file)["measurements"][0]["records"][0]
        readings = record["readings"]
        full = max(readings, key=lambda reading: reading["requests"])
        grown, count = full["pss"] - readings[0]["pss"], full["requests"]
        slopes[server, how] = grown / max(count, 1)
        print(
            f"{server:10} {how:16} {count:10,} {record['answered'].get('200', 0):10,} {full['descriptors']:12,}"
            f" {full['pss'] / 1e6:11.1f} {grown / max(count, 1):16,.0f}"
        )
if missing:
    print("not measured: " + ", ".join(missing))
print()
print("Extrapolated, not measured: memory for requests in flight, by the slopes above")
print(f"{'server':10} {'how':16} {'1 million':>10} {'10 million':>11}")
for (server, how), slope in slopes.items():
    print(f"{server:10} {how:16} {slope * 1e6 / 1e9:7.1f} GB {slope * 1e7 / 1e9:8.1f} GB")
PYTHON
