#!/usr/bin/env bash
# Judges the area spared on every server of the list, again and again, half of the runs on busy cores: no work may be stopped in vain.
#
#   scripts/long.sh spared [--abreast N] [--nice N] [--no-build] [RUNS [SERVER...]]
#
# 20 runs of every server that is there, unless said. In each run the servers are judged in N shares side by side (default 1);
# in the second half of the runs, a loop of this niceness (default 0) keeps each core busy. The line of a run is printed when
# the run has ended, with the machine's load averages of the last minute before and after it.
set -euo pipefail

abreast=1 nice=0 build=yes
while [ "${1#--}" != "${1:-}" ]; do
    case $1 in
    --abreast) abreast=$2 && shift 2 ;;
    --nice) nice=$2 && shift 2 ;;
    --no-build) build= && shift ;;
    *) echo "spared.sh: no option '$1'" >&2 && exit 2 ;;
    esac
done
runs=${1:-20}
servers=("${@:2}")
[ -z "$build" ] || cargo build --quiet --locked -p lab
lab=target/debug/lab
if [ "${#servers[@]}" -eq 0 ]; then
    mapfile -t servers < <("$lab" list --format json | python3 -c '
import json, sys
print(*[one["name"] for one in json.load(sys.stdin)["servers"] if not one["missing"]], sep="\n")')
fi
# Builds, and starts each once, before the first run counts.
[ -z "$build" ] || "$lab" check "${servers[@]}" --only baseline/fast-200 >/dev/null

out=$(mktemp -d)
busy=() shares=()
rest() {
    for pid in "${busy[@]}"; do kill "$pid" 2>/dev/null || true; done
    busy=()
}
trap 'rest; for pid in "${shares[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$out"' EXIT
trap 'exit 130' INT TERM

load() { cut -d' ' -f1 /proc/loadavg; }

alarms=0
for run in $(seq "$runs"); do
    cores=free
    if [ "$run" -gt $((runs - runs / 2)) ]; then
        cores=busy
        for _ in $(seq "$(nproc)"); do
            nice -n "$nice" bash -c 'while :; do :; done' &
            busy+=("$!")
        done
    fi
    began=$SECONDS before=$(load) shares=()
    rm -f "$out"/*
    for share in $(seq 0 $((abreast - 1))); do
        some=()
        for ((at = share; at < ${#servers[@]}; at += abreast)); do some+=("${servers[at]}"); done
        [ "${#some[@]}" -eq 0 ] && continue
        "$lab" check "${some[@]}" --only spared --format json --no-build >"$out/$share.json" 2>"$out/$share.err" &
        shares+=("$!")
    done
    for pid in "${shares[@]}"; do wait "$pid" || true; done
    shares=()
    rest
    for told in "$out"/*.json; do
        [ -s "$told" ] && continue
        tail -5 "${told%.json}.err"
        exit 2
    done
    # What a server is known to fail (`xfail`) is no false alarm; what it fails besides is one.
    python3 - "${#servers[@]}" "$out"/*.json >"$out/told" <<'PY'
import json, sys
rows = [row for name in sys.argv[2:] for row in json.load(open(name))["results"]]
of = lambda verdict: [row for row in rows if row["verdict"] == verdict]
count = lambda verdict: f"{len(of(verdict))} {verdict}"
silent = int(sys.argv[1]) - len({row["server"] for row in rows if row["verdict"] == "pass"})
alarms = of("fail") + of("xpass") + of("error")
again = [row for row in of("pass") if row["attempts"] > 1]
told = ", ".join(map(count, ["pass", "xfail", "unsupported", "flaky"]))
print(len(alarms) + silent, f"{told}, {len(alarms)} false alarms" + (f"; {len(again)} passed at the second attempt" if again else ""))
for row in alarms + of("flaky") + again:
    print(f'  {row["verdict"]} {row["server"]} {row["id"]}: {row["observed"].splitlines()[0]}')
if silent:
    print(f"  {silent} of the servers passed no scenario at all")
PY
    read -r found words <"$out/told"
    alarms=$((alarms + found))
    echo "run $run of $runs, cores $cores, load average $before to $(load), took $((SECONDS - began)) s: $words"
    tail -n +2 "$out/told"
done
echo "$alarms false alarms in $runs runs of ${#servers[@]} servers: ${servers[*]}"
[ "$alarms" -eq 0 ]
