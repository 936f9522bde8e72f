#!/usr/bin/env bash
# Checks that no server starts another runtime's threads: h2, under hyper, needs tokio's traits, and the servers that are
# not tokio's are built without each feature of tokio that could start a thread or a timer.
set -euo pipefail
cd "$(dirname "$0")/.."

for server in server-async-std server-smol server-threads; do
    features=$(cargo tree --locked -p "$server" -e normal --prefix none -f '{p} [{f}]' | { grep -oE '^tokio v.*\]' || true; } | sort -u)
    if grep -qE '[[,](rt|rt-multi-thread|time|net|signal|process|fs|full)[],]' <<<"$features"; then
        echo "runtimes: $server is built with a feature of tokio that can start a thread or a timer: $features" >&2
        exit 1
    fi
    echo "runtimes: $server starts no thread or timer of tokio; what it is built with: ${features:-no tokio at all}"
done
