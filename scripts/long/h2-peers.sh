#!/usr/bin/env bash
# Judges servers of others by the area h2: Go, axum, node's http2, hypercorn, and Envoy before the lab's server on tokio.
#
#   scripts/long.sh h2-peers
#
# Programs by variables: NODE (default: node), HYPERCORN (hypercorn), ENVOY (envoy). What is not there is left out, and named.
set -uo pipefail

node=${NODE:-node} hypercorn=${HYPERCORN:-hypercorn} envoy=${ENVOY:-envoy}
cargo build --release --quiet --locked -p lab -p server-tokio -p peer-axum || exit 2
judge() {
    echo "== $1"
    shift
    target/release/lab check --only h2 "$@" 2>/dev/null | grep -E '^  (fail|xfail|warn|flaky|=)'
}
if go=$(scripts/go.sh); then
    judge "Go: $("$go" version)" go-context
else
    echo "== Go: not judged: no Go as new as its server needs"
fi
judge "axum: $(target/release/peer-axum --version)" axum
if command -v "$node" >/dev/null; then
    judge "node: $("$node" --version)" --run "$node peers/h2/node.mjs --listen 127.0.0.1:{port}"
else
    echo "== node: not judged: no \`$node\` on the PATH"
fi
if command -v "$hypercorn" >/dev/null; then
    judge "hypercorn" --run "$hypercorn peers/h2/hypercorn_app:app --bind 127.0.0.1:{port}"
else
    echo "== hypercorn: not judged: no \`$hypercorn\` on the PATH"
fi
if command -v "$envoy" >/dev/null; then
    judge "Envoy: $("$envoy" --version | tr -d '\n')" --run "python3 peers/h2/envoy.py {port} $envoy"
else
    echo "== Envoy: not judged: no \`$envoy\` on the PATH"
fi
# Before 1.25.1 a port of nginx in clear text speaks HTTP/2 or HTTP/1.1, and the scenarios begin with HTTP/1.1.
echo "== nginx: not judged: that takes its directive http2 (1.25.1 or later); here: $(nginx -v 2>&1 || echo none)"
