#!/bin/sh
# Measures ctx beside Go's context and tokio-util's token, in rounds, and prints medians and ratios.
#
#   scripts/bench-ctx.sh [rounds] [filter]      default: 5 rounds of everything
#
# Go is `$GO`, or the lab's own or the one on the PATH if it is new enough. Without it, the Rust side runs alone and says so.
set -eu

cd "$(dirname "$0")/.."
rounds=${1:-5}
filter=${2:-}
go=${GO:-$(scripts/go.sh || true)}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
benches="--bench ctx_ops --bench ctx_go --bench ctx_wake"

if [ -n "$go" ] && "$go" version; then
    (cd benches/go-context && "$go" test -c -o "$out/gobench" .)
else
    echo "no Go toolchain (GO may name one): the Go column stays empty"
    go=
fi
rustc --version
echo "building the benches" >&2
# shellcheck disable=SC2086 # a list of words
cargo bench -q -p benches $benches --no-run

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    echo "round $round of $rounds" >&2
    # shellcheck disable=SC2086
    cargo bench -q -p benches $benches -- --warm-up-time 0.2 --measurement-time 0.5 --sample-size 10 \
        --noplot "$filter" >>"$out/rust" 2>>"$out/rust.err" || { cat "$out/rust.err" >&2; exit 1; }
    if [ -n "$go" ]; then
        pattern=$(printf '%s' "$filter" | sed 's|/|$/^|g')
        "$out/gobench" -test.run '^$' -test.bench "BenchmarkCtx${pattern:+/$pattern}" -test.benchtime 300ms \
            -test.benchmem >>"$out/go" || exit 1
    fi
done
touch "$out/go"

# criterion: "name  time:   [low mid high]", the name on a line of its own when it is long.
awk '
    function ns(value, unit) {
        return value * (unit == "ps" ? 1e-3 : unit == "ns" ? 1 : unit == "ms" ? 1e6 : unit == "s" ? 1e9 : 1e3)
    }
    function median(list, parts, n, i, j, t) {
        n = split(list, parts, " ")
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && parts[j - 1] + 0 > parts[j] + 0; j--) { t = parts[j]; parts[j] = parts[j - 1]; parts[j - 1] = t }
        return n % 2 ? parts[(n + 1) / 2] : (parts[n / 2] + parts[n / 2 + 1]) / 2
    }
    function show(value) { return value == "" ? "-" : sprintf(value < 100 ? "%.1f" : "%.0f", value) }
    FILENAME ~ /rust$/ {
        if ($0 ~ /^[^ ]/ && $1 !~ /^(time:|Found|Benchmarking|Gnuplot|Warning)/) name = $1
        if (match($0, /time: *\[/)) {
            split(substr($0, RSTART + RLENGTH), field, " ")
            if (!(name in rust)) order[++count] = name
            rust[name] = rust[name] " " ns(field[3], field[4])
        }
    }
    FILENAME ~ /go$/ && / ns\/op/ {
        name = $1
        sub(/^BenchmarkCtx(Wake)?\//, "", name)
        sub(/-[0-9]+$/, "", name)
        go[name] = go[name] " " $3
        for (i = 4; i < NF; i++) if ($(i + 1) == "allocs/op") allocs[name] = $i
    }
    function times(theirs, mine) { return theirs == "" ? "-" : sprintf("%.2f", theirs / mine) }
    END {
        line = "%-37s %10s %10s %10s %9s %9s %9s\n"
        printf line, "operation", "ctx ns", "token ns", "go ns", "token/ctx", "go/ctx", "go allocs"
        for (i = 1; i <= count; i++) {
            name = order[i]
            if (name ~ /^token\//) continue
            mine = median(rust[name])
            twin = name
            if (name ~ /^cancel_waiting_100k/) twin = "cancel_waiting_100k/goroutines"
            sub(/\/driven$/, "", twin)
            token = ("token/" name) in rust ? median(rust["token/" name]) : ""
            theirs = twin in go ? median(go[twin]) : ""
            printf line, name, show(mine), show(token), show(theirs), times(token, mine), times(theirs, mine),
                twin in allocs ? allocs[twin] : "-"
        }
    }' "$out/rust" "$out/go"
