#!/usr/bin/env bash
# Judges the area spared on every server of the list, again and again, half of the runs on busy cores: no work may be stopped in vain.
#
#   scripts/long.sh spared [RUNS [SERVER...]]      default: 20 runs of every server; the second half with both cores busy
set -euo pipefail

runs=${1:-20}
servers=("${@:2}")
cargo build --quiet --locked -p lab
lab=target/debug/lab
if [ "${#servers[@]}" -eq 0 ]; then
    mapfile -t servers < <("$lab" list --format json | python3 -c '
import json, sys
print(*[one["name"] for one in json.load(sys.stdin)["servers"] if not one["missing"]], sep="\n")')
fi

out=$(mktemp -d)
busy=()
rest() {
    for pid in "${busy[@]}"; do kill "$pid" 2>/dev/null || true; done
    busy=()
}
trap 'rest; rm -rf "$out"' EXIT

alarms=0
for run in $(seq "$runs"); do
    load=quiet build=()
    if [ "$run" -gt $((runs - runs / 2)) ]; then
        load=busy
        for _ in $(seq "$(nproc)"); do
            (while :; do :; done) &
            busy+=("$!")
        done
    fi
    [ "$run" -eq 1 ] || build=(--no-build)
    began=$SECONDS status=0
    "$lab" check "${servers[@]}" --only spared --format json "${build[@]}" >"$out/run.json" 2>"$out/stderr" || status=$?
    rest
    if [ ! -s "$out/run.json" ]; then
        tail -5 "$out/stderr"
        exit 2
    fi
    # What a server is known to fail (`xfail`) is no false alarm; what it fails besides is one.
    python3 - "$out/run.json" >"$out/told" <<'PY'
import json, sys
rows = json.load(open(sys.argv[1]))["results"]
of = lambda verdict: [row for row in rows if row["verdict"] == verdict]
alarms = of("fail") + of("xpass") + of("error")
print(len(alarms), f'{len(of("pass"))} pass, {len(of("xfail"))} xfail, {len(alarms)} alarms')
for row in alarms:
    print(f'  {row["verdict"]} {row["server"]} {row["id"]}: {row["observed"].splitlines()[0]}')
PY
    read -r found words <"$out/told"
    alarms=$((alarms + found))
    echo "run $run of $runs ($load, exit $status, $((SECONDS - began)) s): $words"
    tail -n +2 "$out/told"
done
echo "$alarms alarms in $runs runs of ${#servers[@]} servers: ${servers[*]}"
[ "$alarms" -eq 0 ]
