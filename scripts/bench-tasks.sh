#!/bin/sh
# Counts, weighs and times tasks that time out or are canceled: 1,000, 100,000 and 1,000,000 of them, on each runtime
# in a process of its own, beside the published figures of a million sleeping tasks. One table, at most 100 columns.
#
#   scripts/bench-tasks.sh [rounds] [tasks,tasks…] [filter]      default: 3 rounds of 1000,100000,1000000
#
# A million tasks want about 1.5 GB of memory. Exit status: 0 when every case counted what it should, 1 when one did not.
set -eu

cd "$(dirname "$0")/.."
rounds=${1:-3}
tasks=${2:-1000,100000,1000000}
filter=${3:-}

rustc --version
uname -srm
printf '%s cores, %s\n' "$(nproc)" "$(getconf GNU_LIBC_VERSION)"
for package in tokio tokio-util smol async-std; do
    cargo tree --locked --quiet --package benches --depth 1 --prefix none | grep "^$package "
done
cargo bench --locked --quiet --package benches --bench tasks -- --rounds "$rounds" --tasks "$tasks" --only "$filter"
