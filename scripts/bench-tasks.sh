#!/usr/bin/env bash
# Counts, weighs and times tasks that time out or are canceled: 1,000, 100,000 and 1,000,000 of them, on each runtime
# in a process of its own, beside the published figures of a million sleeping tasks. One table, at most 100 columns.
#
#   scripts/bench-tasks.sh [rounds] [tasks,tasks…] [filter]      default: 3 rounds of 1000,100000,1000000: ten minutes
#   scripts/bench-tasks.sh --quick [filter]                      one round of 1000,10000: a minute
#
# stderr has the case that runs, the time left, and each row as it stands; stdout has the tables of medians at the end.
# Ctrl-C ends the run, and the tables have what was measured until then. A million tasks want about 1.5 GB of memory.
# Exit status: 0 when every case counted what it should, 1 when one did not, 130 after Ctrl-C.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
fi
if [[ ${1:-} == --quick ]]; then
    chosen=(--quick --only "${2:-}")
else
    chosen=(--rounds "${1:-3}" --tasks "${2:-1000,100000,1000000}" --only "${3:-}")
fi

rustc --version
uname -srm
printf '%s cores, %s\n' "$(nproc)" "$(getconf GNU_LIBC_VERSION)"
for package in tokio tokio-util smol async-std; do
    cargo tree --locked --quiet --package benches --depth 1 --prefix none | grep "^$package "
done
echo "bench-tasks.sh: building" >&2
# The bench takes the place of this shell, so that Ctrl-C reaches it and not cargo, which would end at once.
bench=$(cargo bench --locked --package benches --bench tasks --no-run --message-format json |
    sed -n 's/.*"name":"tasks".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[[ -n $bench ]] || exit 2
exec "$bench" "${chosen[@]}"
