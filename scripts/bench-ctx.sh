#!/bin/sh
# Measures ctx beside Go's context, tokio-util's token and an earlier ctx, in rounds, and prints medians and ratios.
#
#   scripts/bench-ctx.sh [rounds] [filter]      default: 5 rounds of the rows that have a goal
#   scripts/bench-ctx.sh 5 .                    5 rounds of everything
#
# Go is `$GO`, or `go` from PATH. Without it, its column stays empty. The earlier ctx is that of the revision `$BASE`, by
# default the last one in which every context was listed with its parent; `BASE=` leaves its column empty.
set -eu

cd "$(dirname "$0")/.."
rounds=${1:-5}
filter=${2:-"^(token/)?(create/|err/|cancel_children/1000(/again|/polled)?\$|B3/|B5/|B7/)"}
go=${GO:-go}
base=${BASE-33e405073}
out=$(mktemp -d)
trap 'git worktree remove --force "$out/base" 2>/dev/null || true; rm -rf "$out"' EXIT

if "$go" version >/dev/null 2>&1; then
    "$go" version
    (cd benches/go-context && "$go" test -c -o "$out/gobench" .)
else
    echo "no Go toolchain (set GO or PATH): the Go column stays empty"
    go=
fi
rustc --version
sed -n 's/^model name[^:]*: /CPU: /p' /proc/cpuinfo | sort | uniq -c

# Builds the benches that are named in the folder, and prints their executables.
built() {
    folder=$1
    shift
    (cd "$folder" && cargo bench -q -p benches --no-run --message-format=json "$@") |
        sed -n 's/.*"executable":"\([^"]*\/ctx_[^"]*\)".*/\1/p'
}

echo "building the benches" >&2
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR
benches=$(built . --bench ctx_ops --bench ctx_go --bench ctx_wake)
older=
if [ -n "$base" ] && git worktree add -q --detach "$out/base" "$base" 2>/dev/null; then
    older=$(built "$out/base" --bench ctx_ops)
else
    echo "no revision to compare with (set BASE): the base column stays empty"
fi
[ -n "$benches" ] || { echo "the benches were not built" >&2; exit 1; }

# Runs one executable of criterion's.
measure() {
    "$1" --bench --warm-up-time 0.15 --measurement-time 0.4 --sample-size 10 --noplot "$2" 2>>"$out/rust.err" ||
        { cat "$out/rust.err" >&2; exit 1; }
}

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    echo "round $round of $rounds" >&2
    for bench in $benches; do
        measure "$bench" "$filter" >>"$out/rust"
    done
    for bench in $older; do
        measure "$bench" '^create/with_cancel/parent$' >>"$out/old"
    done
    if [ -n "$go" ]; then
        # Go matches each part of a name by itself.
        areas='B[0-9]+|create|err|cancel_children'
        [ $# -lt 2 ] && areas='create|err|cancel_children|B3|B5|B7'
        "$out/gobench" -test.run '^$' -test.bench "BenchmarkCtx/^($areas)\$" -test.benchtime 200ms -test.benchmem >>"$out/go"
        [ $# -lt 2 ] || "$out/gobench" -test.run '^$' -test.bench BenchmarkCtxWake -test.benchtime 300ms >>"$out/go"
    fi
done
touch "$out/go" "$out/old"

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
    FILENAME ~ /(rust|old)$/ {
        if ($0 ~ /^[^ ]/ && $1 !~ /^(time:|Found|Benchmarking|Gnuplot|Warning)/) name = $1
        if (match($0, /time: *\[/)) {
            split(substr($0, RSTART + RLENGTH), field, " ")
            if (FILENAME ~ /old$/) old[name] = old[name] " " ns(field[3], field[4])
            else {
                if (!(name in rust)) order[++count] = name
                rust[name] = rust[name] " " ns(field[3], field[4])
            }
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
    # A goal of a row: at most so many ns, and at least so many times as fast as the token, as Go, as the earlier ctx.
    function goal(pattern, most, token, go, base) {
        goals[++asked] = pattern; most_ns[asked] = most; by[asked, "token"] = token; by[asked, "go"] = go; by[asked, "base"] = base
    }
    function met(i, name, whose, theirs, mine) {
        if (by[i, whose] == "" || theirs == "") return 1
        wanted = wanted sprintf(", %s/ctx at least %.2f", whose, by[i, whose])
        return theirs / mine >= by[i, whose]
    }
    BEGIN {
        goal("^err/deadline$", 5)
        goal("^create/with_timeout/background$", 70, "", 6)
        goal("^create/with_timeout/parent$", 95, "", 5.5)
        goal("^create/with_cancel/parent$", "", "", "", 1 / 0.75)
        goal("^cancel_children/1000(/again)?$", 26000, 1.7)
        goal("^create/with_value/get$", 45)
        goal("^create/with_timeout/parent/driven/all_cores$", 150)
        goal("^B[37]/", "", 1, 1)
        goal("^B5/context_cancel_done/err$", "", 1, 1)
    }
    END {
        print "Medians; token: tokio-util\047s CancellationToken, go: Go\047s context, base: the earlier ctx; X/ctx above 1: ctx is so many times as fast."
        line = "%-41s %9s %9s %9s %9s %9s %9s %9s %9s\n"
        printf line, "operation", "ctx ns", "token ns", "go ns", "base ns", "token/ctx", "go/ctx", "base/ctx", "go allocs"
        for (i = 1; i <= count; i++) {
            name = order[i]
            if (name ~ /^token\//) continue
            mine = median(rust[name])
            twin = name
            if (name ~ /^cancel_waiting_100k/) twin = "cancel_waiting_100k/goroutines"
            sub(/\/driven/, "", twin)
            # The question of B5 has one form in Go.
            if (name ~ /^B5/) sub(/\/err$/, "", twin)
            token = ("token/" name) in rust ? median(rust["token/" name]) : ""
            theirs = twin in go ? median(go[twin]) : ""
            before = name in old ? median(old[name]) : ""
            printf line, name, show(mine), show(token), show(theirs), show(before), times(token, mine), times(theirs, mine),
                times(before, mine), twin in allocs ? allocs[twin] : "-"
            for (g = 1; g <= asked; g++) if (name ~ goals[g]) {
                wanted = most_ns[g] == "" ? "" : ", at most " most_ns[g] " ns"
                is_met = most_ns[g] == "" || mine <= most_ns[g]
                if (!met(g, name, "token", token, mine)) is_met = 0
                if (!met(g, name, "go", theirs, mine)) is_met = 0
                if (!met(g, name, "base", before, mine)) is_met = 0
                told[++goal_rows] = sprintf("%-41s %-4s %s", name, is_met ? "yes" : "no", substr(wanted, 3))
            }
        }
        print ""
        printf "%-41s %-4s %s\n", "goal of", "met", "what it takes"
        for (i = 1; i <= goal_rows; i++) print told[i]
    }' "$out/rust" "$out/old" "$out/go"
