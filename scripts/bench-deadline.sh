#!/usr/bin/env bash
# What a deadline costs on /fast: each server as it is, beside the same server whose requests get a context without a
# deadline, in turns A B B A, by requests a second and by the server's own processor time a request.
#
#   scripts/bench-deadline.sh [ROUNDS] [SECONDS]      default: 6 rounds of 1 second
#
# The twin is built from a copy of the sources in which two lines of the handler are others; both are asked for late work
# first, so that it can never be the same server by mistake. Exit status: 0; 2 when something could not be built or run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${1:-6}
seconds=${2:-1}
servers=(tokio smol async-std threads)

target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
work=$target/bench-deadline
rm -rf "$work"
mkdir -p "$work/copy" "$work/without" "$work/with"

# The context of a request without its deadline; only /stream has a use for the handle to cancel it by.
cp -r Cargo.toml Cargo.lock rust-toolchain.toml crates benches peers "$work/copy"
for server in "${servers[@]}"; do
    handler=$work/copy/crates/server-$server/src/handler.rs
    sed -i -e 's/let (ctx, cancel) = \(conn\.ctx\.with_value(.*)\)\.with_deadline(deadline);/let (ctx, _) = (\1, deadline);/' \
        -e 's/streamed(conn, &ctx, cancel,/streamed(conn, \&ctx, ctx.with_cancel().1,/' "$handler"
    if (($(diff "$handler" "crates/server-$server/src/handler.rs" | grep -c '^<') != 2)); then
        echo "bench-deadline.sh: the handler of $server is no longer written as this script expects" >&2
        exit 2
    fi
done

echo "bench-deadline.sh: building the lab, and each server twice" >&2
cargo build -q --release --locked -p lab || exit 2
for server in "${servers[@]}"; do
    cargo build -q --release --locked -p "server-$server" || exit 2
    # A target folder of its own: in a common one cargo takes the twin for the server, since both have the same name.
    (cd "$work/copy" && CARGO_TARGET_DIR=$target/bench-deadline-twin cargo build -q --release --locked -p "server-$server") || exit 2
    cp "$target/release/server-$server" "$work/with/"
    cp "$target/bench-deadline-twin/release/server-$server" "$work/without/"
done

pids=()
trap '((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true' EXIT
declare -A pid url
for server in "${servers[@]}"; do
    for kind in with without; do
        log=$work/$kind/$server.log
        "$work/$kind/server-$server" >"$log" 2>&1 &
        pid[$kind/$server]=$!
        pids+=($!)
        for _ in $(seq 50); do
            grep -q '^admin on' "$log" && break
            sleep 0.1
        done
        url[$kind/$server]=$(sed -n 's/^listening on //p' "$log")
    done
done

# Work of 200 ms under a deadline of 100: 504 where there is one, 200 where there is none.
answer() {
    local address=${url[$1]#http://} status
    exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
    printf 'GET /slow?work=200ms HTTP/1.1\r\nHost: lab\r\ngrpc-timeout: 100m\r\nConnection: close\r\n\r\n' >&3
    read -r _ status _ <&3
    exec 3>&-
    echo "$status"
}
for server in "${servers[@]}"; do
    answers="$(answer "with/$server") $(answer "without/$server")"
    if [[ $answers != "504 200" ]]; then
        echo "bench-deadline.sh: $server and its twin answer $answers instead of 504 200" >&2
        exit 2
    fi
done

# Ticks that a process has spent on a processor.
spent() {
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}
turn() {
    local before after asked
    before=$(spent "${pid[$1]}")
    # A row that may not be believed, on a busy machine, still has a figure to compare.
    asked=$({ "$target/release/lab" load "${url[$1]}/fast" --connections 64 --for "${seconds}s" --json || true; } |
        sed -n '0,/"per_second"/s/^ *"per_second": *\([0-9.]*\).*/\1/p' | head -n 1)
    after=$(spent "${pid[$1]}")
    echo "$1 $asked $((after - before))"
}

for round in $(seq "$rounds"); do
    echo "bench-deadline.sh: round $round of $rounds" >&2
    for server in "${servers[@]}"; do
        order=(with without)
        ((round % 2)) || order=(without with)
        for kind in "${order[@]}"; do
            turn "$kind/$server"
        done
    done
done >"$work/turns"

awk -v seconds="$seconds" -v hertz="$(getconf CLK_TCK)" '
    function median(list, parts, n, i, j, t) {
        n = split(list, parts, " ")
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && parts[j - 1] + 0 > parts[j] + 0; j--) { t = parts[j]; parts[j] = parts[j - 1]; parts[j - 1] = t }
        return n % 2 ? parts[(n + 1) / 2] : (parts[n / 2] + parts[n / 2 + 1]) / 2
    }
    {
        split($1, name, "/")
        if (!(name[2] in seen)) { seen[name[2]] = 1; order[++count] = name[2] }
        rate[$1] = rate[$1] " " $2
        ticks[$1] += $3
        asked[$1] += $2 * seconds
    }
    function cpu(row) { return ticks[row] / hertz / asked[row] * 1e6 }
    END {
        line = "%-10s %12s %12s %9s %12s %12s %9s\n"
        printf line, "server", "a second", "without", "cost", "CPU, us each", "without", "cost"
        for (i = 1; i <= count; i++) {
            one = "with/" order[i]; other = "without/" order[i]
            a = median(rate[one]); b = median(rate[other])
            printf line, order[i], sprintf("%.0f", a), sprintf("%.0f", b), sprintf("%+.1f %%", (b / a - 1) * 100),
                sprintf("%.2f", cpu(one)), sprintf("%.2f", cpu(other)), sprintf("%+.1f %%", (cpu(one) / cpu(other) - 1) * 100)
        }
    }' "$work/turns"
