#!/usr/bin/env bash
# Measures servers over HTTP/2: throughput, memory of a stream, lateness of 504s, time to cancel, and a rapid reset of 1 s.
#
#   scripts/long.sh streams [PROGRAM...]      default: the lab's own three that speak HTTP/2, and Go's
#
# It takes h2load (Debian: nghttp2-client) and, for Go's server, Go. Release builds.
set -euo pipefail

command -v h2load >/dev/null || {
    echo "streams.sh: no h2load on the PATH; Debian has it in nghttp2-client" >&2
    exit 2
}
programs=("$@")
if [ $# -eq 0 ]; then
    cargo build --release --quiet --locked -p server-tokio -p server-async-std -p server-smol
    go=$(scripts/go.sh)
    "$go" build -C peers/go/nethttp -o "$PWD/target/peers/go-server" .
    programs=(target/release/server-tokio target/release/server-async-std target/release/server-smol target/peers/go-server)
fi
exec cargo run --release --quiet --locked -p measure --example streams -- "${programs[@]}"
