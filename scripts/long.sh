#!/usr/bin/env bash
# Runs a check with its full counts, of which the gate runs a part, and keeps the record.
#
#   scripts/long.sh NAME [ARG...]      scripts/long/NAME.sh, with these arguments
#   scripts/long.sh                    lists the names
#
# The record is docs/results/<date>-NAME.md: the machine, the commit, the command, and what it printed. A check that fails
# leaves the record of that day alone: its own is target/long/NAME.md. The exit status is that of the check.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

name=${1:-}
if [ ! -f "scripts/long/$name.sh" ]; then
    [ -z "$name" ] || echo "long.sh: no check of the name '$name'; there are:" >&2
    for check in scripts/long/*.sh; do
        printf '  %-12s %s\n' "$(basename "$check" .sh)" "$(sed -n '2s/^# //p' "$check")" >&2
    done
    exit 2
fi
shift

printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
# Taken at the beginning: a commit made meanwhile is not what ran.
commit="$(git rev-parse --short HEAD)$([ -z "$(git status --porcelain --untracked-files=no)" ] || echo ' and what was not committed')"
began=$SECONDS
"scripts/long/$name.sh" "$@" 2>&1 | tee "$printed"
status=${PIPESTATUS[0]}

record=docs/results/$(date +%F)-$name.md
[ "$status" -eq 0 ] || record=target/long/$name.md
mkdir -p "$(dirname "$record")"
{
    echo "# $name, $(date +%F)"
    echo
    sed -n '2s/^# //p' "scripts/long/$name.sh"
    echo
    echo "- machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)"
    echo "- compiler: $(rustc --version)"
    echo "- commit: $commit"
    echo "- command: \`scripts/long.sh $name${*:+ $*}\`"
    echo "- took $((SECONDS - began)) s, exit status $status"
    echo
    echo '```text'
    cat "$printed"
    echo '```'
} >"$record"
echo "long.sh: wrote $record" >&2
exit "$status"
